/** Answers without end, clients that leave or dawdle, and the limits that keep a small machine alive. */
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cpuMs, rawRequest, residentBytes, startTestEngine, type TestEngine, until } from "./testing.ts";

let engine: TestEngine;
const MiB = 1024 * 1024;

beforeAll(async () => {
	engine = await startTestEngine({ maxConcurrentQueries: 6 });
});

afterAll(async () => {
	await engine?.remove();
});

async function sql(query: string): Promise<string> {
	const { status, body } = await rawRequest(engine, {}, { body: query });
	if (status !== 200) throw new Error(body.toString());
	return body.toString();
}

/** Reads an endless answer, as fast as it comes or with `pause_ms` after each chunk; `leave` drops the connection. */
function readEndless(query: string, pause_ms = 0, search: Record<string, string> = {}) {
	let bytes = 0;
	const url = `${engine.url}/?${new URLSearchParams({ ...search, password: engine.password })}`;
	const outgoing = request(url, { method: "POST", agent: false }, async (answer) => {
		try {
			for await (const chunk of answer) {
				bytes += (chunk as Buffer).length;
				if (pause_ms > 0) await sleep(pause_ms);
			}
		} catch {
			// Cut off by leave().
		}
	});
	outgoing.on("error", () => undefined);
	outgoing.end(query);
	return { read: () => bytes, leave: () => outgoing.destroy() };
}

const others = async () => Number(await sql("SELECT count() - 1 FROM system.processes"));

/** The engine computes nothing any more: no query runs, and a while costs next to no CPU. */
async function expectIdle(within_ms: number): Promise<void> {
	await until(async () => (await others()) === 0, within_ms);
	const before = await cpuMs(engine.pid);
	await sleep(500);
	expect((await cpuMs(engine.pid)) - before).toBeLessThan(150);
}

describe("an endless answer", () => {
	test.each<[string, string, Record<string, string>]>([
		["rows", "SELECT * FROM system.numbers", {}],
		["rows of JSON", "SELECT number, toString(number) AS s FROM system.numbers FORMAT JSONEachRow", {}],
		["a JSON document", "SELECT * FROM system.numbers FORMAT JSON", {}],
		["compressed", "SELECT * FROM system.numbers FORMAT CSV", { enable_http_compression: "1" }],
	])("%s, read for a second and dropped, stops within a second; memory does not grow", async (_, query, search) => {
		const before = await residentBytes(engine.pid);
		const reader = readEndless(query, 0, search);
		await sleep(1000);
		expect(reader.read()).toBeGreaterThan(MiB);
		reader.leave();
		await expectIdle(1000);
		expect((await residentBytes(engine.pid)) - before).toBeLessThan(200 * MiB);
	});

	test("read slowly, waits for its reader instead of filling memory", async () => {
		const before = await residentBytes(engine.pid);
		const reader = readEndless("SELECT * FROM system.numbers", 50);
		await until(() => reader.read() > 0);
		await sleep(500);
		const cpuBefore = await cpuMs(engine.pid);
		await sleep(1000);
		expect((await cpuMs(engine.pid)) - cpuBefore).toBeLessThan(500);
		expect((await residentBytes(engine.pid)) - before).toBeLessThan(100 * MiB);
		reader.leave();
		await expectIdle(1000);
	});

	test("three of them dropped at once stop within a second", async () => {
		const readers = [1, 2, 3].map(() => readEndless("SELECT * FROM system.numbers"));
		await until(() => readers.every((reader) => reader.read() > MiB));
		for (const reader of readers) reader.leave();
		await expectIdle(1000);
	});

	test("without a row yet, it stops too", async () => {
		const reader = readEndless("SELECT count() FROM system.numbers");
		await until(async () => (await others()) === 1);
		reader.leave();
		await expectIdle(1000);
	});

	test("held back until complete, it stops too, and leaves no file", async () => {
		const reader = readEndless("SELECT count() FROM system.numbers", 0, { wait_end_of_query: "1" });
		await until(async () => (await others()) === 1);
		reader.leave();
		await expectIdle(1000);
	});
});

describe("limits", () => {
	test("more queries at once than allowed get code 202, and room comes back", async () => {
		const readers = Array.from({ length: 6 }, () => readEndless("SELECT * FROM system.numbers", 20));
		await until(() => readers.every((reader) => reader.read() > 0));
		const refused = await rawRequest(engine, {}, { body: "SELECT 1" });
		expect(refused.headers["x-clickhouse-exception-code"]).toBe("202");
		expect(refused.body.toString()).toContain("(TOO_MANY_SIMULTANEOUS_QUERIES)");
		expect((await rawRequest(engine, {}, { method: "GET", path: "/ping" })).status).toBe(200);
		for (const reader of readers) reader.leave();
		await until(async () => (await rawRequest(engine, {}, { body: "SELECT 1" })).status === 200, 2000);
		await expectIdle(1000);
	});

	test("queries over the memory limits fail with 241, the process stays and stays small", async () => {
		const small = await startTestEngine({ maxMemoryBytes: 1024 * MiB, maxQueryMemoryBytes: 512 * MiB });
		const { pid } = small;
		const body = "SELECT uniqExact(number) FROM numbers(10000000000)";
		const answers = await Promise.all([1, 2, 3].map(() => rawRequest(small, {}, { body })));
		expect(answers.map((answer) => answer.headers["x-clickhouse-exception-code"])).toEqual(["241", "241", "241"]);
		// The limit is on what the engine has allocated; its allocator, Node and the library itself come on top.
		expect(await residentBytes(pid)).toBeLessThan(1800 * MiB);
		expect((await rawRequest(small, {}, { body: "SELECT 1" })).body.toString()).toBe("1\n");
		expect(small.pid).toBe(pid);
		await small.remove();
	});
});
