import fc from "fast-check";
import { Hono } from "hono";
import { Registry } from "prom-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import { createApp } from "../http/app.ts";
import { createAuth } from "../http/auth.ts";
import type { AppEnv } from "../http/env.ts";
import { errorHandler } from "../http/errors.ts";
import { KeyStore } from "../http/keys.ts";
import { LocalRateLimiter } from "../http/rate-limit.ts";
import { DEFAULT_RETENTION } from "../schema/retention.ts";
import { BUILT_IN_METRICS } from "../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../tests/support/database.ts";
import { insertEvents, insertLogs, insertSeries, type TestEvent } from "../tests/support/records.ts";
import { QUERY_DOCS, queryRoutes, READS } from "./index.ts";
import { reachOf } from "./measures/scope.ts";
import { type Explained, Queries } from "./run.ts";

const NOW = Date.parse("2026-11-18T15:00:00Z");
const MINUTE = 60_000;

let database: TestDatabase;
const keys: Record<string, string> = {};
let app: ReturnType<typeof createApp>;

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const { client } = database;
	const store = new KeyStore({ client });
	for (const project of ["a", "b", "databases", "empty"]) {
		for (const role of ["analytics_viewer", "analytics_editor", "ingest"] as const) {
			keys[`${project} ${role}`] = (await store.create({ project, name: role, roles: [role] })).secret;
		}
	}
	app = createApp({
		version: "0",
		readiness: {},
		metrics: new Registry(),
		docs: QUERY_DOCS,
		onRequest: () => undefined,
		onError: (error) => console.error(error),
	});
	app.route(
		"/",
		queryRoutes({
			// One lock only: these tests are about the predicate in the SQL.
			queries: new Queries({ client, secondLock: false }),
			reach: reachOf(NO_EXPIRY),
			requireRole: createAuth({ keys: store, limiter: new LocalRateLimiter() }),
			now: () => NOW,
		}),
	);
	await fill("a", 1);
});
afterAll(() => database?.stop());

