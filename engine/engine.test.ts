import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClickHouseClient, createClient } from "@clickhouse/client";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Engine, startEngine } from "./supervisor.ts";

let dataDir: string;
let engine: Engine;
let client: ClickHouseClient;

beforeAll(async () => {
	dataDir = await mkdtemp(join(tmpdir(), "engine-"));
	engine = await startEngine({ dataDir, password: "secret", logger: pino({ level: "warn" }) });
	client = createClient({ url: engine.url, password: "secret" });
});

afterAll(async () => {
	await client?.close();
	await engine?.stop();
	await rm(dataDir, { recursive: true, force: true });
});

describe("the official client", () => {
	test("pings", async () => {
		expect(await client.ping()).toEqual({ success: true });
		expect(await client.ping({ select: true })).toEqual({ success: true });
	});

	test("selects JSON with parameters", async () => {
		const result = await client.query({
			query: "SELECT {n:UInt32} AS n, {s:String} AS s, {a:Array(String)} AS a",
			query_params: { n: 7, s: "tab\t'quote' \\ é", a: ["x", "y'z"] },
			format: "JSON",
		});
		const { data } = await result.json();
		expect(data).toEqual([{ n: 7, s: "tab\t'quote' \\ é", a: ["x", "y'z"] }]);
	});

	test("creates, inserts and reads back", async () => {
		await client.command({ query: "CREATE TABLE t (x UInt64, s String) ENGINE = MergeTree ORDER BY x" });
		await client.insert({
			table: "t",
			values: [
				{ x: 1, s: "a" },
				{ x: 2, s: "b" },
			],
			format: "JSONEachRow",
		});
		const rows = await (await client.query({ query: "SELECT * FROM t ORDER BY x", format: "JSONEachRow" })).json();
		expect(rows).toEqual([
			{ x: 1, s: "a" },
			{ x: 2, s: "b" },
		]);
	});

	test("gets errors with code and type", async () => {
		await expect(client.query({ query: "SELECT * FROM nope" })).rejects.toMatchObject({
			code: "60",
			type: "UNKNOWN_TABLE",
		});
	});
});
