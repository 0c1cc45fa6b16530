/** An engine of its own for a test file: a fresh data folder, a free port, stopped and removed afterwards. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { type Engine, type EngineOptions, startEngine } from "./supervisor.ts";

export interface TestEngine extends Engine {
	readonly dataDir: string;
	/** Stops the engine and removes its folder. */
	remove(): Promise<void>;
}

export async function startTestEngine(options: Partial<EngineOptions> = {}): Promise<TestEngine> {
	const dataDir = await mkdtemp(join(tmpdir(), "engine-"));
	const logger = pino({ level: "silent" });
	const engine = await startEngine({ dataDir, password: "secret", logger, maxMemoryBytes: 2 ** 31, ...options });
	return Object.assign(Object.create(engine) as Engine, {
		dataDir,
		async remove() {
			await engine.stop();
			await rm(dataDir, { recursive: true, force: true });
		},
	});
}

/** Polls until `condition` holds. @throws when `timeout_ms` pass first. */
export async function until(condition: () => Promise<boolean> | boolean, timeout_ms = 10_000): Promise<void> {
	const deadline = Date.now() + timeout_ms;
	while (!(await condition())) {
		if (Date.now() > deadline) throw new Error(`condition not met within ${timeout_ms} ms`);
		await sleep(20);
	}
}

/** Resident memory of a process, bytes. */
export async function residentBytes(pid: number): Promise<number> {
	const status = await readFile(`/proc/${pid}/status`, "utf8");
	return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

/** CPU time a process has used, milliseconds. */
export async function cpuMs(pid: number): Promise<number> {
	const stat = await readFile(`/proc/${pid}/stat`, "utf8");
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	return (Number(fields[11]) + Number(fields[12])) * 10;
}

export interface RawAnswer {
	status: number;
	headers: IncomingHttpHeaders;
	body: Buffer;
	/** The body was cut short. */
	torn: boolean;
}

/** One HTTP request, byte by byte, nothing decoded. */
export function rawRequest(
	engine: { url: string; password: string },
	search: Record<string, string> | string,
	options: { method?: string; headers?: Record<string, string>; body?: Buffer | string; path?: string } = {},
): Promise<RawAnswer> {
	const { method = "POST", body = "", path = "/" } = options;
	const headers = { "x-clickhouse-key": engine.password, ...options.headers };
	return new Promise((resolve, reject) => {
		const url = `${engine.url}${path}?${new URLSearchParams(search)}`;
		const outgoing = request(url, { method, headers, agent: false }, (answer) => {
			const chunks: Buffer[] = [];
			const done = (torn: boolean) => () =>
				resolve({ status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(chunks), torn });
			answer.on("data", (chunk: Buffer) => chunks.push(chunk));
			answer.on("end", done(false));
			answer.on("error", done(true));
		});
		outgoing.on("error", reject);
		outgoing.end(body);
	});
}