/** A project in which every record exists; `factor` makes its values its own. */
async function fill(project: string, factor: number): Promise<void> {
	const every = (minutes: number, count: number, value: (i: number) => number) =>
		Array.from({ length: count }, (_, i) => [NOW - 30_000 - i * minutes * MINUTE, value(i) * factor] as const);
	const host = { "host.id": `h${factor}`, component: "api" };
	await insertSeries(database.client, project, [
		{
			name: "http.server.request.duration",
			kind: "distribution",
			tags: { component: "api", "http.response.status_code": "200" },
			points: every(0.5, 200, (i) => 0.05 + i / 1_000),
		},
		{
			name: "http.server.request.duration",
			kind: "distribution",
			tags: { component: "api", "http.response.status_code": "503" },
			points: every(10, 10, () => 0.5),
		},
		{ name: "system.cpu.utilization", tags: host, points: every(1, 60, () => 0.25) },
		{ name: "system.memory.utilization", tags: host, points: every(1, 60, () => 0.5) },
		{ name: "system.filesystem.utilization", tags: { ...host, device: "sda" }, points: every(1, 60, () => 0.3) },
		{
			name: "system.network.io",
			kind: "counter",
			tags: { ...host, "network.io.direction": "receive" },
			points: every(1, 60, () => 6e6),
		},
		{
			name: "system.network.io",
			kind: "counter",
			tags: { ...host, "network.io.direction": "transmit" },
			points: every(1, 60, () => 1.5e6),
		},
		{
			name: "system.disk.io",
			kind: "counter",
			tags: { ...host, "disk.io.direction": "read" },
			points: every(1, 60, () => 1_000),
		},
		{ name: "network.link.capacity", tags: host, points: every(1, 60, () => 1e7) },
		{ name: "system.uptime", tags: host, points: every(1, 60, () => 5_000) },
		{ name: "hw.temperature", tags: host, points: every(1, 60, () => 50) },
		...["1m", "5m", "15m"].map((span) => ({
			name: `system.cpu.load_average.${span}`,
			tags: host,
			points: every(1, 60, () => 1.5),
		})),
		{ name: "llm.queue.length", tags: { component: "llm" }, points: every(1, 60, () => 2) },
		{
			name: "db.client.operation.duration",
			kind: "distribution",
			tags: { db: "main" },
			points: every(1, 60, () => 0.02),
		},
		{ name: "db.client.connection.count", tags: { db: "main", state: "used" }, points: every(1, 60, () => 4) },
		{ name: "db.client.connection.max", tags: { db: "main" }, points: every(1, 60, () => 20) },
		{ name: "shared.metric", tags: { shop: `s${factor}` }, points: every(1, 60, () => 3) },
		{ name: `secret.of.${project}`, tags: {}, points: every(1, 60, () => 3) },
	]);
	const at = (i: number): Pick<TestEvent, "ts"> => ({ ts: NOW - 30_000 - i * MINUTE });
	await insertEvents(database.client, project, [
		// 10 checks a minute apart; the second newest failed: one minute of nine and a half.
		...Array.from({ length: 10 }, (_, i) => ({
			event: "check.completed",
			...at(i),
			properties: { check_id: "c", component: "api", location: "x", ok: i === 1 ? "false" : "true" },
		})),
		...Array.from({ length: 3 * factor }, (_, i) => ({
			event: "node.heartbeat",
			...at(0),
			properties: { node_id: `n${i}`, component: "p2p", interval_s: 60 },
		})),
		{ event: "node.heartbeat", ...at(30), properties: { node_id: "gone", component: "p2p", interval_s: 60 } },
		...Array.from({ length: 4 }, (_, i) => ({
			event: "chat.message.sent",
			...at(i),
			user_id: `u${i % 2}-${factor}`,
			properties: { component: "api" },
		})),
		{
			event: "model_inference_completed",
			...at(1),
			properties: { model: `m${factor}`, success: "true", latency_ms: 800 * factor },
		},
		{ event: "token.transaction", ...at(1), properties: { component: "tokens" } },
		{ event: "circuit_breaker.state_changed", ...at(2), properties: { name: `breaker${factor}`, to: "open" } },
	]);
	await insertLogs(database.client, project, [
		{
			...at(1),
			message: "Connection refused",
			level: "error",
			component: "api",
			context: { code: 7, who: project },
			trace_id: "t1",
		},
		{ ...at(2), message: `secret of ${project}`, level: "info", component: project },
		{ ...at(3), message: "started", level: "info" },
	]);
}

async function get(path: string, key = "a analytics_viewer") {
	const response = await app.request(path, { headers: { "X-API-Key": keys[key]! } });
	// biome-ignore lint/suspicious/noExplicitAny: bodies of every route, looked into member by member
	return { status: response.status, body: (await response.json()) as any };
}

/** Every route, with parameters that reach every measure. */
const QUESTIONS = [
	"/v1/monitoring/health",
	"/v1/monitoring/metrics?timeframe=1h",
	"/v1/monitoring/metrics?timeframe=24h&granularity=5m&component=api",
	"/v1/monitoring/metrics?timeframe=30d&granularity=1d&timezone=Asia/Kathmandu",
	...["avg", "sum", "min", "max", "count", "last", "rate", "p50", "p99"].map(
		(aggregation) =>
			`/v1/monitoring/metrics?timeframe=1h&granularity=15m&metrics=shared.metric:${aggregation}&group_by=shop`,
	),
	"/v1/monitoring/metrics?timeframe=1h&granularity=5m&metrics=http.server.request.duration:p95&group_by=component",
	"/v1/monitoring/metrics?timeframe=1h&granularity=5m&metrics=http.server.request.duration:p95&component=api",
	"/v1/monitoring/resources?timeframe=1h",
	"/v1/monitoring/performance",
	"/v1/monitoring/performance?start=2026-11-10&timezone=Asia/Kathmandu",
	"/v1/monitoring/databases?timeframe=1h",
	"/v1/monitoring/databases?timeframe=30d&databases=main",
	"/v1/monitoring/logs?timeframe=1h",
	"/v1/monitoring/logs?timeframe=1h&query=secret%20OR%20refused&sort=timestamp%20asc&limit=1",
	"/analytics/system/health",
	"/analytics/system/performance?timeframe=1h&granularity=5m",
	"/analytics/system/performance?timeframe=6h",
	"/analytics/system/logs",
	"/analytics/system/logs?level=error&component=api&search=refused",
];
const AS_OF = (path: string) => `${path}${path.includes("?") ? "&" : "?"}as_of=2026-11-18T15:00:00Z`;

