import { closeSync, copyFileSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_RETENTION } from "../../schema/retention.ts";
import { startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createIngest, type Ingest } from "../index.ts";
import type { Signal } from "../intake.ts";
import { ByteWriter } from "../native/bytes.ts";
import { FixedColumn, StringColumn, writeBlock } from "../native/columns.ts";
import { blockInserter } from "./insert.ts";

const NOW = Date.UTC(2026, 10, 15, 12);
const MINUTE = 60_000;
const TABLES = [
	"series",
	"points",
	"cumulative",
	"events",
	"event_ids",
	"logs",
	"errors",
	"issues",
	"profiles",
	"signals",
	"quarantine",
];
const DERIVED = ["1m", "5m", "15m", "1h", "1d"].flatMap((tier) => [`rollup_${tier}`, `sketch_${tier}`]);

let database: TestDatabase;
let folder: string;
let ingest: Ingest;

beforeAll(async () => {
	database = await startDatabase();
});
afterAll(() => database.stop());
beforeEach(async () => {
	folder = mkdtempSync(join(tmpdir(), "tidemark-loader-"));
	ingest = await open();
});
afterEach(async () => {
	await ingest.close(10_000);
	for (const table of [...TABLES, ...DERIVED]) await database.client.command({ query: `TRUNCATE TABLE ${table}` });
	rmSync(folder, { recursive: true });
});

function open(alone = true): Promise<Ingest> {
	return createIngest({
		alone,
		...{
			folder,
			clickhouse: database.client,
			logger: pino({ level: "silent" }),
			retention: DEFAULT_RETENTION,
		},
		...{ maxBodyBytes: 2 ** 24, maxRecords: 10_000, seriesPerProject: 1_000, journalBudgetBytes: 2 ** 30 },
		...{ clock: () => NOW, flush_ms: 20 },
	});
}

/** Sends records and waits until they can be queried. */
async function send(signal: Signal, records: readonly unknown[], project = "p") {
	const answer = await ingest.write(project, signal, records);
	await stored();
	return answer;
}

