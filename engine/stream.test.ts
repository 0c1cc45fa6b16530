/** Answers without end, clients that leave or dawdle, and the limits that keep a small machine alive. */
import { readdir } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
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
	// The question itself finds no room as long as all sessions are busy.
	const running = () =>
		others().catch((error: Error) => {
			if (/TOO_MANY_SIMULTANEOUS_QUERIES/.test(error.message)) return 1;
			throw error;
		});
	await until(async () => (await running()) === 0, within_ms);
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

test("clients that leave at any moment, and requests that are none, leave no trace", async () => {
	const { pid } = engine;
	const { hostname, port } = new URL(engine.url);
	const gzip = gzipSync("SELECT number FROM numbers(3000000)");
	const requests = [
		post("", "SELECT number, toString(number) FROM numbers(2000000)"),
		post("&enable_http_compression=1", "SELECT number FROM numbers(2000000) FORMAT JSON", "Accept-Encoding: gzip\r\n"),
		post(
			"&enable_http_compression=1",
			"SELECT throwIf(number = 1000000) FROM numbers(2000000)",
			"Accept-Encoding: br\r\n",
		),
		post(
			"&send_progress_in_http_headers=1&http_headers_progress_interval_ms=10",
			"SELECT sleepEachRow(0.01) FROM numbers(50)",
		),
		post("&wait_end_of_query=1", "SELECT number FROM numbers(2000000)"),
		post("", "INSERT INTO FUNCTION null('x UInt8') FORMAT CSV\n1\n2\n"),
		post("", gzip, "Content-Encoding: gzip\r\n"),
		post("", gzip.subarray(0, 20), "Content-Encoding: gzip\r\n"),
		post("", "not gzip at all", "Content-Encoding: gzip\r\n"),
		post("", "x", "Content-Type: multipart/form-data; boundary=y\r\n"),
		post("&database=%00&param_=1&=2", "SELECT 1"),
		post("", Buffer.from([0, 255, 1, 39, 34, 96, 36, 36])),
		Buffer.from("GET /?query=%ff%00SELECT HTTP/1.1\r\nHost: x\r\n\r\n"),
		Buffer.from("NONSENSE\r\n\r\n"),
	];
	let seed = 1;
	const random = (): number => {
		seed = (seed * 48271) % 2147483647;
		return seed / 2147483647;
	};
	for (let round = 0; round < 120; round++) {
		const socket = connect(Number(port), hostname).on("error", () => undefined);
		const bytes = requests[round % requests.length]!;
		socket.write(random() < 0.3 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes);
		socket.resume();
		await sleep(random() * 25);
		if (random() < 0.5) socket.resetAndDestroy();
		else socket.destroy();
	}
	await expectIdle(3000);
	expect([await sql("SELECT 1"), engine.pid, engine.restarts]).toEqual(["1\n", pid, 0]);
	expect((await readdir(`${engine.dataDir}/transit`)).filter((name) => name.startsWith("request"))).toEqual([]);
});

function post(search: string, body: Buffer | string, headers = ""): Buffer {
	const target = `/?password=secret${search}`;
	const head = `POST ${target} HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
	return Buffer.concat([Buffer.from(head), Buffer.from(body)]);
}

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
