/** One load, a few times through the pipeline and, in turn with it, straight into the tables. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Disk, diskBytes } from "./disk.ts";
import { type FloorRun, insertFloor, type NativeFile, writeNativeFiles } from "./floor.ts";
import type { Sent } from "./generator.ts";
import { LoadGenerator } from "./load-generator.ts";
import { Peer, type PeerRun } from "./peers.ts";
import { MAIN_TABLE, type PipelineRun, runPipeline } from "./pipeline.ts";
import type { Server } from "./server.ts";
import { type Spread, spread } from "./statistics.ts";
import { type Dataset, type Workload, warmUpOf } from "./workload.ts";

export interface LoadOptions {
	readonly dataset: Dataset;
	readonly rowsPerRequest: number;
	readonly connections: number;
	readonly repeats: number;
	/** Whether the same points go into other servers, too. */
	readonly peers: boolean;
	readonly most_ms: number;
	readonly settle_ms: number;
	/** For Native files. */
	readonly folder: string;
	readonly report: (line: string) => void;
}

/** Means of one load; every spread is over the repetitions. */
export interface LoadResult {
	readonly workload: Workload;
	readonly rows: number;
	readonly rows_per_request: number;
	readonly sent_rows: number;
	readonly stored_rows: number;
	readonly body_bytes_per_row: number;
	readonly acknowledged_per_s: Spread;
	readonly stored_per_s: Spread;
	readonly ack_p50_ms: Spread;
	readonly ack_p99_ms: Spread;
	readonly ingest_cpu_us: Spread;
	readonly engine_cpu_us: Spread;
	readonly engine_settled_cpu_us: Spread;
	readonly generator_cpu_us: Spread;
	/** Rows of an insert that the loader made. */
	readonly rows_per_insert: Spread;
	/** The engine's CPU of the straight insert in blocks of a million rows, all tables and only the one of the rows. */
	readonly floor_cpu_us: Spread;
	readonly floor_main_cpu_us: Spread;
	/** The same in blocks as big as the loader's. */
	readonly floor_loader_blocks_cpu_us: Spread;
	/** Ingest and engine ÷ floor. */
	readonly cpu_ratio: Spread;
	readonly cpu_ratio_loader_blocks: Spread;
	/** CPU that processes without a part in it took from the machine meanwhile, 0 to 1: above some hundredths, do not trust rates. */
	readonly foreign_cpu: Spread;
	readonly disk_bytes_per_row: Disk;
	readonly ingest_peak_mb: number;
	readonly engine_peak_mb: number;
	readonly peers: readonly PeerResult[];
}

/** The same points into another server; the ratios are of each repetition's own pair. */
export interface PeerResult {
	readonly name: string;
	readonly version: string;
	readonly acknowledged_per_s: Spread;
	readonly stored_per_s: Spread;
	readonly ack_p50_ms: Spread;
	readonly ack_p99_ms: Spread;
	readonly cpu_us: Spread;
	readonly disk_bytes_per_row: number;
	readonly peak_mb: number;
	/** Tidemark's rate ÷ this server's. */
	readonly acknowledged_ratio: Spread;
	readonly stored_ratio: Spread;
}

export interface LoadRun {
	readonly result: LoadResult;
	/** Of the monotonic clock: when each repetition was under way, for the profile. */
	readonly windows: readonly { readonly from_ms: number; readonly to_ms: number }[];
}

const FLOOR_BLOCK_ROWS = 1_000_000;
const MB = 2 ** 20;