test.each(QUESTIONS)("%s fits its schema and holds what the project sent", async (path) => {
	const { status, body } = await get(AS_OF(path));
	expect(status, JSON.stringify(body)).toBe(200);
	const doc = READS.find((route) => route.path === path.split("?")[0])!;
	const schema = doc.answer as z.ZodObject;
	// Members that are named by data have a schema of their own.
	expect(() => (schema.def.catchall ? schema : schema.strict()).parse(body)).not.toThrow();
	expect(body.meta.window.end).toBe("2026-11-18T15:00:00.000Z");
	expect(body.meta.missing).toEqual([]);
});

describe("two projects", () => {
	type Answer = Awaited<ReturnType<typeof get>>;
	const before = new Map<string, Answer>();
	beforeAll(async () => {
		for (const path of QUESTIONS) before.set(path, await get(AS_OF(path)));
		await fill("b", 3);
	});

	test.each(QUESTIONS)(
		"%s answers the same when another project sends the same names at the same times",
		async (path) => {
			const after = await get(AS_OF(path));
			expect(after).toEqual(before.get(path));
			const other = await get(AS_OF(path), "b analytics_viewer");
			expect(other.status).toBe(200);
			expect(other.body).not.toEqual(after.body);
			expect(JSON.stringify(other.body)).not.toMatch(/secret of a|"h1"|m1"|breaker1|s1"/);
		},
	);

	test("a name of another project is unknown, and not among the near ones", async () => {
		const { status, body } = await get("/v1/monitoring/metrics?metrics=secret.of.a", "b analytics_viewer");
		expect(status).toBe(400);
		expect(body.details.valid_options).toContain("secret.of.b");
		expect(body.details.valid_options).not.toContain("secret.of.a");
	});

	test("what one project explains is about that project", async () => {
		const { body } = await get("/v1/monitoring/health?explain=true", "b analytics_editor");
		expect(body.explain.queries.length).toBeGreaterThan(5);
		for (const query of body.explain.queries) expect(query.params.project).toBe("b");
	});

	test("what several parts of an answer rest on is asked once", async () => {
		const { body } = await get("/v1/monitoring/business?explain=true", "b analytics_editor");
		const put: string[] = body.explain.queries.map((one: Explained) => JSON.stringify([one.sql, one.params]));
		expect(put.length).toBeGreaterThan(5);
		expect(new Set(put).size).toBe(put.length);
	});
});

