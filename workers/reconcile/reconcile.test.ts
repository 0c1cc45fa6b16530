// The reconciliation against the real engine, with records that went the whole way.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ClickHouse, connectClickHouse } from "../../schema/clickhouse.ts";
import { type Job, JobStore } from "../../schema/jobs.ts";
import { type Server, startServer, until } from "../../tests/server.ts";
import type { Count } from "./compare.ts";
import { reconcile, startReconciliation } from "./reconcile.ts";

const NOTHING_WRONG = { ledger: 0, "1m": 0, "5m": 0, "15m": 0, "1h": 0, "1d": 0 };
const MINUTE_MS = 60_000;

let server: Server;
let clickhouse: ClickHouse;
const logged: { msg: string; tier?: string; wrong?: Count[]; mismatches?: object }[] = [];
const logger = pino({ base: null }, { write: (line) => void logged.push(JSON.parse(line)) });
// Past the quarter of an hour in which the points below lie, whatever the time of day is.
const clock = () => Date.now() + 20 * MINUTE_MS;
const options = () => ({
	...{ clickhouse, logger, clock, recheck_ms: 20, imbalance: async () => 0 },
	storedThrough: async () => Number.POSITIVE_INFINITY,
});
const ofDay = (n: number) => ({
	...{ project: "p", name: "m", series_id: "1", bucket: Math.floor(clock() / 1_000) - 3_600, n },
	...{ sum: 0, min: 0, max: 0 },
});
const insertDay = (n: number) =>
	clickhouse.insert({
		...{ table: "rollup_1d", values: [ofDay(n)], format: "JSONEachRow" },
		// A row like one that was there before is another one.
		clickhouse_settings: { insert_deduplication_token: randomUUID() },
	});
const removeDays = () =>
	clickhouse.command({
		query: "DELETE FROM rollup_1d WHERE project = 'p'",
		clickhouse_settings: { mutations_sync: "2" },
	});

beforeAll(async () => {
	server = await startServer({ env: { TIDEMARK_SELF_PROJECT: "off" } });
	clickhouse = connectClickHouse(JSON.parse(readFileSync(join(server.dataDir, "engine.json"), "utf8")));
	const records = Array.from({ length: 200 }, (_, n) => ({ name: `m${n % 7}`, value: n, tags: { n: `${n % 50}` } }));
	const answer = await server.request("/v1/ingest/metrics?wait=true", { body: records });
	expect(await answer.json()).toMatchObject({ accepted: 200 });
});
afterAll(async () => {
	await clickhouse?.close();
	await server?.stop();
});

test("when every tier counts what it was fed, nothing is wrong", async () => {
	expect(await reconcile(options())).toEqual(NOTHING_WRONG);
	expect(logged).toEqual([]);
});

test("rows on their way are not told: the difference is another one at the second look", async () => {
	let looks = 0;
	// The real client, with an insert between two looks at the day, as one that is on its way makes it.
	const moving = new Proxy(clickhouse, {
		get: (target, name) =>
			name !== "query"
				? Reflect.get(target, name)
				: async (query: Parameters<ClickHouse["query"]>[0]) => {
						if (query.query.includes("FROM rollup_1d")) {
							looks++;
							await insertDay(looks);
						}
						return target.query(query);
					},
	});
	expect(await reconcile({ ...options(), clickhouse: moving })).toEqual(NOTHING_WRONG);
	expect(looks).toBe(2);
	await removeDays();
});

test("however long an insert takes, it is waited for; what never arrives leaves the tier out of the answer", async () => {
	await insertDay(17);
	let asked = 0;
	const storedThrough = async () => {
		if (++asked < 6) return 0;
		await removeDays();
		return Number.POSITIVE_INFINITY;
	};
	expect(await reconcile({ ...options(), storedThrough })).toEqual(NOTHING_WRONG);
	expect([asked, logged]).toEqual([6, []]);
	await insertDay(17);
	const { "1d": _, ...others } = NOTHING_WRONG;
	expect(await reconcile({ ...options(), storedThrough: async () => 0 })).toEqual(others);
	expect(logged.map(({ tier }) => tier)).toEqual(["1d"]);
	logged.length = 0;
});

test("a project of which somebody is being erased is not told: points go before what they were added up to", async () => {
	const store = new JobStore(clickhouse);
	const key = { project: "p", kind: "erasure", job_id: "one" };
	// As a worker that has just begun.
	await store.claim({ ...key, of: "", attempt: 0 } as Job, "somebody");
	await store.create({ ...key, input: {} });
	expect(await reconcile(options())).toEqual(NOTHING_WRONG);
	await store.finish(key, 1, { status: "completed" });
	expect(await reconcile(options())).toEqual({ ...NOTHING_WRONG, "1d": 17 });
	expect(logged).toHaveLength(1);
	logged.length = 0;
	await removeDays();
});

test("a tier that lost a record is named, with project and difference, and the tiers beside it are not", async () => {
	await clickhouse.command({
		query: "DELETE FROM rollup_15m WHERE name = 'm3'",
		clickhouse_settings: { mutations_sync: "2" },
	});
	const [{ lost }] = (await server.query<{ lost: number }>("SELECT count() AS lost FROM points WHERE name = 'm3'")) as [
		{ lost: number },
	];
	expect(lost).toBeGreaterThan(0);
	expect(await reconcile(options())).toEqual({ ...NOTHING_WRONG, "15m": lost, "1h": lost });
	expect(logged.map(({ tier, wrong }) => [tier, wrong])).toEqual([
		["15m", [{ tier: "15m", project: "default", difference: lost }]],
		["1h", [{ tier: "1h", project: "default", difference: -lost }]],
	]);
	logged.length = 0;
});

test("what cannot be asked is left out of the answer, not told as 0", async () => {
	const closed = connectClickHouse({ url: "http://127.0.0.1:1", database: "tidemark" });
	const found = await reconcile({ ...options(), clickhouse: closed });
	await closed.close();
	expect(found).toEqual({ ledger: 0 });
	expect(logged).toHaveLength(5);
	logged.length = 0;
});

test("each run publishes a metric for each check, and says aloud when one is not 0", async () => {
	const sent: { name: string; value: number; tags: { check: string } }[] = [];
	const running = startReconciliation({
		...options(),
		...{ interval_ms: 10, imbalance: async () => 4 },
		send: (records) => void sent.push(...(records as typeof sent)),
	});
	await until(() => sent.length >= 6);
	await running.stop();
	expect(sent.slice(0, 6).map(({ name, tags, value }) => [name, tags.check, value > 0])).toEqual([
		["tidemark.reconcile.mismatch", "ledger", true],
		["tidemark.reconcile.mismatch", "1m", false],
		["tidemark.reconcile.mismatch", "5m", false],
		["tidemark.reconcile.mismatch", "15m", true],
		["tidemark.reconcile.mismatch", "1h", true],
		["tidemark.reconcile.mismatch", "1d", false],
	]);
	expect(running.mismatches).toMatchObject({ ledger: 4 });
	expect(logged.some(({ mismatches }) => mismatches !== undefined && "ledger" in mismatches)).toBe(true);
});