export async function runLoad(server: Server, options: LoadOptions): Promise<LoadRun> {
	const { dataset, rowsPerRequest, repeats, report } = options;
	const { workload } = dataset;
	const folder = join(options.folder, `native-${workload}`);
	mkdirSync(folder, { recursive: true });
	const generator = new LoadGenerator();
	const peers = options.peers ? Peer.find(workload, report) : [];
	const peerRuns = new Map<string, PeerRun[]>(peers.map(({ name }) => [name, []]));
	try {
		await generator.prepare({ dataset: warmUpOf(dataset), protocol: "tidemark", rowsPerRequest });
		await runPipeline(server, generator, workload, options);
		const prepared = await generator.prepare({ dataset, protocol: "tidemark", rowsPerRequest });
		for (const peer of peers) await peer.prepare(dataset, rowsPerRequest);
		const big = writeNativeFiles(dataset, FLOOR_BLOCK_ROWS, folder);
		let like: { files: NativeFile[]; rows: number } | undefined;
		const pipeline: PipelineRun[] = [];
		const floor: FloorRun[] = [];
		const floorLike: FloorRun[] = [];
		let disk: Disk | undefined;
		for (let i = 0; i < repeats; i++) {
			await fresh(server, options);
			// An event_id counts once in 7 days, whatever was truncated: sent again, every event would be looked up.
			if (workload === "events") {
				const other = { ...dataset, seed: dataset.seed + i + 1 };
				await generator.prepare({ dataset: other, protocol: "tidemark", rowsPerRequest });
			}
			const run = await runPipeline(server, generator, workload, options);
			pipeline.push(run);
			if (i === repeats - 1) disk = await diskBytes(server, MAIN_TABLE[workload]);
			await fresh(server, options);
			floor.push(await insertFloor(server, big, `${workload}/${i}`));
			like ??= likeLoader(dataset, run, folder);
			await fresh(server, options);
			floorLike.push(await insertFloor(server, like.files, `${workload}/like/${i}`));
			await fresh(server, options);
			for (const peer of peers) {
				const run = await peer.run(dataset, { ...options, measureDisk: i === repeats - 1 });
				peerRuns.get(peer.name)!.push(run);
				report(peerProgress(peer.name, i, run));
			}
			report(progress(workload, i, run, floor.at(-1)!, floorLike.at(-1)!, dataset.rows));
		}
		const peersDone = [...peerRuns].map(([name, runs]) => summarisePeer(name, runs, pipeline));
		const result = { ...summarise(options, prepared.bytes, pipeline, floor, floorLike, disk!), peers: peersDone };
		return {
			result,
			windows: pipeline.map(({ sent, stored_ms }) => ({
				from_ms: sent.started_at,
				to_ms: sent.started_at + stored_ms,
			})),
		};
	} finally {
		generator.stop();
		for (const peer of peers) peer.stop();
		rmSync(folder, { recursive: true, force: true });
	}
}

async function fresh(server: Server, { settle_ms }: LoadOptions): Promise<void> {
	await server.truncate();
	if (settle_ms > 0) await server.settle(settle_ms);
}

function likeLoader(dataset: Dataset, { sent, segments }: PipelineRun, folder: string) {
	const rows = Math.max(1, Math.ceil(sent.rows / Math.max(1, segments)));
	return { rows, files: writeNativeFiles(dataset, Math.min(rows, FLOOR_BLOCK_ROWS), folder) };
}

function progress(
	workload: Workload,
	i: number,
	run: PipelineRun,
	floor: FloorRun,
	like: FloorRun,
	rows: number,
): string {
	const us = (ms: number, of: number) => ((ms * 1_000) / of).toFixed(2);
	const { sent, ingest_cpu_ms, engine_cpu_ms, segments, stored_ms } = run;
	return (
		`${workload} #${i + 1}: ${Math.round(sent.rows / sent.elapsed_ms)}k acknowledged/s, ${Math.round(sent.rows / stored_ms)}k stored/s, ` +
		`CPU µs/row ingest ${us(ingest_cpu_ms, sent.rows)} engine ${us(engine_cpu_ms, sent.rows)}, floor ${us(total(floor), rows)}, ` +
		`in the loader's ${segments} blocks ${us(total(like), rows)}; others used ${(run.foreign_cpu * 100).toFixed(0)} % of the machine`
	);
}

