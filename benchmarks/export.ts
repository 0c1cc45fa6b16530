/** How fast a worker of its own exports points to files, and how much memory it takes for that. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ExportAnswer } from "../schema/wire/index.ts";
import { cpuMs, endChildren, peakBytes, resetPeak, tracked } from "./processes.ts";
import { Server } from "./server.ts";

export interface ExportResult {
	readonly rows: number;
	readonly runs: readonly ExportRun[];
	/** Largest of all runs, the program itself included. */
	readonly peak_mb: number;
}

interface ExportRun {
	readonly format: string;
	readonly compression: string;
	readonly seconds: number;
	readonly rows_per_s: number;
	readonly file_mb: number;
	/** Of the worker, and of the engine. */
	readonly worker_cpu_s: number;
	readonly engine_cpu_s: number;
	readonly peak_mb: number;
}

export interface ExportOptions {
	readonly rows: number;
	readonly folder: string;
	readonly report: (line: string) => void;
}

const SHAPES = [
	["csv", "gzip"],
	["csv", "none"],
	["csv", "zstd"],
	["json", "gzip"],
	["parquet", "zstd"],
] as const;
const SERIES = 1_000;
const DAY_MS = 86_400_000;

export async function runExports({ rows, folder, report }: ExportOptions): Promise<ExportResult> {
	const own = join(folder, "export");
	mkdirSync(own, { recursive: true });
	const files = join(own, "files");
	// Nothing but the worker that is measured takes jobs.
	const server = await Server.start(own, undefined, { TIDEMARK_ROLES: "ingest,query", TIDEMARK_EXPORTS: files });
	try {
		const start = Math.floor(Date.now() / DAY_MS) * DAY_MS - 2 * DAY_MS;
		await fill(server, rows, start);
		const worker = await startWorker(server, own, files);
		const runs: ExportRun[] = [];
		for (const [format, compression] of SHAPES) {
			runs.push(await runOne(server, worker, { format, compression, rows, start }));
			const { rows_per_s, peak_mb } = runs.at(-1)!;
			report(`export: ${format} ${compression}: ${Math.round(rows_per_s)} rows/s, peak ${peak_mb.toFixed(0)} MB`);
		}
		return { rows, runs, peak_mb: Math.max(...runs.map(({ peak_mb }) => peak_mb)) };
	} finally {
		await endChildren(30_000);
	}
}

interface Shape {
	readonly format: string;
	readonly compression: string;
	readonly rows: number;
	readonly start: number;
}

async function runOne(server: Server, worker: number, { format, compression, rows, start }: Shape): Promise<ExportRun> {
	resetPeak(worker);
	const cpu = () => [cpuMs(worker), cpuMs(server.engine.pid)] as const;
	const before = cpu();
	const ask = async (path: string, body?: object): Promise<ExportAnswer> => {
		const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
		const response = await fetch(`${server.url}/v1/monitoring/exports${path}`, { headers: server.headers, ...sent });
		if (!response.ok) throw new Error(`the server answered ${response.status}: ${await response.text()}`);
		return (await response.json()) as ExportAnswer;
	};
	const window = { start: new Date(start).toISOString(), end: new Date(start + DAY_MS).toISOString() };
	let seen = await ask("", { metrics: ["bench.export"], format, compression, ...window });
	while (seen.status === "queued" || seen.status === "running") {
		await sleep(100);
		seen = await ask(`/${seen.export_id}`);
	}
	if (seen.status !== "completed" || seen.rows !== rows) {
		throw new Error(`the export ${seen.status} with ${seen.rows} of ${rows} rows: ${seen.error}`);
	}
	const after = cpu();
	const seconds = (Date.parse(seen.finished_at!) - Date.parse(seen.started_at!)) / 1_000;
	return {
		...{ format, compression, seconds, rows_per_s: rows / seconds, file_mb: seen.bytes! / 1e6 },
		...{ worker_cpu_s: (after[0] - before[0]) / 1_000, engine_cpu_s: (after[1] - before[1]) / 1_000 },
		peak_mb: peakBytes(worker) / 1e6,
	};
}

/** A series has 3 tags; values have six digits, as measurements do. */
async function fill(server: Server, rows: number, start: number): Promise<void> {
	const tags =
		"map('host', concat('host-', toString(number)), 'region', concat('r', toString(number % 7)), 'component', 'api')";
	await server.sql(
		`INSERT INTO series SELECT 'default', 'bench.export', number, ${tags}, 'api', 'gauge', 'ms', now64(3) FROM numbers(${SERIES})`,
	);
	const apart_ms = Math.max(1, Math.floor(DAY_MS / (rows / SERIES)));
	await server.sql(
		`INSERT INTO points (project, name, component, kind, series_id, ts, value) SELECT 'default', 'bench.export', 'api', 'gauge', number % ${SERIES},
			fromUnixTimestamp64Milli(toInt64(${start} + intDiv(number, ${SERIES}) * ${apart_ms}), 'UTC'),
			round(rand() / 4294967295 * 1000, 3) FROM numbers(${rows})`,
	);
}

/** @returns its process id */
async function startWorker(server: Server, folder: string, files: string): Promise<number> {
	const { url, password, database } = server.engine;
	const entry = fileURLToPath(new URL("../main.js", import.meta.url));
	const at = new URL(url);
	at.username = "default";
	at.password = password;
	at.pathname = `/${database}`;
	const child = tracked(
		spawn(process.execPath, [entry, "worker"], {
			cwd: folder,
			env: {
				...{ PATH: process.env.PATH, HOME: process.env.HOME, PORT: "0", CLICKHOUSE_URL: at.href },
				...{ TIDEMARK_DATA: join(folder, "worker"), TIDEMARK_EXPORTS: files, TIDEMARK_LOG_LEVEL: "warn" },
				...{ TIDEMARK_COLLECT_INTERVAL: "off", TIDEMARK_SELF_PROJECT: "off" },
			},
			stdio: ["ignore", "pipe", "inherit"],
		}),
	);
	await new Promise<void>((resolve, reject) => {
		child.once("exit", (code) => reject(new Error(`the worker ended (${code})`)));
		child.stdout!.on("data", (chunk: Buffer) => chunk.includes(" is ready at ") && resolve());
	});
	return child.pid!;
}
