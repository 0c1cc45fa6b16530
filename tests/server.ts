/** The whole program as a child process, from `dist`, on a folder and ports of its own: what whole-system tests stand on. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { type ClickHouse, connectClickHouse } from "../schema/clickhouse.ts";
import { DEFAULT_RETENTION } from "../schema/retention.ts";
import { fillFrom } from "./support/template.ts";

export interface ServerOptions {
	/** Settings; what is not set here has its default, whatever the environment of the tests says. */
	readonly env?: Readonly<Record<string, string>>;
	/** Command line after the program's name. */
	readonly args?: readonly string[];
	/** Of an earlier run, to start on again; it is never removed. Unset, a new folder is made, and removed by `stop`. */
	readonly dataDir?: string;
	/** Sends SIGKILL, also while it is still starting. */
	readonly killedBy?: AbortSignal;
}

export interface Exit {
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
}

export interface Server {
	readonly url: string;
	/** Of the project `default`. */
	readonly adminKey: string;
	readonly dataDir: string;
	readonly pid: number;
	/** `fetch` on this server with the admin key. A body that is not text is sent as JSON; of a text, say the content type. */
	request(
		path: string,
		init?: { method?: string; body?: unknown; headers?: Record<string, string> },
	): Promise<Response>;
	/** Rows of a SELECT in the database of Tidemark. Integers of 64 bits are numbers here. */
	query<Row = Record<string, unknown>>(sql: string, params?: Record<string, unknown>): Promise<Row[]>;
	/** Everything it has printed so far. */
	output(): string;
	/** SIGTERM, and SIGKILL when it has not ended after a minute. Removes the data folder that `startServer` made. */
	stop(): Promise<Exit>;
	/** Signals the program itself (not its children) and waits until it has ended. The data folder stays. */
	kill(signal: NodeJS.Signals): Promise<Exit>;
}

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 60_000;
const ADMIN_KEY = "test-admin-key-0123456789";

/** So that no test file leaves a server or a folder behind, however it ends. */
const running = new Set<ChildProcess>();
const made = new Set<string>();
const killAll = () => {
	for (const child of running) child.kill("SIGKILL");
};
process.on("exit", killAll);
// Registered on import, so it runs after the hooks of the test file itself.
afterAll(() => {
	killAll();
	for (const folder of made) remove(folder);
});

/** A folder that is gone when the test file ends. */
export function temporaryFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), "tidemark-"));
	made.add(folder);
	return folder;
}

function remove(folder: string): void {
	// Children of a killed server may still write for a moment.
	rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	made.delete(folder);
}

/** @throws Error with the output when the program ends, or does not get ready in time */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
	const dataDir = options.dataDir ?? temporaryFolder();
	// A folder that is given, also an empty one, is for the program alone to fill.
	if (options.dataDir === undefined && !options.env?.CLICKHOUSE_URL) {
		fillFrom(DEFAULT_RETENTION, join(dataDir, "clickhouse"));
	}
	const adminKey = options.env?.TIDEMARK_ADMIN_KEY ?? ADMIN_KEY;
	const child = spawn(process.execPath, [MAIN, ...(options.args ?? ["start"])], {
		// A folder without `.env`: the program reads one where it is started.
		cwd: dataDir,
		env: {
			...inherited(),
			...{ PORT: "0", TIDEMARK_DATA: dataDir, TIDEMARK_ADMIN_KEY: adminKey },
			...options.env,
		},
		stdio: ["ignore", "pipe", "pipe"],
	});
	running.add(child);
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8").on("data", (text: string) => {
			output += text;
		});
	}
	const exited = new Promise<Exit>((resolve) => {
		child.once("close", (code, signal) => {
			running.delete(child);
			resolve({ code, signal });
		});
	});
	options.killedBy?.addEventListener("abort", () => child.kill("SIGKILL"));
	const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
	const url = await until(() => /is ready at (\S+)/.exec(output)?.[1] ?? (hasEnded() ? "" : undefined), {
		deadline_ms: START_DEADLINE_MS,
		what: "the server to get ready",
	}).catch(() => "");
	if (url === "") {
		child.kill("SIGKILL");
		await exited;
		if (!options.dataDir) remove(dataDir);
		throw new Error(`the server did not get ready:\n${output}`);
	}
	let clickhouse: ClickHouse | undefined;
	const end = async (signal: NodeJS.Signals) => {
		await clickhouse?.close();
		clickhouse = undefined;
		child.kill(signal);
		const late = AbortSignal.timeout(STOP_DEADLINE_MS);
		late.addEventListener("abort", () => child.kill("SIGKILL"));
		return exited;
	};
	return {
		...{ url, adminKey, dataDir, pid: child.pid!, output: () => output },
		request(path, { method, body, headers } = {}) {
			const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
			return fetch(url + path, {
				method: method ?? (body === undefined ? "GET" : "POST"),
				headers: {
					Authorization: `Bearer ${adminKey}`,
					...(sent === body ? {} : { "Content-Type": "application/json" }),
					...headers,
				},
				...(sent === undefined ? {} : { body: sent }),
			});
		},
		async query<Row>(sql: string, params: Record<string, unknown> = {}) {
			clickhouse ??= connectClickHouse(JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8")));
			return rowsOf<Row>(clickhouse, sql, params);
		},
		async stop() {
			const exit = await end("SIGTERM");
			if (!options.dataDir) remove(dataDir);
			return exit;
		},
		kill: end,
	};
}