async function stored(): Promise<void> {
	const deadline = Date.now() + 20_000;
	while (ingest.status().journal > 0) {
		if (Date.now() > deadline) throw new Error(`not stored: ${JSON.stringify(ingest.status())}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	expect(ingest.status().imbalance).toBe(0);
}

async function rows<Row = Record<string, unknown>>(query: string): Promise<Row[]> {
	const result = await database.client.query({
		query,
		format: "JSONEachRow",
		clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
	});
	return await result.json<Row>();
}

const metric = (name: string, value: number, minute: number, rest: object = {}) => ({
	...{ name, value, timestamp: NOW + minute * MINUTE },
	...rest,
});

describe("the loader", () => {
	it("stores every signal as it was sent", async () => {
		const tags = { host: "ä", component: "api", ["__proto__"]: "x" };
		await send("metric", [{ name: "cpu", value: 0.1, timestamp: NOW, unit: "1", tags }]);
		const properties = { n: 1.5, text: "日本", yes: true, deep: { list: [1, "2"] } };
		await send("event", [
			{ event: "e", timestamp: NOW, user_id: "u", session_id: "s", account_id: "a", event_id: "i", properties },
		]);
		await send("event", [{ event: "bare", timestamp: NOW }]);
		await send("log", [
			{
				message: 'a "quoted"\n\0 line',
				level: "WARN",
				component: "api",
				timestamp: NOW,
				trace_id: "t",
				span_id: "x",
				context: { n: 1, deep: {} },
			},
		]);
		const failed = await send("error", [
			{ error_message: "boom", error_type: "E", context: { user_id: "u" }, timestamp: NOW },
		]);
		const spans = [{ name: "größe", parent: 'lo"ad', start_ns: 0, end_ns: 2 ** 40 }];
		await send("profile", [
			{ operation: 'lo"ad', wall_ns: 2 ** 40, cpu_ns: 0, spans, success: false, user_id: "u", timestamp: NOW },
			{ operation: "bare", wall_ns: 7, timestamp: NOW },
		]);
		expect(await rows("SELECT * EXCEPT (series_id) FROM series")).toEqual([
			{
				project: "p",
				name: "cpu",
				tags: { ["__proto__"]: "x", component: "api", host: "ä" },
				component: "api",
				kind: "gauge",
				unit: "1",
				first_seen: "2026-11-15T12:00:00.000Z",
			},
		]);
		expect(await rows("SELECT name, component, kind, ts, value FROM points")).toEqual([
			{ name: "cpu", component: "api", kind: "gauge", ts: "2026-11-15T12:00:00.000Z", value: 0.1 },
		]);
		expect(await rows("SELECT * EXCEPT (id, project, ts) FROM events ORDER BY event")).toEqual([
			{ event: "bare", event_id: "", user_id: "", account_id: "", session_id: "", strings: {}, numbers: {} },
			{
				event: "e",
				event_id: "i",
				user_id: "u",
				account_id: "a",
				session_id: "s",
				strings: { text: "日本", yes: "true", "deep.list": '[1,"2"]' },
				numbers: { n: 1.5 },
			},
		]);
		expect(await rows("SELECT * EXCEPT (id, project, ts, pattern_id) FROM logs")).toEqual([
			{
				level: "warning",
				component: "api",
				message: 'a "quoted"\n\0 line',
				context: '{"n":1,"deep":{}}',
				trace_id: "t",
				span_id: "x",
			},
		]);
		expect(await rows("SELECT lower(hex(issue_id)) AS issue, user_id FROM errors")).toEqual([
			{ issue: failed.issue_ids![0], user_id: "u" },
		]);
		const profile = { project: "p", ts: "2026-11-15T12:00:00.000Z", component: "", alloc_bytes: null, trace_id: "" };
		expect(await rows("SELECT * EXCEPT (id) FROM profiles ORDER BY operation")).toEqual([
			{
				...{ ...profile, operation: "bare", wall_ns: 7, cpu_ns: null, success: true, user_id: "" },
				...{ span_names: [], span_parents: [], span_starts_ns: [], span_ends_ns: [] },
			},
			{
				...{ ...profile, operation: 'lo"ad', wall_ns: 2 ** 40, cpu_ns: 0, success: false, user_id: "u" },
				...{ span_names: ["größe"], span_parents: ['lo"ad'], span_starts_ns: [0], span_ends_ns: [2 ** 40] },
			},
		]);
		expect(await rows("SELECT signal, name FROM signals ORDER BY signal, name")).toEqual([
			{ signal: "error", name: "E" },
			{ signal: "event", name: "bare" },
			{ signal: "event", name: "e" },
			{ signal: "log", name: "api" },
			{ signal: "metric", name: "cpu" },
			{ signal: "profile", name: "bare" },
			{ signal: "profile", name: 'lo"ad' },
		]);
	});

	it("quarantines a row that ClickHouse refuses, alone and with the reason, and stores its neighbours", async () => {
		await database.client.command({ query: "ALTER TABLE points ADD CONSTRAINT odd CHECK value != 13" });
		try {
			const values = Array.from({ length: 100 }, (_, i) => i);
			await send(
				"metric",
				values.map((value) => metric("m", value, 0)),
			);
			expect(await rows("SELECT count() AS n, sum(value) AS sum FROM points")).toEqual([{ n: 99, sum: 4_950 - 13 }]);
			expect(await rows("SELECT sum(n) AS n, sum(sum) AS sum FROM rollup_1d")).toEqual([{ n: 99, sum: 4_950 - 13 }]);
			const [row] = await rows<{ project: string; target: string; code: number; reason: string; record: string }>(
				"SELECT * FROM quarantine",
			);
			expect(row).toMatchObject({ project: "p", target: "points", code: 469, reason: expect.stringContaining("odd") });
			expect(JSON.parse(row!.record)).toMatchObject({ name: "m", value: 13 });
			expect(ingest.status()).toMatchObject({ accepted: 100, stored: 99, quarantined: 1, trouble: undefined });
		} finally {
			await database.client.command({ query: "ALTER TABLE points DROP CONSTRAINT odd" });
		}
	});

	it("takes no row out, and stores none twice, when it is a view that fails", async () => {
		const { client } = database;
		await client.command({ query: "CREATE TABLE odd (v Float64) ENGINE = Null" });
		await client.command({
			query: "CREATE MATERIALIZED VIEW odd_view TO odd AS SELECT toFloat64(if(value = 13, 'x', '1')) AS v FROM points",
		});
		try {
			await ingest.write("p", "metric", [metric("m", 12, 0), metric("m", 13, -1)]);
			const deadline = Date.now() + 10_000;
			while (!ingest.status().trouble && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
			expect(ingest.status().trouble).toMatchObject({
				failure: "stop",
				message: expect.stringContaining("a view of points fails"),
			});
		} finally {
			await client.command({ query: "DROP TABLE odd_view" });
			await client.command({ query: "DROP TABLE odd" });
		}
		await stored();
		expect(await rows("SELECT count() AS n, sum(value) AS sum FROM points")).toEqual([{ n: 2, sum: 25 }]);
		expect(await rows("SELECT sum(n) AS n, sum(sum) AS sum FROM rollup_1h")).toEqual([{ n: 2, sum: 25 }]);
		expect(ingest.status()).toMatchObject({ stored: 2, quarantined: 0, trouble: undefined });
	}, 30_000);

	it("counts beside each sketch what was sent, and what of it were failed requests, by every tag that says so", async () => {
		const kinds: [name: string, tags: object, isFailure: boolean][] = [
			["http.server.request.duration", { "http.response.status_code": "200" }, false],
			["http.server.request.duration", { "http.response.status_code": "503" }, true],
			["http.server.request.duration", { "http.response.status_code": "404" }, false],
			["http.server.request.duration", { "error.type": "timeout" }, true],
			["response_time", { status: "500" }, true],
			["response_time", { status: "499" }, false],
			["response_time", {}, false],
		];
		const sent = [0, 1, 2, 130].flatMap((minute, k) =>
			kinds.flatMap(([name, tags], i) =>
				Array.from({ length: i + 1 }, () => metric(name, 2 ** i + k, -minute, { tags, kind: "distribution" })),
			),
		);
		await send("metric", sent.slice(0, 50));
		await send("metric", sent.slice(50));
		const expected = [...new Set(kinds.map(([name]) => name))].map((name) => {
			const counted = kinds.map(([of, , isFailure], i) => ({ n: of === name ? 4 * (i + 1) : 0, isFailure }));
			const total = (numbers: typeof counted) => numbers.reduce((sum, { n }) => sum + n, 0);
			const values = sent.filter((one) => one.name === name).map(({ value }) => value);
			return {
				...{ name, size: total(counted), bad: total(counted.filter(({ isFailure }) => isFailure)) },
				...{ total: values.reduce((sum, value) => sum + value, 0), top: Math.max(...values) },
			};
		});
		const tables = ["1m", "5m", "15m", "1h", "1d", "total_1h", "total_1d"].map((tier) => `sketch_${tier}`);
		for (const table of tables) {
			const found = await rows(
				`SELECT name, sum(n) AS size, sum(failed) AS bad, sum(s.sum) AS total, max(max) AS top FROM ${table} AS s GROUP BY name ORDER BY name`,
			);
			expect(found, table).toEqual(expected);
		}
	});

	it("stores numbers of any size", async () => {
		const values = [Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE, -0, 2 ** 53 + 2, 1e-300];
		await send(
			"metric",
			values.flatMap((value, i) => ["gauge", "distribution"].map((kind) => metric(kind, value, -i, { kind }))),
		);
		const stored = await rows<{ values: number[] }>(
			"SELECT groupArray(value) AS values FROM points WHERE kind = 'distribution'",
		);
		expect(stored[0]!.values.sort((a, b) => a - b)).toEqual([...values].sort((a, b) => a - b));
		expect(ingest.status()).toMatchObject({ stored: 12, quarantined: 0, trouble: undefined });
	});

	it.each([true, false])(
		"counts an event_id once: in a batch, over batches, and after a restart; in each project (alone: %s)",
		async (alone) => {
			await ingest.close(10_000);
			ingest = await open(alone);
			const events = (...ids: string[]) => ids.map((event_id) => ({ event: "e", event_id, timestamp: NOW }));
			await send("event", [...events("a", "a", "b"), { event: "e", timestamp: NOW }, { event: "e", timestamp: NOW }]);
			await send("event", events("b", "c"));
			await send("event", events("a"), "q");
			await ingest.close(10_000);
			ingest = await open(alone);
			await send("event", events("a", "c", "d"));
			expect(await rows("SELECT project, event_id, count() AS n FROM events GROUP BY ALL ORDER BY ALL")).toEqual([
				{ project: "p", event_id: "", n: 2 },
				{ project: "p", event_id: "a", n: 1 },
				{ project: "p", event_id: "b", n: 1 },
				{ project: "p", event_id: "c", n: 1 },
				{ project: "p", event_id: "d", n: 1 },
				{ project: "q", event_id: "a", n: 1 },
			]);
			expect(ingest.status().duplicates).toBe(2);
		},
	);

	it("counts an event_id once that waits in the journal of an earlier process", async () => {
		const event = { event: "e", event_id: "a", timestamp: NOW };
		await ingest.write("p", "event", [event]);
		const file = readdirSync(folder).find((name) => name.endsWith(".seg"))!;
		copyFileSync(join(folder, file), join(folder, "copy"));
		await ingest.close(10_000);
		await database.client.command({ query: "TRUNCATE TABLE events" });
		await database.client.command({ query: "TRUNCATE TABLE event_ids" });
		rmSync(join(folder, file), { force: true });
		copyFileSync(join(folder, "copy"), join(folder, "000000000007.seg"));
		// Another segment id: the tables were emptied, but they still know the token of the first.
		const handle = openSync(join(folder, "000000000007.seg"), "r+");
		writeSync(handle, Buffer.alloc(16, 7), 0, 16, 16);
		closeSync(handle);
		ingest = await open();
		await send("event", [event, { ...event, event_id: "b" }]);
		expect(await rows("SELECT event_id, count() AS n FROM events GROUP BY ALL ORDER BY ALL")).toEqual([
			{ event_id: "a", n: 1 },
			{ event_id: "b", n: 1 },
		]);
	});

	it("looks up tens of thousands of event_ids, of any length and with any characters", async () => {
		const ids = (n: number) => Array.from({ length: n }, (_, i) => `'\\,\t日本 ${"x".repeat(i % 60)} ${i}`);
		const events = (n: number) => ids(n).map((event_id) => ({ event: "e", event_id, timestamp: NOW }));
		const all = events(30_000);
		for (let from = 0; from < all.length; from += 10_000)
			void ingest.write("p", "event", all.slice(from, from + 10_000));
		await send("event", events(3));
		await send("event", events(9_000));
		expect(await rows("SELECT count() AS n, uniqExact(event_id) AS ids FROM events")).toEqual([
			{ n: 30_000, ids: 30_000 },
		]);
		expect(ingest.status()).toMatchObject({ duplicates: 9_003 });
	});

	it("tells which errors are the first of their issue, over a restart too, and says so of no other project's", async () => {
		const report = async (type: string, project = "p", message = "x") => {
			const record = { error_message: message, error_type: type, timestamp: NOW };
			const { issue_ids, errors } = await ingest.write(project, "error", [record, record]);
			expect(errors!.map(({ issue_id }) => issue_id)).toEqual(issue_ids);
			return errors!;
		};
		const isNew = async (type: string, project?: string) => (await report(type, project)).map(({ is_new }) => is_new);
		// What was stored before is looked up while the first records come in: until then nobody knows.
		const lookedUp = async () => {
			for (let i = 0; (await isNew(`probe ${i} of ${Date.now()}`))[0] !== true; i++) {
				if (i === 1_000) throw new Error("still not known");
				await new Promise((resolve) => setTimeout(resolve, 5));
			}
		};
		await lookedUp();
		expect(await isNew("A")).toEqual([true, false]);
		expect(await isNew("A")).toEqual([false, false]);
		expect(await isNew("A", "other")).toEqual([true, false]);
		await stored();
		await ingest.close(10_000);
		ingest = await open();
		await lookedUp();
		expect(await isNew("A")).toEqual([false, false]);
		const last = await report("B", "p", "of this id");
		await stored();
		expect(await rows("SELECT toString(id) AS id FROM errors WHERE message = 'of this id' ORDER BY id")).toEqual(
			last.map(({ error_id }) => ({ id: error_id })).sort((a, b) => (a.id < b.id ? -1 : 1)),
		);
		await ingest.close(10_000);
		ingest = await open(false);
		expect((await isNew("C"))[0]).toBeNull();
	});

	it("stores blocks of a journal that is older than a column", async () => {
		await ingest.close(10_000);
		const texts = (...values: string[]) => {
			const column = new StringColumn();
			for (const value of values) column.push(value);
			return column;
		};
		const number = (low: number) => {
			const column = new FixedColumn();
			column.uint64(0, low);
			return column;
		};
		const time = new FixedColumn();
		time.int64(NOW);
		const out = new ByteWriter(1_024);
		writeBlock(out, 1, [
			["project", "String", texts("p")],
			["ts", "DateTime64(3)", time],
			["id", "UInt64", number(1)],
			["issue_id", "UInt64", number(2)],
			["error_type", "String", texts("E")],
			["message", "String", texts("m")],
		]);
		await blockInserter(database.client)("errors", [Buffer.from(out.bytes.subarray(0, out.length))], "old");
		expect(await rows("SELECT issue_id, error_type, message, culprit FROM errors")).toEqual([
			{ issue_id: 2, error_type: "E", message: "m", culprit: "" },
		]);
		ingest = await open();
	});

	it("turns running totals into increases: in order, late, over a reset and over a restart", async () => {
		const total = (value: number, minute: number) => metric("c", value, minute, { kind: "cumulative" });
		await send("metric", [total(10, -50), total(15, -40)]);
		await send("metric", [total(4, -20)]);
		await send("metric", [total(12, -45), total(18, -30)]);
		await ingest.close(10_000);
		ingest = await open();
		await send("metric", [total(6, -10), total(3, -60)]);
		const perMinute = await rows(
			"SELECT dateDiff('minute', toDateTime('2026-11-15 12:00:00', 'UTC'), toStartOfMinute(ts)) AS minute, sum(value) AS sum FROM points GROUP BY minute ORDER BY minute",
		);
		// 3, 10, 12, 15, 18, reset to 4, 6
		expect(perMinute).toEqual([
			{ minute: -50, sum: 7 },
			{ minute: -45, sum: 2 },
			{ minute: -40, sum: 3 },
			{ minute: -30, sum: 3 },
			{ minute: -20, sum: 4 },
			{ minute: -10, sum: 2 },
		]);
		expect(await rows("SELECT sum(sum) AS sum FROM rollup_1d")).toEqual([{ sum: 21 }]);
	});

	it("changes no number when a segment is replayed", async () => {
		await ingest.write("p", "metric", [
			metric("m", 1, 0),
			metric("d", 2, -3, { kind: "distribution" }),
			metric("c", 5, -2, { kind: "cumulative" }),
			metric("c", 9, -1, { kind: "cumulative" }),
		]);
		await ingest.write("p", "event", [
			{ event: "e", event_id: "a", timestamp: NOW },
			{ event: "e", timestamp: NOW },
		]);
		await ingest.write("p", "log", [{ message: "x", timestamp: NOW }]);
		await ingest.write("p", "error", [{ error_message: "x", error_type: "E", timestamp: NOW }]);
		await ingest.write("p", "profile", [{ operation: "o", wall_ns: 1, timestamp: NOW }]);
		const file = readdirSync(folder).find((name) => name.endsWith(".seg"))!;
		copyFileSync(join(folder, file), join(folder, "copy"));
		await stored();
		const snapshot = () =>
			Promise.all(
				[...TABLES, ...DERIVED.filter((table) => table.startsWith("rollup"))].map((table) =>
					rows(
						`SELECT * EXCEPT (${table === "issues" ? "users" : table.startsWith("rollup") ? "last" : "project"})
							FROM ${table} ${table === "signals" ? "FINAL" : ""} ORDER BY ALL`,
					),
				),
			);
		const before = await snapshot();
		const sketches = () => rows("SELECT quantilesDDMerge(0.01, 0.5)(quantiles) AS q, count() AS n FROM sketch_1h");
		const sketch = await sketches();
		await ingest.close(10_000);
		copyFileSync(join(folder, "copy"), join(folder, file));
		ingest = await open();
		expect(ingest.status().recovered).toBeGreaterThan(0);
		await stored();
		expect(await snapshot()).toEqual(before);
		expect(await sketches()).toEqual(sketch);
	});
});
