/**
 * The floor: the same rows, encoded by ingest's own batch, as Native files that go straight into the same tables with all
 * their views. What the engine spends on that, no pipeline can go below.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { OpenBatch, type SealedBatch } from "../ingest/batch.ts";
import { encodeRows } from "../ingest/native/decode.ts";
import { SeriesRegistry } from "../ingest/series.ts";
import { conventionKind } from "../schema/conventions.ts";
import { TABLES, type TableName } from "../schema/tables.ts";
import { cpuMs } from "./processes.ts";
import type { Server } from "./server.ts";
import { ALL_SERIES, type Dataset, eventRecord, logLine, placeOf, pointTime, pointValue, SERIES } from "./workload.ts";

/** The project that the benchmark's key belongs to. */
const PROJECT = "default";

export interface NativeFile {
	readonly table: TableName;
	readonly path: string;
	readonly rows: number;
}

/** Writes the rows as Native files of one block each, `blockRows` rows of the main table a block. */
export function writeNativeFiles(dataset: Dataset, blockRows: number, folder: string): NativeFile[] {
	const batch = new OpenBatch(1);
	const add = adder(dataset, batch);
	const files: NativeFile[] = [];
	const write = (table: TableName, rows: number, block: Buffer) => {
		const path = join(folder, `${dataset.workload}-${blockRows}-${files.length}.native`);
		writeFileSync(path, block);
		files.push({ table, path, rows });
	};
	for (let from = 0; from < dataset.rows; from += blockRows) {
		const to = Math.min(from + blockRows, dataset.rows);
		for (let row = from; row < to; row++) add(row);
		const sealed: SealedBatch = batch.seal();
		// Series were announced by the warm-up, once and for all, so the pipeline does not write them either.
		for (const { table, rows, block } of sealed.frames) if (table !== "series") write(table, rows, block);
		if (dataset.workload === "events") {
			const received = Math.floor(Date.now() / 1_000);
			const ids = Array.from({ length: to - from }, (_, i) => [
				PROJECT,
				eventRecord(dataset, from + i).event_id,
				received,
			]);
			write("event_ids", ids.length, encodeRows(TABLES.event_ids, ids));
		}
	}
	return files;
}

function adder(dataset: Dataset, batch: OpenBatch): (row: number) => void {
	if (dataset.workload === "logs") {
		return (row) => batch.log(PROJECT, { ...logLine(dataset, row), trace_id: "", span_id: "" }, dataset.start_ms);
	}
	if (dataset.workload === "events") {
		const ids = { account_id: "", session_id: "" };
		return (row) => batch.event(PROJECT, { ...eventRecord(dataset, row), ...ids }, dataset.start_ms);
	}
	const registry = new SeriesRegistry({ perProject: SERIES });
	const all = ALL_SERIES.map(({ name, tags }) => registry.resolve(PROJECT, name, tags, conventionKind(name), "")!);
	return (row) => {
		const { series, tick } = placeOf(dataset, row);
		batch.point(all[series]!, pointTime(dataset, series, tick), pointValue(dataset, series, tick));
	};
}

export interface FloorRun {
	/** CPU of the engine, milliseconds, by table inserted into. */
	readonly cpu_ms: Readonly<Record<string, number>>;
	readonly elapsed_ms: number;
}

/** Inserts the files one after the other. `run` makes the deduplication tokens of a repetition its own. */
export async function insertFloor(server: Server, files: readonly NativeFile[], run: string): Promise<FloorRun> {
	const cpu_ms: Record<string, number> = {};
	const started = performance.now();
	for (const [i, { table, path }] of files.entries()) {
		const before = cpuMs(server.engine.pid);
		await server.insertFile(
			table,
			TABLES[table].map(([name]) => name),
			path,
			`floor/${run}/${i}`,
		);
		cpu_ms[table] = (cpu_ms[table] ?? 0) + cpuMs(server.engine.pid) - before;
	}
	return { cpu_ms, elapsed_ms: performance.now() - started };
}