export interface Ended extends Exit {
	readonly stdout: string;
	readonly stderr: string;
}

/**
 * Runs the program until it ends by itself, as a start that cannot succeed does.
 * @param shell runs it as `"$@"`, after what it does first; unset, it is run directly
 */
export async function runToEnd(env: Readonly<Record<string, string>>, shell?: string): Promise<Ended> {
	const folder = temporaryFolder();
	const command = [process.execPath, MAIN, "start"];
	const [file, ...args] = shell === undefined ? command : ["sh", "-c", shell, "sh", ...command];
	const child = spawn(file!, args, {
		cwd: folder,
		env: { ...inherited(), PORT: "0", TIDEMARK_DATA: folder, TIDEMARK_ADMIN_KEY: ADMIN_KEY, ...env },
		stdio: ["ignore", "pipe", "pipe"],
	});
	running.add(child);
	const late = setTimeout(() => child.kill("SIGKILL"), START_DEADLINE_MS);
	const printed = { stdout: "", stderr: "" };
	for (const name of ["stdout", "stderr"] as const) {
		child[name].setEncoding("utf8").on("data", (text: string) => {
			printed[name] += text;
		});
	}
	return await new Promise((resolve) => {
		child.once("close", (code, signal) => {
			clearTimeout(late);
			running.delete(child);
			resolve({ ...printed, code, signal });
		});
	});
}

/** Rows of a SELECT. Integers of 64 bits are numbers here. */
export async function rowsOf<Row>(
	clickhouse: ClickHouse,
	sql: string,
	params: Record<string, unknown> = {},
): Promise<Row[]> {
	const result = await clickhouse.query({
		query: sql,
		query_params: params,
		format: "JSONEachRow",
		clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
	});
	return result.json<Row>();
}

/**
 * Asks again until the answer is neither undefined nor false.
 * @throws Error naming `what` and the last failure when the deadline passes
 */
export async function until<T>(
	ask: () => T | Promise<T>,
	{ deadline_ms = 20_000, interval_ms = 50, what = "a condition" } = {},
): Promise<Exclude<T, undefined | false>> {
	const deadline = performance.now() + deadline_ms;
	let cause: unknown;
	do {
		try {
			const answer = await ask();
			if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
			cause = undefined;
		} catch (error) {
			cause = error;
		}
		await sleep(interval_ms);
	} while (performance.now() < deadline);
	throw new Error(`waited ${deadline_ms} ms for ${what}`, { cause });
}

/** The environment without the settings of the program. */
function inherited(): NodeJS.ProcessEnv {
	const own = /^(TIDEMARK_|CLICKHOUSE_|REDIS_|PORT$|HOST$|NODE_OPTIONS$|VITEST)/;
	return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}
