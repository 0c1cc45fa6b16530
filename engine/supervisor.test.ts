/** The child process: it comes back with everything acknowledged, dies with its parent, and refuses clearly to start. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataFolderError, DataFolderInUseError, PortInUseError } from "./start-errors.ts";
import { startEngine } from "./supervisor.ts";
import { rawRequest, startTestEngine, type TestEngine, until } from "./testing.ts";

const logger = pino({ level: "silent" });

/** A zombie, which nobody has reaped yet, is dead. */
function alive(pid: number): boolean {
	try {
		return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
	} catch {
		return false;
	}
}

async function ask(engine: { url: string; password: string }, query: string): Promise<string> {
	const { status, body } = await rawRequest(engine, {}, { body: query });
	if (status !== 200) throw new Error(body.toString());
	return body.toString();
}

const answers = (engine: { url: string; password: string }) =>
	ask(engine, "SELECT 1").then(
		() => true,
		() => false,
	);

describe("a running engine", () => {
	let engine: TestEngine;
	const exits: unknown[] = [];

	beforeAll(async () => {
		engine = await startTestEngine({ onExit: (exit) => exits.push(exit) });
		await ask(engine, "CREATE TABLE t (x UInt64) ENGINE = MergeTree ORDER BY x SETTINGS fsync_after_insert = 1");
	});

	afterAll(async () => {
		await engine?.remove();
	});

	test("killed while it inserts, it is back within seconds at the same URL with every acknowledged row", async () => {
		const { url } = engine;
		for (let round = 0; round < 3; round++) {
			const first = engine.pid;
			let acknowledged = Number(await ask(engine, "SELECT count() FROM t"));
			let unanswered = 0;
			let stop = false;
			const writing = (async () => {
				while (!stop) {
					unanswered++;
					const done = await ask(engine, "INSERT INTO t SELECT number FROM numbers(1000)").then(
						() => true,
						() => false,
					);
					if (!done) return;
					acknowledged += 1000;
					unanswered--;
				}
			})();
			const before = acknowledged;
			await until(() => acknowledged > before + 5000);
			const killedAt = Date.now();
			engine.kill("SIGKILL");
			await until(async () => engine.pid !== first && (await answers(engine)), 10_000);
			expect(Date.now() - killedAt).toBeLessThan(5000);
			stop = true;
			await writing;
			const stored = Number(await ask(engine, "SELECT count() FROM t"));
			expect(stored).toBeGreaterThanOrEqual(acknowledged);
			expect(stored).toBeLessThanOrEqual(acknowledged + unanswered * 1000);
			expect([engine.url, engine.restarts]).toEqual([url, round + 1]);
		}
		expect(exits).toEqual(Array(3).fill({ code: null, signal: "SIGKILL" }));
	});

	test("a second start on its folder is refused", async () => {
		await expect(startEngine({ dataDir: engine.dataDir, password: "", logger })).rejects.toThrow(DataFolderInUseError);
		expect(await answers(engine)).toBe(true);
	});

	test("a port that is taken is refused", async () => {
		const dataDir = await mkdtemp(join(tmpdir(), "engine-"));
		const port = Number(new URL(engine.url).port);
		await expect(startEngine({ dataDir, port, password: "", logger })).rejects.toThrow(PortInUseError);
		await rm(dataDir, { recursive: true });
	});

	test("the password is neither in its arguments nor in its environment", async () => {
		for (const file of ["cmdline", "environ"]) {
			expect(await readFile(`/proc/${engine.pid}/${file}`, "latin1")).not.toContain("secret");
		}
	});

	test("it listens on loopback only", async () => {
		const port = Number(new URL(engine.url).port).toString(16).toUpperCase().padStart(4, "0");
		const lines = (await readFile("/proc/net/tcp", "utf8")).split("\n").filter((line) => line.includes(`:${port} `));
		const listening = lines.filter((line) => line.includes(" 0A ")).map((line) => line.trim().split(/\s+/)[1]);
		expect(listening).toEqual([`0100007F:${port}`]);
		expect(Number(new URL(engine.url).port)).toBeLessThan(32_768);
	});
});

test("stop lets a running query finish, and ends the child", async () => {
	const engine = await startTestEngine();
	const { pid } = engine;
	const running = ask(engine, "SELECT sleep(1)");
	await until(async () => (await ask(engine, "SELECT count() FROM system.processes")) === "2\n");
	await engine.stop();
	expect(await running).toBe("0\n");
	expect(alive(pid)).toBe(false);
	await engine.remove();
});

test("stop ends a query that has no end", async () => {
	const engine = await startTestEngine();
	const { pid } = engine;
	const running = ask(engine, "SELECT count() FROM system.numbers").catch(() => "cut off");
	await until(async () => (await ask(engine, "SELECT count() FROM system.processes")) === "2\n");
	await engine.remove();
	expect([await running, alive(pid)]).toEqual(["cut off", false]);
});

test("an engine whose parent is killed goes too, and the folder can be opened at once", async () => {
	const dataDir = await mkdtemp(join(tmpdir(), "engine-"));
	const script = `
		import { startEngine } from ${JSON.stringify(new URL("../dist/engine/supervisor.js", import.meta.url).href)};
		import { pino } from "pino";
		const engine = await startEngine({ dataDir: process.argv[1], password: "", logger: pino({ level: "silent" }) });
		console.log(engine.pid);`;
	const cwd = new URL("..", import.meta.url);
	const parent = spawn(process.execPath, ["--input-type=module", "-e", script, dataDir], { cwd });
	const [line] = (await once(createInterface({ input: parent.stdout }), "line")) as [string];
	parent.kill("SIGKILL");
	const engine = await startEngine({ dataDir, password: "", logger });
	expect(alive(Number(line))).toBe(false);
	expect(await ask(engine, "SELECT 1")).toBe("1\n");
	await engine.stop();
	await rm(dataDir, { recursive: true });
});

describe("a folder that cannot be used is refused at once", () => {
	test("a file in its place", async () => {
		const start = startEngine({ dataDir: "/dev/null", password: "", logger });
		await expect(start).rejects.toThrow(DataFolderError);
		await expect(start).rejects.toThrow(/cannot be written/);
	});

	test("no right to write, which is true of sysfs for root as well", async () => {
		await expect(startEngine({ dataDir: "/sys/tidemark", password: "", logger })).rejects.toThrow(DataFolderError);
	});

	test.each([
		["full", "size=16k"],
		["read-only", "ro"],
	])("a disk that is %s", async (_, option) => {
		const dataDir = await mkdtemp(join(tmpdir(), "engine-"));
		const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", option, "tmpfs", dataDir]).status === 0;
		try {
			// Only a test that may mount can have such a disk.
			if (mounted) await expect(startEngine({ dataDir, password: "", logger })).rejects.toThrow(DataFolderError);
		} finally {
			if (mounted) spawnSync("umount", [dataDir]);
			await rm(dataDir, { recursive: true });
		}
	});
});