function summarise(
	{ dataset, rowsPerRequest }: LoadOptions,
	bodyBytes: number,
	pipeline: readonly PipelineRun[],
	floor: readonly FloorRun[],
	floorLike: readonly FloorRun[],
	disk: Disk,
): Omit<LoadResult, "peers"> {
	const { workload, rows } = dataset;
	const over = (value: (run: PipelineRun) => number) => spread(pipeline.map(value));
	const perRow = (value: (run: PipelineRun) => number) => over((run) => (value(run) * 1_000) / run.sent.rows);
	const floorUs = (runs: readonly FloorRun[]) => spread(runs.map((run) => (total(run) * 1_000) / rows));
	const ratio = (floors: readonly FloorRun[]) =>
		spread(
			pipeline.map(
				({ ingest_cpu_ms, engine_cpu_ms, sent }, i) =>
					(ingest_cpu_ms + engine_cpu_ms) / sent.rows / (total(floors[i]!) / rows),
			),
		);
	const last = pipeline.at(-1)!;
	return {
		...{ workload, rows, rows_per_request: rowsPerRequest },
		sent_rows: pipeline.reduce((sum, { sent }) => sum + sent.rows, 0),
		stored_rows: pipeline.reduce((sum, { stored_rows }) => sum + stored_rows, 0),
		body_bytes_per_row: bodyBytes / rows,
		acknowledged_per_s: over(({ sent }) => (sent.rows * 1_000) / sent.elapsed_ms),
		stored_per_s: over(({ sent, stored_ms }) => (sent.rows * 1_000) / stored_ms),
		ack_p50_ms: over(({ sent }) => sent.ack_p50_ms),
		ack_p99_ms: over(({ sent }) => sent.ack_p99_ms),
		ingest_cpu_us: perRow((run) => run.ingest_cpu_ms),
		engine_cpu_us: perRow((run) => run.engine_cpu_ms),
		engine_settled_cpu_us: perRow((run) => run.engine_settled_cpu_ms),
		generator_cpu_us: perRow(({ sent }) => sent.cpu_ms),
		rows_per_insert: over(({ sent, segments }) => sent.rows / Math.max(1, segments)),
		floor_cpu_us: floorUs(floor),
		floor_main_cpu_us: spread(floor.map(({ cpu_ms }) => (cpu_ms[MAIN_TABLE[workload]]! * 1_000) / rows)),
		floor_loader_blocks_cpu_us: floorUs(floorLike),
		foreign_cpu: over((run) => run.foreign_cpu),
		cpu_ratio: ratio(floor),
		cpu_ratio_loader_blocks: ratio(floorLike),
		disk_bytes_per_row: {
			raw: disk.raw / last.sent.rows,
			all: disk.all / last.sent.rows,
			raw_merged: disk.raw_merged / last.sent.rows,
			all_merged: disk.all_merged / last.sent.rows,
		},
		ingest_peak_mb: Math.max(...pipeline.map((run) => run.ingest_peak_bytes)) / MB,
		engine_peak_mb: Math.max(...pipeline.map((run) => run.engine_peak_bytes)) / MB,
	};
}

function summarisePeer(name: string, runs: readonly PeerRun[], pipeline: readonly PipelineRun[]): PeerResult {
	const over = (value: (run: PeerRun, ours: PipelineRun) => number) =>
		spread(runs.map((run, i) => value(run, pipeline[i]!)));
	const acknowledged = ({ sent }: { sent: Sent }) => (sent.rows * 1_000) / sent.elapsed_ms;
	const stored = ({ sent, stored_ms }: { sent: Sent; stored_ms: number }) => (sent.rows * 1_000) / stored_ms;
	return {
		...{ name, version: runs[0]!.version },
		acknowledged_per_s: over(acknowledged),
		stored_per_s: over(stored),
		ack_p50_ms: over(({ sent }) => sent.ack_p50_ms),
		ack_p99_ms: over(({ sent }) => sent.ack_p99_ms),
		cpu_us: over(({ cpu_ms, sent }) => (cpu_ms * 1_000) / sent.rows),
		disk_bytes_per_row: runs.at(-1)!.disk_bytes_per_row!,
		peak_mb: Math.max(...runs.map(({ peak_bytes }) => peak_bytes)) / MB,
		acknowledged_ratio: over((run, ours) => acknowledged(ours) / acknowledged(run)),
		stored_ratio: over((run, ours) => stored(ours) / stored(run)),
	};
}

function peerProgress(name: string, i: number, { sent, stored_ms, cpu_ms }: PeerRun): string {
	return (
		`${name} #${i + 1}: ${Math.round(sent.rows / sent.elapsed_ms)}k acknowledged/s, ${Math.round(sent.rows / stored_ms)}k stored/s, ` +
		`CPU µs/row ${((cpu_ms * 1_000) / sent.rows).toFixed(2)}`
	);
}

function total({ cpu_ms }: FloorRun): number {
	return Object.values(cpu_ms).reduce((sum, ms) => sum + ms, 0);
}