describe("numbers", () => {
	test("health", async () => {
		const { body } = await get(AS_OF("/v1/monitoring/health"));
		expect(body).toMatchObject({
			status: "healthy",
			timestamp: "2026-11-18T15:00:00.000Z",
			active_nodes: 3,
			total_requests_24h: 210,
			error_rate_24h: 0.0476,
			components: {
				api: { status: "healthy", utilization_percentage: 30 },
				p2p: { status: "healthy", active_peers: 3 },
				tokens: { status: "healthy", transaction_rate: 0.003333 },
				llm: { status: "healthy" },
			},
		});
		// Nine results a minute apart, and the newest for half a minute; one of them bad.
		expect(body.uptime_percentage).toBeCloseTo((100 * 8.5) / 9.5, 1);
	});

	test("as of an earlier moment nothing later counts, also for last values", async () => {
		const { body } = await get("/analytics/system/health?as_of=2026-11-18T14:30:00Z");
		expect(body.system.cpu_usage).toBe(25);
		expect(body.services).toMatchObject({ llm_backend: { model: null }, circuit_breakers: {} });
		const health = await get("/v1/monitoring/health?as_of=2026-11-18T14:30:00Z");
		// No check was done by then, only one node had been heard, half a minute before.
		expect(health.body).toMatchObject({ active_nodes: 1, uptime_percentage: 100 });
		const before = await get("/analytics/system/logs?as_of=2026-11-18T14:30:00Z");
		expect(before.body).toMatchObject({
			logs: [],
			total: 0,
			has_more: false,
			aggregations: { by_level: {}, by_component: {} },
		});
	});

	test("hosts and services", async () => {
		const { body } = await get(AS_OF("/analytics/system/health"));
		expect(body).toMatchObject({
			status: "healthy",
			uptime_seconds: 5_000,
			system: { cpu_usage: 25, memory_usage: 50, disk_usage: 30, load_average: [1.5, 1.5, 1.5], temperature: 50 },
			services: {
				database: {
					status: "healthy",
					response_time_ms: 20,
					connections: 4,
					pool_size: 20,
					by_database: { main: { connections: 4, pool_size: 20 } },
				},
				llm_backend: { status: "healthy", model: "m1", response_time_ms: 800, queue_length: 2 },
				circuit_breakers: { breaker1: "open" },
			},
			alerts: [],
		});
	});

	test("resources are percent, the network's busier direction over its capacity", async () => {
		const { body } = await get(AS_OF("/v1/monitoring/resources?timeframe=1h"));
		expect(body).toMatchObject({
			cpu: { avg_utilization: 25 },
			memory: { avg_utilization: 50 },
			storage: { utilization: 30, volumes: [{ host: "h1", device: "sda", utilization: 30 }] },
			// 60 × 6 MB received in an hour over 10 Mbit/s.
			network: { utilization: 8, throughput_mbps: 1, capacity_mbps: 10 },
		});
		const some = await get(AS_OF("/v1/monitoring/resources?components=storage"));
		expect(Object.keys(some.body)).toEqual(["timeframe", "storage", "meta"]);
	});

	test("buckets add up to the summary, silent ones are null, the last one is partial", async () => {
		const path = "/v1/monitoring/metrics?timeframe=24h&granularity=1h&as_of=2026-11-18T14:59:45Z";
		const { body } = await get(path);
		expect(body.data_points).toHaveLength(25);
		expect(body.data_points.at(-1)).toMatchObject({ timestamp: "2026-11-18T14:00:00.000Z", partial: true });
		expect(body.data_points[0]).toMatchObject({
			timestamp: "2026-11-17T14:00:00.000Z",
			api_requests: null,
			response_time_avg: null,
			cpu_utilization: null,
		});
		const counts = body.data_points.map((point: { api_requests: number | null }) => point.api_requests ?? 0);
		expect(counts.reduce((sum: number, n: number) => sum + n, 0)).toBe(body.summary.total_requests);
		expect(body.summary).toMatchObject({ total_requests: 210, error_count: 10, peak_response_time: 500 });
	});

	test("no request is 0 while something is there to be heard, null where all is silent", async () => {
		const at = async (path: string) =>
			(await get(AS_OF(path))).body.data_points.map((point: { api_requests: number | null }) => point.api_requests);
		// Requests of the last 100 minutes, one host of the last 60.
		const counts = await at("/v1/monitoring/metrics?start=2026-11-18T12:00:00Z&granularity=15m");
		expect(counts.slice(0, 5)).toEqual([null, null, null, null, null]);
		expect(counts.at(-1)).toBeGreaterThan(0);
		expect(
			(await at("/v1/monitoring/metrics?timeframe=1h&component=nobody")).every((n: number | null) => n === null),
		).toBe(true);
	});

	test("the alias in milliseconds counts with the record in seconds, whatever kind it was sent as", async () => {
		const points = Array.from({ length: 40 }, (_, i) => [NOW - 60_000 - i, 10 * (i + 1)] as const);
		await insertSeries(database.client, "alias", [
			{ name: "response_time", kind: "gauge", tags: { status: "200" }, points },
			{ name: "response_time", kind: "gauge", tags: { status: "500" }, points: [[NOW - 60_000, 1_000]] },
			{ name: "http.server.request.duration", kind: "distribution", tags: {}, points: [[NOW - 60_000, 2]] },
		]);
		const store = new KeyStore({ client: database.client });
		keys.alias = (await store.create({ project: "alias", name: "v", roles: ["analytics_viewer"] })).secret;
		// The store of the app asks again for a key it does not know, at most once a second.
		await expect.poll(async () => (await get("/v1/monitoring/health", "alias")).status, { timeout: 10_000 }).toBe(200);
		const { body } = await get(AS_OF("/v1/monitoring/metrics?timeframe=1h&granularity=1d"), "alias");
		expect(body.summary).toMatchObject({ total_requests: 42, error_count: 1, peak_response_time: 2_000 });
		expect(body.data_points[0].response_time_avg).toBe(Math.round((8_200 + 1_000 + 2_000) / 42));
		expect(body.data_points[0].response_time_p95).toBeGreaterThan(380);
		expect(body.data_points[0].response_time_p95).toBeLessThan(410);
	});

	test("percentiles of few values say so", async () => {
		const { body } = await get(
			AS_OF("/v1/monitoring/metrics?timeframe=1h&granularity=5m&metrics=response_time_p95,response_time_p99"),
		);
		expect(body.data_points[0]).toMatchObject({ low_sample: ["response_time_p95", "response_time_p99"] });
	});
});

