/**
 * The floor: the same rows, encoded by ingest's own columns, as Native files that go straight into the same tables with all
 * their views. What the engine spends on that, no pipeline can go below.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { OpenBatch } from "../ingest/batch.ts";
import type { TableName } from "../schema/tables.ts";
import { PointBlock, PROJECT } from "./native-points.ts";
import { cpuMs } from "./processes.ts";
import type { Server } from "./server.ts";
import { ALL_SERIES, type Dataset, eventRecord, logLine, placeOf, pointTime, pointValue } from "./workload.ts";

export interface NativeFile {
	readonly table: TableName;
	readonly path: string;
}

/** Writes the rows as Native files of one block each, `blockRows` rows of the main table a block. */
export function writeNativeFiles(dataset: Dataset, blockRows: number, folder: string): NativeFile[] {
	const encode = encoder(dataset);
	const files: NativeFile[] = [];
	for (let from = 0; from < dataset.rows; from += blockRows) {
		for (const [table, block] of encode(from, Math.min(from + blockRows, dataset.rows))) {
			const path = join(folder, `${blockRows}-${from}-${table}`);
			writeFileSync(path, block);
			files.push({ table, path });
		}
	}
	return files;
}

/** Blocks of the rows `from` to `to`. Series are not among them: the warm-up announced those, once and for all. */
type Encode = (from: number, to: number) => [TableName, Buffer][];

function encoder(dataset: Dataset): Encode {
	if (dataset.workload === "logs") {
		const batch = new OpenBatch(1);
		return (from, to) => {
			for (let row = from; row < to; row++) {
				batch.log(PROJECT, { ...logLine(dataset, row), trace_id: "", span_id: "" }, dataset.start_ms);
			}
			return sealed(batch);
		};
	}
	if (dataset.workload === "events") {
		const batch = new OpenBatch(1);
		return (from, to) => {
			for (let row = from; row < to; row++) {
				batch.event(PROJECT, { ...eventRecord(dataset, row), account_id: "", session_id: "" }, dataset.start_ms);
			}
			return sealed(batch);
		};
	}
	const block = new PointBlock(ALL_SERIES);
	return (from, to) => {
		for (let row = from; row < to; row++) {
			const { series, tick } = placeOf(dataset, row);
			block.point(series, pointTime(dataset, series, tick), pointValue(dataset, series, tick));
		}
		return [["points", block.seal()]];
	};
}

function sealed(batch: OpenBatch): [TableName, Buffer][] {
	return batch.seal().frames.map(({ table, block }) => [table, block]);
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
		await server.insertFile(table, path, `floor/${run}/${i}`);
		cpu_ms[table] = (cpu_ms[table] ?? 0) + cpuMs(server.engine.pid) - before;
	}
	return { cpu_ms, elapsed_ms: performance.now() - started };
}
