// redis-server as a child process: what `tidemark start` uses when REDIS_URL is unset.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, realpath, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { endOrphan } from "./redis-orphan.ts";

const START_TRIES = 3;
const STOP_DEADLINE_MS = 5000;
const STEADY_AFTER_MS = 30_000;

export interface RedisOptions {
	/** The data folder; Redis lives in `redis` below it. */
	dataDir: string;
	logger: Logger;
	/** Default: `redis-server` on the PATH. */
	redisServerPath?: string;
}

export interface EmbeddedRedis {
	/** With the password in it; stays the same when the process is restarted. */
	readonly url: string;
	/** Of the running process, or of the last one between a crash and the restart. */
	readonly pid: number;
	/** Ends the process after it has written everything out. */
	stop(): Promise<void>;
}

/** redis-server did not start; the message says what it printed or what to install. */
export class RedisStartError extends Error {
	override name = "RedisStartError";
}

/**
 * Starts redis-server on a free loopback port, with a random password, an append-only file and `noeviction`, and keeps
 * it running until `stop()`. It ends with this process, however this process ends.
 *
 * @throws RedisStartError when it cannot be started, RedisInUseError when a running process uses the folder
 */
export async function startRedis(options: RedisOptions): Promise<EmbeddedRedis> {
	const { logger, redisServerPath = "redis-server" } = options;
	const folder = join(options.dataDir, "redis");
	await mkdir(folder, { recursive: true, mode: 0o700 });
	const dir = await realpath(folder);
	const ownerFile = join(dir, "owner.json");
	await endOrphan(ownerFile, dir, logger);

	const password = randomBytes(24).toString("hex");
	let port = await freePort();
	let redis = await launchFirst();
	const stopping = new AbortController();
	const restarts = keepRunning();

	return {
		url: `redis://:${password}@127.0.0.1:${port}`,
		get pid() {
			return redis.pid;
		},
		async stop() {
			stopping.abort();
			await redis.stop();
			await restarts;
			await rm(ownerFile, { force: true });
		},
	};

	async function launchFirst(): Promise<Running> {
		for (let attempt = 1; ; attempt++) {
			try {
				return await start();
			} catch (error) {
				if (!(error instanceof RedisStartError) || attempt === START_TRIES) throw error;
				if (/Address already in use/.test(error.message)) port = await freePort();
				else if (/Bad file format|manifest file/i.test(error.message)) await setAside(dir, logger);
				else throw error;
			}
		}
	}

	async function start(): Promise<Running> {
		const running = await launch(redisServerPath, configuration({ dir, port, password }), logger);
		await writeFile(ownerFile, JSON.stringify({ redis_pid: running.pid, owner_pid: process.pid }));
		return running;
	}

	async function keepRunning(): Promise<void> {
		for (let failures = 0; ; failures++) {
			const since = performance.now();
			const how = await redis.exited;
			if (stopping.signal.aborted) return;
			if (performance.now() - since > STEADY_AFTER_MS) failures = 0;
			logger.error({ how, pid: redis.pid }, "redis-server ended, restarting it");
			while (!stopping.signal.aborted) {
				// An aborted wait rejects; the loop's own condition then ends it.
				await sleep(restartDelayMs(failures), undefined, { signal: stopping.signal }).catch(() => {});
				try {
					if (!stopping.signal.aborted) redis = await start();
					break;
				} catch (error) {
					failures++;
					logger.error({ err: error }, "redis-server did not come back, trying again");
				}
			}
			// `stop()` may have run while the new process was starting, and then it stopped the old one.
			if (stopping.signal.aborted) await redis.stop();
		}
	}
}

/** Wait before the next try: 100 ms, doubling to 10 s. */
export function restartDelayMs(failures: number): number {
	return Math.min(10_000, 100 * 2 ** Math.min(failures, 10));
}