describe("databases", () => {
	const at = (i: number) => NOW - 30_000 - i * MINUTE;
	const duration = (db: string, seconds: readonly number[]) => ({
		name: "db.client.operation.duration",
		kind: "distribution" as const,
		tags: { db },
		points: seconds.map((value, i) => [at(i), value] as const),
	});
	beforeAll(async () => {
		await insertSeries(database.client, "databases", [
			duration("meta", [0.1, 1, 1.001, 5]),
			duration("database:meta", [0.25]),
			duration("größe.'x'/y", [0.000_5]),
			duration("old", [2]),
			{
				name: "db.client.connection.count",
				tags: { db: "pool", pool: "a", state: "used" },
				points: [
					[at(1), 6],
					[at(3), 8],
				],
			},
			{
				name: "db.client.connection.count",
				tags: { db: "pool", pool: "b", state: "used" },
				points: [
					[at(1), 1],
					[at(2), 3],
				],
			},
			{ name: "db.client.connection.count", tags: { db: "pool", pool: "a", state: "idle" }, points: [[at(1), 90]] },
			// Told once, long before the window.
			{ name: "db.client.connection.max", tags: { db: "pool", pool: "a" }, points: [[at(600), 10]] },
			{ name: "db.client.connection.max", tags: { db: "pool", pool: "b" }, points: [[at(600), 10]] },
		]);
		await insertEvents(database.client, "databases", [
			{ event: "db.slow_query", ts: at(1), properties: { db: "meta", duration_ms: 9_000 } },
			{ event: "db.slow_query", ts: at(2), properties: { db: "silent", duration_ms: 9_000 } },
			{ event: "db.slow_query", ts: at(90), properties: { db: "silent", duration_ms: 9_000 } },
			{ event: "db.slow_query", ts: NOW, properties: { db: "later" } },
		]);
	});
	const ask = async (parameters: string) =>
		(await get(AS_OF(`/v1/monitoring/databases?${parameters}`), "databases analytics_viewer")).body;

	test("names of any kind are members of their own, beside the answer's meta", async () => {
		const body = await ask("timeframe=1h");
		expect(Object.keys(body).sort()).toEqual(
			["database:database:meta", "database:meta", "größe.'x'/y", "meta", "old", "pool", "silent"].sort(),
		);
		expect(body["database:meta"]).toMatchObject({ queries: 4, avg_query_time: 1775, low_sample: ["p95_query_time"] });
		expect(body["database:database:meta"]).toMatchObject({ queries: 1, avg_query_time: 250 });
		expect(body["größe.'x'/y"]).toMatchObject({ queries: 1, avg_query_time: 0.5 });
	});

	test("slow queries are counted from durations, from events only where there are none, and never from both", async () => {
		const body = await ask("timeframe=1h");
		// 1 s is not longer than 1 s.
		expect(body["database:meta"].slow_query_count).toBe(2);
		expect(body.silent).toMatchObject({ slow_query_count: 1, queries: null, avg_query_time: null });
		expect((await ask("timeframe=24h&databases=silent")).silent.slow_query_count).toBe(2);
		expect((await ask("timeframe=1h&slow_query_ms=1001&databases=meta"))["database:meta"].slow_query_count).toBe(1);
	});

	test("a pool's usage is all its connections over their last known limit; the peak is that of all pools", async () => {
		const { pool } = await ask("timeframe=1h&databases=pool");
		expect(pool).toMatchObject({ connection_pool_usage: 45, connection_pool_usage_peak: 55 });
	});

	test("an instrumented database that was silent counts 0, an unknown one null with what to send", async () => {
		const body = await ask("start=2026-11-18T14:00:00Z&end=2026-11-18T14:10:00Z&databases=old,nobody");
		expect(body.old).toMatchObject({ queries: 0, slow_query_count: 0, avg_query_time: null, p95_query_time: null });
		expect(body.nobody).toMatchObject({ queries: null, slow_query_count: 0, connection_pool_usage: null });
		expect(body.meta.missing).toContainEqual({
			field: "nobody.queries",
			needs: "metric db.client.operation.duration with db nobody",
		});
	});
});

