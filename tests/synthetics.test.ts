/** Synthetic tests in the whole program: made by the API, run by the worker, found in results, health and availability. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
	runTestAnswer,
	syntheticResultsAnswer,
	syntheticTestAnswer,
	syntheticTestsAnswer,
} from "../schema/wire/index.ts";
import { type EmbeddedRedis, startRedis } from "../workers/redis.ts";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";
import { httpServer, type TestServer, tcpServer } from "./support/loopback.ts";

const PATH = "/v1/monitoring/synthetic-tests";
const dataDir = temporaryFolder();
let redis: EmbeddedRedis;
let server: Server;
/** Of the same location as the server's own, in a process of its own. */
let worker: Server;
let target: TestServer;
/** Counts who comes. */
let probed: TestServer;
let kept: string;
let hits: string[];
let broken = false;

const env = () => ({
	...{ TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off", TIDEMARK_OUTBOUND_ALLOW: "127.0.0.1" },
	...{ TIDEMARK_SECRET_KEY: "one-key-for-both-of-them", REDIS_URL: redis.url },
});
const start = () => startServer({ env: env(), dataDir });

beforeAll(async () => {
	hits = [];
	target = await httpServer((request, response) => {
		hits.push(`${request.method} ${request.url} ${request.headers.authorization ?? ""}`);
		response.writeHead(broken ? 503 : 200, { "content-type": "application/json" });
		response.end(JSON.stringify({ status: broken ? "broken" : "ok" }));
	});
	probed = await tcpServer((socket) => socket.end());
	redis = await startRedis({ dataDir: temporaryFolder(), logger: pino({ level: "silent" }) });
	server = await start();
	const { url, user, password, database } = JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8"));
	const clickhouse = new URL(url);
	Object.assign(clickhouse, { username: user, password, pathname: `/${database ?? "tidemark"}` });
	worker = await startServer({ args: ["worker"], env: { ...env(), CLICKHOUSE_URL: clickhouse.href } });
	const body = { name: "kept", type: "tcp", host: "127.0.0.1", port: probed.port, frequency_seconds: 10 };
	kept = (await json(PATH, { body })).body.test_id;
}, 90_000);
afterAll(async () => {
	await Promise.all([server?.stop(), worker?.stop()]);
	await Promise.all([target?.stop(), probed?.stop(), redis?.stop()]);
});

async function json(path: string, init?: Parameters<Server["request"]>[1]) {
	const response = await server.request(path, init);
	const text = await response.text();
	return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

test("a test runs by itself, and its runs are records that results, health and availability are made of", async () => {
	const made = await json(PATH, {
		body: {
			...{ name: "API Health Check", type: "http", url: `http://127.0.0.1:${target.port}/health`, component: "api" },
			frequency_seconds: 10,
			headers: { Authorization: "Bearer hush" },
			assertions: [
				{ type: "status_code", value: 200 },
				{ type: "response_time", operator: "<", value: 5_000 },
				{ type: "json_path", path: "$.status", value: "ok" },
			],
		},
	});
	expect(made.status, JSON.stringify(made.body)).toBe(201);
	const created = syntheticTestAnswer.parse(made.body);
	expect(created).toMatchObject({
		locations: ["local"],
		quorum: 1,
		headers: { Authorization: "********" },
		warnings: [],
	});
	const atRest = await server.query("SELECT body FROM definitions WHERE kind = 'synthetic_test'");
	expect(JSON.stringify(atRest)).not.toContain("hush");
	const results = await until(
		async () => {
			const { body } = await json(`${PATH}/${created.test_id}/results?timeframe=1h`);
			// Time is observed from the run on: none, in its own second.
			return body.runs >= 1 && body.uptime_percentage !== null && syntheticResultsAnswer.parse(body);
		},
		{ deadline_ms: 30_000, what: "the first run" },
	);
	expect(hits[0]).toBe("GET /health Bearer hush");
	expect(results).toMatchObject({ status: "healthy", uptime_percentage: 100, failures_count: 0, failures: [] });
	expect(results.locations).toMatchObject([{ location: "local", last_status: "passed" }]);
	expect(results.timings.ttfb).toBeGreaterThan(0);
	expect(results.timings.tls).toBeNull();

	broken = true;
	const ran = await json(`${PATH}/${created.test_id}/run`, { method: "POST" });
	expect(ran.status, JSON.stringify(ran.body)).toBe(200);
	expect(runTestAnswer.parse(ran.body)).toMatchObject({
		status: "down",
		away: [],
		runs: [{ ok: false, status: "failed", status_code: 503, attempts: 2 }],
	});
	expect(ran.body.runs[0].error).toContain("status code: expected 200, got 503");
	const after = await until(
		async () => {
			const { body } = await json(`${PATH}/${created.test_id}/results?timeframe=1h`);
			return body.failures_count > 0 && body;
		},
		{ what: "the failure" },
	);
	expect(after).toMatchObject({ status: "down", failures: [{ location: "local", status_code: 503 }] });
	const { body: health } = await json("/v1/monitoring/health");
	expect(Object.keys(health.components)).toContain("api");
	expect(health.uptime_percentage).not.toBeNull();

	const listed = syntheticTestsAnswer.parse((await json(PATH)).body);
	expect(listed.synthetic_tests.map(({ test_id }) => test_id)).toEqual([kept, created.test_id]);
	expect((await json(`${PATH}/${created.test_id}`, { method: "DELETE" })).status).toBe(204);
	expect((await json(`${PATH}/${created.test_id}`)).status).toBe(404);
}, 90_000);

test("a heartbeat is called by its URL without a key; a call that does not come is noted once, and is a failure", async () => {
	const made = await json(PATH, {
		body: { name: "nightly", type: "heartbeat", frequency_seconds: 10, grace_seconds: 0 },
	});
	const { test_id, heartbeat_url } = made.body;
	expect(heartbeat_url).toMatch(/^\/v1\/heartbeats\/[1-9A-Za-z]{40,}$/);
	expect((await json(`${PATH}/${test_id}`)).body.heartbeat_url).toBe("/v1/heartbeats/********");
	expect((await json(`${PATH}/${test_id}/run`, { method: "POST" })).status).toBe(400);
	expect((await fetch(`${server.url}/v1/heartbeats/nobody`)).status).toBe(404);
	const call = (query = "", method = "GET") => fetch(`${server.url}${heartbeat_url}${query}`, { method });
	expect(await (await call("?duration_ms=12")).json()).toEqual({ recorded: true });
	expect((await call("?status=fail&error=disk%20full", "POST")).status).toBe(202);
	expect((await call("?status=maybe")).status).toBe(400);
	const results = async () => (await json(`${PATH}/${test_id}/results?timeframe=1h`)).body;
	const missed = await until(
		async () => {
			const found = await results();
			return found.failures_count >= 2 && syntheticResultsAnswer.parse(found);
		},
		{ deadline_ms: 40_000, what: "a call that did not come" },
	);
	expect(missed.status).toBe("down");
	expect(missed.failures.map(({ error }) => error)).toContain("disk full");
	expect(missed.failures[0]!.error).toBe("no call within 10 s and 0 s of grace");
	expect(missed.locations).toMatchObject([{ location: null, last_status: "failed" }]);
	expect((await json(`${PATH}/${test_id}`, { method: "DELETE" })).status).toBe(204);
	const ids = await server.query<{ n: number; ids: number }>(
		"SELECT count() AS n, uniqExact(event_id) AS ids FROM events WHERE event = 'check.completed'",
	);
	expect(ids[0]!.n).toBe(ids[0]!.ids);
}, 90_000);

test("a location without a worker is told of, and asking it to run is a 503 that names it", async () => {
	const body = { name: "far", type: "http", url: `http://127.0.0.1:${target.port}/far`, locations: ["mars", "local"] };
	const made = await json(PATH, { body });
	expect(made.body.warnings).toEqual(["No worker runs at mars: start one with TIDEMARK_LOCATION=mars"]);
	const path = `${PATH}/${made.body.test_id}/run`;
	const away = await json(`${path}?location=mars`, { method: "POST" });
	expect(away).toMatchObject({
		status: 503,
		body: { part: "worker", error: "No worker of the location mars answers" },
	});
	broken = false;
	const both = await json(path, { method: "POST" });
	expect(both).toMatchObject({ status: 200, body: { away: ["mars"], status: "healthy" } });
	expect((await json(`${path}?location=venus`, { method: "POST" })).status).toBe(400);
	await json(`${PATH}/${made.body.test_id}`, { method: "DELETE" });
}, 60_000);

const runsOfKept = async () =>
	(
		await server.query<{ n: number }>(
			"SELECT count() AS n FROM events WHERE event = 'check.completed' AND strings['check_id'] = {kept:String}",
			{ kept },
		)
	)[0]!.n;

test("of two workers at one location one runs what is due; killed, and with an empty Redis, the other goes on, and so does a restarted one", async () => {
	await until(async () => (await runsOfKept()) >= 2, { deadline_ms: 40_000, what: "two runs" });
	// Whoever runs it twice knocks twice.
	await until(async () => (await runsOfKept()) === probed.connections, { what: "a run for every connection" });
	const flush = async () => {
		const client = new Redis(redis.url);
		await client.flushall();
		client.disconnect();
	};
	await worker.kill("SIGKILL");
	await flush();
	const before = await runsOfKept();
	await until(async () => (await runsOfKept()) > before, { deadline_ms: 40_000, what: "a run of the other" });
	await server.kill("SIGKILL");
	await flush();
	server = await start();
	const restarted = await runsOfKept();
	await until(async () => (await runsOfKept()) > restarted, { deadline_ms: 40_000, what: "a run after the restart" });
	const gaps = await server.query<{ least: number }>(
		`SELECT min(gap) AS least FROM (
			SELECT dateDiff('ms', lagInFrame(ts) OVER (ORDER BY ts), ts) AS gap
			FROM events WHERE event = 'check.completed' AND strings['check_id'] = {kept:String})
		WHERE gap < 1000000`,
		{ kept },
	);
	// The first run is soon after the test was made, the rest in intervals of ten seconds.
	expect(gaps[0]!.least).toBeGreaterThan(3_000);
}, 180_000);
