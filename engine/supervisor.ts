/** Runs the engine as a child process and keeps it running. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import type { FromChild, ToChild } from "./messages.ts";
import { defaultLimits, type EngineSettings } from "./settings.ts";
import { DataFolderError, DataFolderInUseError, EngineStartError, PortInUseError } from "./start-errors.ts";

export interface EngineOptions {
	/** Created when missing. */
	dataDir: string;
	/** 0 or none picks a free one, which is then kept over restarts. */
	port?: number;
	password: string;
	logger: Logger;
	/** All of the engine, bytes. Half of the machine's memory by default. */
	maxMemoryBytes?: number;
	/** One query, bytes. Half of `maxMemoryBytes` by default. */
	maxQueryMemoryBytes?: number;
	maxConcurrentQueries?: number;
	/** The child has died unasked. */
	onExit?(exit: { code: number | null; signal: NodeJS.Signals | null }): void;
	/** A new child answers; `pid` is its. */
	onRestart?(restarts: number): void;
}

export interface Engine {
	/** `http://127.0.0.1:<port>`, the same over restarts. */
	readonly url: string;
	readonly user: "default";
	readonly password: string;
	/** Of the current child; the last one's while it is being restarted. */
	readonly pid: number;
	readonly restarts: number;
	/** Lets running queries finish for a few seconds, then ends the child. */
	stop(): Promise<void>;
	/** Sends the current child a signal; for tests of recovery. */
	kill(signal: NodeJS.Signals): void;
}

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const BACKOFF_MS = [100, 200, 500, 1000, 2000, 5000];
/** A child that lived so long starts the backoff anew. */
const STEADY_MS = 60_000;

function entryPath(): string {
	let folder = dirname(fileURLToPath(import.meta.url));
	while (!existsSync(join(folder, "package.json"))) {
		if (dirname(folder) === folder) throw new EngineStartError("package root not found");
		folder = dirname(folder);
	}
	return join(folder, "dist/engine/process.js");
}

interface Child {
	process: ChildProcess;
	port: number;
	exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts one child and waits until it listens. */
async function startChild(settings: EngineSettings, logger: Logger): Promise<Child> {
	const child = spawn(process.execPath, [entryPath()], {
		stdio: ["ignore", "pipe", "pipe", "ipc"],
		env: {
			...process.env,
			// One thread a running query, and some for files, compression and cancelling.
			UV_THREADPOOL_SIZE: String(settings.maxConcurrentQueries + 8),
			TZ: "UTC",
		},
	});
	const lastLines: string[] = [];
	let started = false;
	createInterface({ input: child.stdout! }).on("line", (line) => passOn(line, logger));
	createInterface({ input: child.stderr! }).on("line", (line) => {
		lastLines.push(line);
		if (lastLines.length > 20) lastLines.shift();
		// While starting, the engine complains at each try for the folder; what counts is in the error then.
		logger[started ? "warn" : "debug"]({ component: "engine" }, line);
	});
	const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
		child.once("exit", (code, signal) => resolve({ code, signal }));
	});
	const timeout = new AbortController();
	try {
		const port = await new Promise<number>((resolve, reject) => {
			child.once("error", (error) => reject(new EngineStartError("the engine process did not start", error)));
			void exited.then(({ code, signal }) => {
				reject(new EngineStartError(`the engine ended at once (${signal ?? code}): ${lastLines.at(-1) ?? ""}`));
			});
			child.on("message", (message: FromChild) => {
				if (message.type === "listening") resolve(message.port);
				else reject(startError(message, settings, lastLines));
			});
			sleep(START_TIMEOUT_MS, undefined, { signal: timeout.signal }).then(
				() => reject(new EngineStartError(`the engine did not answer within ${START_TIMEOUT_MS} ms`)),
				() => undefined,
			);
			const message: ToChild = { type: "start", settings };
			child.send(message);
		});
		started = true;
		return { process: child, port, exited };
	} catch (error) {
		child.kill("SIGKILL");
		throw error;
	} finally {
		timeout.abort();
	}
}