describe("a project that sent nothing", () => {
	test("numbers are null, maps and lists empty, and the answer says what to send", async () => {
		const metrics = (await get("/v1/monitoring/metrics?timeframe=1h", "empty analytics_viewer")).body;
		for (const point of metrics.data_points) for (const name of BUILT_IN_METRICS) expect(point[name]).toBeNull();
		expect(metrics.summary).toEqual({
			total_requests: null,
			avg_response_time: null,
			peak_response_time: null,
			availability: null,
			error_count: null,
		});
		expect(metrics.meta.missing).toContainEqual({
			field: "summary.availability",
			needs: "event check.completed or event node.heartbeat",
		});
		expect(metrics.meta.missing).toContainEqual({
			field: "data_points[].cpu_utilization",
			needs: "metric system.cpu.utilization or metric system.cpu.time",
		});
		expect(metrics.meta).toMatchObject({ data_through: null, coverage: 0 });

		const health = (await get("/v1/monitoring/health", "empty analytics_viewer")).body;
		expect(health).toMatchObject({
			status: "unknown",
			uptime_percentage: null,
			response_time_ms: null,
			active_nodes: null,
			total_requests_24h: null,
			error_rate_24h: null,
			components: {},
		});

		const system = (await get("/analytics/system/health", "empty analytics_viewer")).body;
		expect(system).toMatchObject({
			status: "unknown",
			uptime_seconds: null,
			system: { cpu_usage: null, memory_usage: null, disk_usage: null, load_average: null, temperature: null },
			services: {
				database: { status: "unknown", response_time_ms: null, connections: null, pool_size: null },
				llm_backend: { model: null, queue_length: null },
				circuit_breakers: {},
			},
		});
		const logs = (await get("/v1/monitoring/logs", "empty analytics_viewer")).body;
		expect(logs).toMatchObject({ logs: [], total: 0, total_is_lower_bound: false, next_cursor: null });
	});
});

