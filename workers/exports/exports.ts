/** Exports as a worker runs them: the job, and what removes files that were kept for long enough. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { Definitions } from "../../schema/definitions.ts";
import { DESTINATION_KIND, EXPORT_KIND, MANIFEST } from "../../schema/export-job.ts";
import { JobStore } from "../../schema/jobs.ts";
import { openDestination } from "../../schema/sealed-destinations.ts";
import type { SecretBox } from "../../schema/secret-box.ts";
import { destinationBody } from "../../schema/wire/index.ts";
import type { ExportJobOptions } from "./job.ts";

/** Opens the keys of named destinations, at the moment in which they are needed. */
export function destinationAccess(clickhouse: ClickHouse, box: SecretBox): ExportJobOptions["access"] {
	const destinations = new Definitions(clickhouse, DESTINATION_KIND, destinationBody);
	return async (project, name) => {
		const found = await destinations.get(project, name);
		return found && openDestination(found.body, box, project);
	};
}

export interface SweepOptions {
	readonly folder: string;
	readonly clickhouse: ClickHouse;
	readonly logger: Logger;
	readonly retention_ms: number;
	readonly now?: () => number;
}

const SWEEP_MS = 600_000;
/** A folder without a manifest whose job is over is a rest; but one may have been asked for a moment ago. */
const REST_MS = 60_000;

/** Removes the files of old exports, and the rests of those that were given up, now and then. */
export function startExportSweep(options: SweepOptions): { close(): Promise<void> } {
	let running: Promise<unknown> = Promise.resolve();
	const sweep = () => {
		running = sweepExports(options).catch((err: unknown) => {
			options.logger.warn({ err }, "old exports could not be removed");
		});
	};
	sweep();
	const timer = setInterval(sweep, SWEEP_MS);
	return {
		async close() {
			clearInterval(timer);
			await running;
		},
	};
}

/** @returns the folders that were removed */
export async function sweepExports({
	folder,
	clickhouse,
	retention_ms,
	now = Date.now,
}: SweepOptions): Promise<string[]> {
	const folders: string[] = [];
	for (const project of await list(folder)) {
		for (const id of await list(join(folder, project))) folders.push(join(folder, project, id));
	}
	if (folders.length === 0) return [];
	const open = new Set((await new JobStore(clickhouse, now).open([EXPORT_KIND])).map(({ job_id }) => job_id));
	const removed: string[] = [];
	for (const one of folders) {
		if (open.has(one.split("/").at(-1)!)) continue;
		const finished = await modified(join(one, MANIFEST));
		const age_ms = now() - (finished ?? (await modified(one)) ?? now());
		if (age_ms < (finished === undefined ? REST_MS : retention_ms)) continue;
		await rm(one, { recursive: true, force: true });
		removed.push(one);
	}
	return removed;
}

async function list(folder: string): Promise<string[]> {
	const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return [];
		throw error;
	});
	return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

async function modified(path: string): Promise<number | undefined> {
	return (await stat(path).catch(() => undefined))?.mtimeMs;
}