/** The child logs lines of JSON, each with its level. */
function passOn(line: string, logger: Logger): void {
	try {
		const { level, msg, time: _time, ...rest } = JSON.parse(line) as { level: number; msg: string; time: number };
		if (level >= 50) logger.error(rest, msg);
		else logger.info(rest, msg);
	} catch {
		logger.info({ component: "engine" }, line);
	}
}

function startError(
	failed: Extract<FromChild, { type: "failed" }>,
	settings: EngineSettings,
	lines: readonly string[],
) {
	if (failed.code === "EADDRINUSE") return new PortInUseError(settings.port);
	const said = lines.join("\n");
	if (/Another server instance|Cannot lock file/.test(said)) return new DataFolderInUseError(settings.dataDir);
	if (failed.code !== undefined && /^E[A-Z]+$/.test(failed.code)) {
		return new DataFolderError(settings.dataDir, failed.message);
	}
	return new EngineStartError(`${failed.message}: ${lines.at(-1) ?? ""}`);
}

/**
 * Starts the engine and keeps it running: a child that dies is started again, with backoff, on the same port.
 *
 * @throws DataFolderInUseError when another process has the folder open.
 * @throws DataFolderError when the folder cannot be written, or its disk is full.
 * @throws PortInUseError when `port` is taken.
 * @throws EngineStartError for anything else that keeps the first child from answering.
 */
export async function startEngine(options: EngineOptions): Promise<Engine> {
	const { password, logger } = options;
	const dataDir = resolve(options.dataDir);
	const limits = defaultLimits(totalmem());
	const maxMemoryBytes = options.maxMemoryBytes ?? limits.maxMemoryBytes;
	const settings: EngineSettings = {
		dataDir,
		port: options.port ?? 0,
		password,
		maxMemoryBytes,
		maxQueryMemoryBytes: options.maxQueryMemoryBytes ?? Math.floor(maxMemoryBytes / 2),
		maxConcurrentQueries: options.maxConcurrentQueries ?? 48,
	};
	let child = await startChild(settings, logger);
	const port = child.port;
	const stopping = new AbortController();
	let restarts = 0;

	async function restart(): Promise<Child | undefined> {
		for (let attempt = 0; !stopping.signal.aborted; attempt++) {
			try {
				const started = await startChild({ ...settings, port }, logger);
				return started;
			} catch (error) {
				logger.error({ err: error }, "engine restart failed");
			}
			const wait = BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)];
			await sleep(wait, undefined, { signal: stopping.signal }).catch(() => undefined);
		}
		return undefined;
	}

	async function supervise(): Promise<void> {
		let quickDeaths = 0;
		while (!stopping.signal.aborted) {
			const began = Date.now();
			const exit = await child.exited;
			if (stopping.signal.aborted) return;
			logger.error({ ...exit, restarts }, "engine died, restarting");
			options.onExit?.(exit);
			quickDeaths = Date.now() - began < STEADY_MS ? quickDeaths + 1 : 0;
			const wait = quickDeaths <= 1 ? 0 : BACKOFF_MS[Math.min(quickDeaths - 2, BACKOFF_MS.length - 1)]!;
			await sleep(wait, undefined, { signal: stopping.signal }).catch(() => undefined);
			const next = await restart();
			if (next === undefined) return;
			child = next;
			restarts++;
			options.onRestart?.(restarts);
		}
	}

	const supervised = supervise();
	return {
		url: `http://127.0.0.1:${port}`,
		user: "default",
		password,
		get pid() {
			return child.process.pid!;
		},
		get restarts() {
			return restarts;
		},
		async stop() {
			stopping.abort();
			const message: ToChild = { type: "stop" };
			if (child.process.connected) child.process.send(message);
			const last = child.process;
			const timer = setTimeout(() => last.kill("SIGKILL"), STOP_TIMEOUT_MS);
			await child.exited;
			clearTimeout(timer);
			await supervised;
			child.process.kill("SIGKILL");
		},
		kill(signal) {
			child.process.kill(signal);
		},
	};
}