describe("a project that sent nothing is told, for every field without a value, what to send", () => {
	const REQUIRED: Readonly<Record<string, string>> = { "/v1/monitoring/profiling": "?operation=any" };
	// Not evidence: where the next page begins, alerts, which are made here, and what was not asked to be broken down.
	const IS_NO_RECORD = new Set(["next_cursor", "alerts", "breakdown"]);

	test.each(READS.map(({ path }) => path))("%s", async (path) => {
		const { status, body } = await get(path + (REQUIRED[path] ?? ""), "empty analytics_viewer");
		expect(status, JSON.stringify(body)).toBe(200);
		const { meta, ...answer } = body;
		const listed = new Set(meta?.missing.map(({ field }: { field: string }) => field));
		const empty = [...new Set(emptyFields(answer))].filter((field) => !IS_NO_RECORD.has(field));
		expect(empty.filter((field) => !listed.has(field))).toEqual([]);
	});

	/** Dotted paths of nulls, empty lists and empty objects. */
	function emptyFields(value: unknown, path = ""): string[] {
		if (value === null) return [path];
		if (typeof value !== "object") return [];
		const under = (name: string) => (path === "" ? name : `${path}.${name}`);
		if (Array.isArray(value)) {
			return value.length === 0 ? [path] : value.flatMap((member) => emptyFields(member, `${path}[]`));
		}
		const members = Object.entries(value);
		return members.length === 0 && path !== ""
			? [path]
			: members.flatMap(([name, member]) => emptyFields(member, under(name)));
	}
});

describe("refusals", () => {
	test.each([
		["/v1/monitoring/metrics?timeframe=6h", "timeframe", ["1h", "24h", "7d", "30d"]],
		["/analytics/system/performance?timeframe=invalid", "timeframe", ["1h", "6h", "24h", "7d", "30d"]],
		["/v1/monitoring/metrics?granularity=2m", "granularity", ["1m", "5m", "15m", "1h", "1d", "auto"]],
		["/v1/monitoring/health?timeframe=1h", "timeframe", ["as_of", "timezone", "explain"]],
		["/v1/monitoring/resources?components=disk", "components", ["compute", "storage", "network"]],
		["/v1/monitoring/logs?sort=level", "sort", ["timestamp desc", "timestamp asc"]],
		["/analytics/system/logs?level=loud", "level", ["debug", "info", "warning", "error", "critical"]],
	])("%s names %s and what is possible", async (path, parameter, valid_options) => {
		const { status, body } = await get(path);
		expect(status).toBe(400);
		expect(body).toMatchObject({ code: 400, details: { parameter, valid_options } });
		expect(body.details.provided).toBeTypeOf("string");
	});

	test.each([
		"/v1/monitoring/metrics?metrics=shared.metric:p42",
		"/v1/monitoring/metrics?group_by=shop",
		"/v1/monitoring/logs?query=level:ERROR%20AND%20(x",
		"/v1/monitoring/logs?limit=0",
		"/v1/monitoring/logs?cursor=xx",
		"/v1/monitoring/logs?timezone=Nowhere",
		"/analytics/system/logs?start_time=2026-11-18&start=2026-11-18",
		"/analytics/system/logs?start_time=tomorrow",
		"/v1/monitoring/metrics?start=2026-11-18T16:00:00Z",
	])("%s is 400", async (path) => {
		const { status, body } = await get(path);
		expect([status, body.code]).toEqual([400, 400]);
		expect(body.details.parameter).toBeTypeOf("string");
	});

	test("what is no longer kept is refused with its retention", async () => {
		const { client } = database;
		const short = new Hono<AppEnv>().onError(errorHandler((error) => console.error(error)));
		const requireRole = createAuth({ keys: new KeyStore({ client }), limiter: new LocalRateLimiter() });
		const deps = { queries: new Queries({ client }), reach: reachOf(DEFAULT_RETENTION), requireRole, now: () => NOW };
		short.route("/", queryRoutes(deps));
		const ask = async (query: string) => {
			const headers = { "X-API-Key": keys["a analytics_viewer"]! };
			const response = await short.request(`/v1/monitoring/metrics?${query}`, { headers });
			return { status: response.status, body: (await response.json()) as unknown };
		};
		expect(await ask("start=2026-01-01&end=2026-01-02&granularity=5m")).toMatchObject({
			status: 400,
			body: {
				code: 400,
				details: { parameter: "start", provided: "2026-01-01", reason: expect.stringMatching(/5m.*180 days/) },
			},
		});
		expect((await ask("start=2026-01-01&end=2026-01-02&granularity=1h")).status).toBe(200);
		// Percentiles by a tag are in raw points only.
		const byShop = "metrics=shared.metric:p95&group_by=shop&granularity=1d";
		expect(await ask(`${byShop}&start=2026-07-01&end=2026-07-05`)).toMatchObject({
			status: 400,
			body: { details: { reason: expect.stringMatching(/Raw points.*90 days/) } },
		});
		expect((await ask(`${byShop}&start=2026-10-01&end=2026-10-05`)).status).toBe(200);
	});

	test("a query that is not understood says where", async () => {
		const { body } = await get("/v1/monitoring/logs?query=level:ERROR%20AND%20(x");
		expect(body).toMatchObject({ details: { parameter: "query", position: 16 } });
	});

	test("reading needs a viewer, explaining an editor", async () => {
		for (const { path } of READS) {
			expect((await get(path, "a ingest")).status, path).toBe(403);
			expect((await get(`${path}?explain=true`)).body, path).toMatchObject({
				code: 403,
				required_role: "analytics_editor",
			});
		}
	});
});