/** The text that redis-server reads on its standard input; the password must not be an argument, `ps` shows those. */
export function configuration(with_: { dir: string; port: number; password: string }): string {
	return [
		"bind 127.0.0.1",
		`port ${with_.port}`,
		`requirepass ${with_.password}`,
		`dir ${JSON.stringify(with_.dir)}`,
		"daemonize no",
		"appendonly yes",
		"appendfsync everysec",
		'save ""',
		"maxmemory-policy noeviction",
		"",
	].join("\n");
}

interface Running {
	pid: number;
	/** Resolves with the exit code or the signal. */
	exited: Promise<string>;
	stop(): Promise<void>;
}

/** Resolves when the server accepts connections; its append-only file is loaded then. */
async function launch(path: string, config: string, logger: Logger): Promise<Running> {
	// A process group of its own: Ctrl-C must reach us alone, the workers still need Redis while they drain.
	const child = spawn(path, ["-"], { stdio: ["pipe", "pipe", "pipe"], detached: true });
	const exited = new Promise<string>((resolve) =>
		child.once("exit", (code, signal) => resolve(signal ?? `code ${code}`)),
	);
	const printed: string[] = [];
	const failed = new Promise<never>((_, reject) => {
		child.once("error", (cause: NodeJS.ErrnoException) => {
			const why = cause.code === "ENOENT" ? `${path} not found: install redis-server or set REDIS_URL` : cause.message;
			reject(new RedisStartError(why, { cause }));
		});
		// `close`, not `exit`: the reason is in the last lines.
		child.once("close", () => reject(new RedisStartError(`redis-server did not start: ${reason(printed)}`)));
	});
	const ready = new Promise<void>((resolve) => {
		for (const stream of [child.stdout, child.stderr]) {
			createInterface({ input: stream }).on("line", (line) => {
				logger.debug({ pid: child.pid }, `redis-server: ${line}`);
				if (printed.push(line) > 50) printed.shift();
				if (line.includes("Ready to accept connections")) resolve();
			});
		}
	});
	// A server that dies at once breaks the pipe; `close` tells why.
	child.stdin.on("error", () => {});
	child.stdin.end(config);
	await Promise.race([ready, failed]);
	const watcher = endWithThisProcess(child.pid!);
	void exited.then(() => watcher.kill("SIGKILL"));
	return { pid: child.pid!, exited, stop: () => end(child, exited) };
}

/**
 * Ends `pid` when this process is gone, also by SIGKILL: the shell waits on a pipe that only this process holds open.
 * Nothing that this process does at its exit could do that.
 */
function endWithThisProcess(pid: number): ChildProcess {
	const watcher = spawn("sh", ["-c", 'read -r _; kill "$1"', "tidemark-redis-watcher", String(pid)], {
		stdio: ["pipe", "ignore", "ignore"],
		detached: true,
	});
	watcher.stdin?.on("error", () => {});
	return watcher;
}

async function end(child: ChildProcess, exited: Promise<string>): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	child.kill("SIGTERM");
	const timer = setTimeout(() => child.kill("SIGKILL"), STOP_DEADLINE_MS);
	await exited;
	clearTimeout(timer);
}

/** The line in which redis-server says what is wrong: the last warning ("#"), or a FATAL CONFIG message. */
function reason(printed: string[]): string {
	const lines = printed.filter((line) => /#|FATAL|>>>|rror/.test(line) && !/WARNING/.test(line));
	return (lines.length > 0 ? lines : printed).slice(-4).join(" / ") || "it printed nothing";
}

/** All that Redis holds can be rebuilt, so a file that it cannot read must not keep Tidemark from starting. */
async function setAside(dir: string, logger: Logger): Promise<void> {
	const to = join(dir, `appendonlydir.unreadable-${Date.now()}`);
	await rename(join(dir, "appendonlydir"), to);
	logger.warn({ folder: to }, "redis-server could not read its append-only file; set aside, starting empty");
}

async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	server.close();
	await once(server, "close");
	if (address === null || typeof address === "string") throw new TypeError("a TCP server has an address");
	return address.port;
}
