import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type EmbeddedRedis, RedisStartError, restartDelayMs, startRedis } from "./redis.ts";
import { judge, RedisInUseError } from "./redis-orphan.ts";
import { watchEviction } from "./redis-policy.ts";

const logger = pino({ level: "silent" });
let dataDir: string;
let cleanUp: (() => unknown)[];

beforeEach(() => {
	dataDir = mkdtempSync(join(tmpdir(), "tidemark-redis-"));
	cleanUp = [];
});

afterEach(async () => {
	for (const step of cleanUp.reverse()) await step();
	rmSync(dataDir, { recursive: true, force: true });
});

async function start(): Promise<EmbeddedRedis> {
	const redis = await startRedis({ dataDir, logger });
	cleanUp.push(() => redis.stop());
	return redis;
}

function connect(url: string): Redis {
	const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
	client.on("error", () => {});
	cleanUp.push(() => client.disconnect());
	return client;
}

function runs(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
	} catch {
		return false;
	}
}

async function until(condition: () => boolean, what: string): Promise<void> {
	const deadline = performance.now() + 10_000;
	while (!condition()) {
		if (performance.now() > deadline) throw new Error(`not within 10 s: ${what}`);
		await sleep(10);
	}
}

/** A process of its own that runs startRedis and prints `{pid, url}`. */
async function startInChild(): Promise<{ parent: ChildProcess; pid: number; url: string }> {
	const module = fileURLToPath(new URL("../dist/workers/redis.js", import.meta.url));
	const script = `
		import { startRedis } from ${JSON.stringify(module)};
		import { pino } from "pino";
		const { pid, url } = await startRedis({ dataDir: process.argv[1], logger: pino({ level: "silent" }) });
		console.log(JSON.stringify({ pid, url }));`;
	const parent = spawn(process.execPath, ["--input-type=module", "-e", script, dataDir], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	cleanUp.push(() => parent.kill("SIGKILL"));
	const [line] = await once(createInterface({ input: parent.stdout! }), "line");
	return { parent, ...JSON.parse(line) };
}

function watcherOf(pid: number): number {
	const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
	const found = pids.find((name) => {
		try {
			return readFileSync(`/proc/${name}/cmdline`, "utf8").endsWith(`tidemark-redis-watcher\0${pid}\0`);
		} catch {
			return false;
		}
	});
	if (!found) throw new Error("no watcher");
	return Number(found);
}

test("it keeps an append-only file, evicts nothing, and lets nobody in without the password", async () => {
	const { url, pid } = await start();
	const client = connect(url);
	expect(await client.ping()).toBe("PONG");
	expect(await client.config("GET", "appendonly")).toEqual(["appendonly", "yes"]);
	expect(await client.config("GET", "maxmemory-policy")).toEqual(["maxmemory-policy", "noeviction"]);
	const { password, port } = new URL(url);
	expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(password);
	const stranger = connect(`redis://127.0.0.1:${port}`);
	await expect(stranger.get("x")).rejects.toThrow(/NOAUTH/);
});

test("a Redis that may evict is told of, at the start and when it becomes one; one that does not say is no failure", async () => {
	const { url } = await start();
	const lines: { level: number; policy?: string; msg: string }[] = [];
	const told = pino({ base: null }, { write: (line) => void lines.push(JSON.parse(line)) });
	const client = connect(url);
	await client.ping();
	watchEviction(client, told);
	const reconnect = async () => {
		client.disconnect(true);
		await once(client, "ready");
		// Answered in order: what is asked at the connection has its answer by now.
		await client.ping();
		await sleep(0);
	};
	await reconnect();
	expect(lines).toEqual([]);
	await client.config("SET", "maxmemory-policy", "allkeys-lru");
	await reconnect();
	await reconnect();
	expect(lines).toMatchObject([{ level: 50, policy: "allkeys-lru", msg: expect.stringContaining("noeviction") }]);
	const stranger = connect(url);
	watchEviction(stranger, told);
	await until(() => lines.length === 2, "the line of a new connection");
	expect(lines[1]).toMatchObject({ level: 50, policy: "allkeys-lru" });
	stranger.disconnect();
	await client.config("SET", "maxmemory-policy", "noeviction");
	await reconnect();
	expect(lines[2]).toMatchObject({ level: 30, policy: "noeviction" });
	// As managed servers do it.
	await client.call("ACL", "SETUSER", "default", "-info");
	const forbidden = new Redis(url, { enableReadyCheck: false });
	cleanUp.push(() => forbidden.disconnect());
	watchEviction(forbidden, told);
	await until(() => lines.length === 4, "the line of the one that may not ask");
	expect(lines[3]).toMatchObject({ level: 40 });
	expect(await forbidden.ping()).toBe("PONG");
});

test("killed, it is back at the same address with its data", async () => {
	const redis = await start();
	const client = connect(redis.url);
	await client.set("a", "1");
	const before = redis.pid;
	process.kill(before, "SIGKILL");
	await until(() => redis.pid !== before, "a new process");
	expect(await client.get("a")).toBe("1");
});

test("stopped, the process is gone, and the next start has the data", async () => {
	const first = await startRedis({ dataDir, logger });
	await connect(first.url).set("a", "1");
	await first.stop();
	expect(runs(first.pid)).toBe(false);
	const second = await start();
	expect(await connect(second.url).get("a")).toBe("1");
});

test("it ends when its parent is killed", async () => {
	const { parent, pid } = await startInChild();
	expect(runs(pid)).toBe(true);
	parent.kill("SIGKILL");
	await until(() => !runs(pid), "the end of redis-server");
});

test("one that outlived its parent is ended, and its data taken over", async () => {
	const { parent, pid, url } = await startInChild();
	cleanUp.push(() => runs(pid) && process.kill(pid, "SIGKILL"));
	await connect(url).set("a", "1");
	process.kill(watcherOf(pid), "SIGKILL");
	parent.kill("SIGKILL");
	await once(parent, "exit");
	expect(runs(pid)).toBe(true);
	const redis = await start();
	expect(runs(pid)).toBe(false);
	expect(await connect(redis.url).get("a")).toBe("1");
});

test("a folder in use is refused, and its server goes on", async () => {
	const first = await start();
	await expect(startRedis({ dataDir, logger })).rejects.toThrow(RedisInUseError);
	expect(await connect(first.url).ping()).toBe("PONG");
});

test("a process that only got the number of an old server is let be", async () => {
	const bystander = spawn("sleep", ["60"]);
	cleanUp.push(() => bystander.kill());
	await (await startRedis({ dataDir, logger })).stop();
	writeFileSync(join(dataDir, "redis/owner.json"), JSON.stringify({ redis_pid: bystander.pid, owner_pid: 1 }));
	await start();
	expect(runs(bystander.pid!)).toBe(true);
});

test("an append-only file that cannot be read is set aside", async () => {
	const first = await startRedis({ dataDir, logger });
	await connect(first.url).set("a", "1");
	await first.stop();
	const folder = join(dataDir, "redis/appendonlydir");
	const file = readdirSync(folder).find((name) => name.endsWith(".incr.aof"));
	writeFileSync(join(folder, file!), "this is not a Redis command\r\n".repeat(100));
	const second = await start();
	expect(await connect(second.url).get("a")).toBeNull();
	expect(readdirSync(join(dataDir, "redis")).some((name) => name.startsWith("appendonlydir.unreadable-"))).toBe(true);
});

test("without redis-server the error says what to do", async () => {
	const attempt = startRedis({ dataDir, logger, redisServerPath: "/nowhere/redis-server" });
	await expect(attempt).rejects.toThrow(/not found: install redis-server or set REDIS_URL/);
});

test("a server that refuses to start is an error with its own words", async () => {
	const script = join(dataDir, "refuses");
	writeFileSync(script, "#!/bin/sh\necho '*** FATAL CONFIG FILE ERROR ***'\nexit 1\n", { mode: 0o755 });
	const attempt = startRedis({ dataDir, logger, redisServerPath: script });
	await expect(attempt).rejects.toThrow(RedisStartError);
	await expect(attempt).rejects.toThrow(/FATAL CONFIG FILE/);
});

test("stop during a restart leaves nothing behind", async () => {
	const redis = await startRedis({ dataDir, logger });
	const first = redis.pid;
	process.kill(first, "SIGKILL");
	await until(() => !runs(first), "the end of the first");
	await redis.stop();
	expect(runs(redis.pid)).toBe(false);
	const socket = connectTcp(Number(new URL(redis.url).port), "127.0.0.1");
	await expect(once(socket, "connect")).rejects.toThrow(/ECONNREFUSED/);
	expect(existsSync(join(dataDir, "redis/owner.json"))).toBe(false);
});

const owner = { redis_pid: 10, owner_pid: 7 };
const server = { command: "redis-server 127.0.0.1:1", parentPid: 7, cwd: "/data/redis" };
test.each([
	["no such process", undefined, "gone"],
	["another program", { ...server, command: "vim redis.conf" }, "gone"],
	["a server in another folder", { ...server, cwd: "/var/lib/redis" }, "gone"],
	["a child of its owner", server, "owned"],
	["a child of init", { ...server, parentPid: 1 }, "orphan"],
	["a system that does not tell folders", { ...server, parentPid: 1, cwd: undefined }, "orphan"],
] as const)("judged by parent and folder: %s", (_, info, verdict) => {
	expect(judge(owner, info, "/data/redis")).toBe(verdict);
});

test("restarts slow down to one in 10 s", () => {
	expect([0, 1, 2, 6, 7, 100].map(restartDelayMs)).toEqual([100, 200, 400, 6400, 10_000, 10_000]);
});