test("whatever a parameter says, the answer is one of 200, 400 and 422, and names no other project's secret", async () => {
	const nasty = fc.oneof(
		fc.constantFrom(
			"",
			"\0",
			"a\0b",
			"\n\t\r",
			"'; DROP TABLE points --",
			"\\",
			"\\'",
			"{p0:String}",
			"{project:String}",
			"b",
			"%",
			"_",
			"*",
			"null",
			"NaN",
			"-1",
			"1e999",
			"__proto__",
			"constructor",
			"\ud800",
			"secret.of.b",
			"shared.metric:p95",
			"component",
			"café",
			"x".repeat(5_000),
		),
		fc.string({ unit: "grapheme", maxLength: 20 }),
		fc.string({ unit: "binary", maxLength: 20 }),
	);
	const request = fc.constantFrom(...READS).chain(({ path, query }) =>
		fc.record({
			path: fc.constant(path),
			parameters: fc.dictionary(
				fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...Object.keys(query.shape)) }, nasty),
				nasty,
				{ maxKeys: 3 },
			),
		}),
	);
	await fc.assert(
		fc.asyncProperty(request, async ({ path, parameters }) => {
			const { status, body } = await get(`${path}?${new URLSearchParams(parameters)}`, "a analytics_editor");
			expect([200, 400, 422], JSON.stringify(body)).toContain(status);
			if (status === 200) expect(JSON.stringify(body)).not.toContain('"secret of b"');
			else expect(body).toMatchObject({ error: expect.any(String), code: status });
		}),
		{ numRuns: 120 },
	);
});

test("pages of logs follow each other by the cursor", async () => {
	const messages: string[] = [];
	let cursor: string | null = null;
	do {
		const path: string = `/v1/monitoring/logs?timeframe=1h&limit=1${cursor === null ? "" : `&cursor=${cursor}`}`;
		const { body } = await get(path);
		expect(body.total).toBe(3);
		messages.push(...body.logs.map((log: { message: string }) => log.message));
		cursor = body.next_cursor;
	} while (cursor !== null);
	expect(messages).toEqual(["Connection refused", "secret of a", "started"]);
});

test("every route is in the reference", async () => {
	const response = await app.request("/openapi.json");
	const { paths } = (await response.json()) as { paths: Record<string, unknown> };
	for (const route of app.routes.filter(({ method, path }) => method === "GET" && /^\/(v1|analytics)/.test(path))) {
		expect(Object.keys(paths)).toContain(route.path);
	}
});
