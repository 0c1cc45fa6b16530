/** Synthetic tests in the whole program: made by the API, run by the worker, found in results, health and availability. */
import { afterAll, beforeAll, expect, test } from "vitest";
import {
	runTestAnswer,
	syntheticResultsAnswer,
	syntheticTestAnswer,
	syntheticTestsAnswer,
} from "../schema/wire/index.ts";
import { type Server, startServer, until } from "./server.ts";
import { httpServer, type TestServer } from "./support/loopback.ts";

const PATH = "/v1/monitoring/synthetic-tests";
let server: Server;
let target: TestServer;
let hits: string[];
let broken = false;

beforeAll(async () => {
	hits = [];
	target = await httpServer((request, response) => {
		hits.push(`${request.method} ${request.url} ${request.headers.authorization ?? ""}`);
		response.writeHead(broken ? 503 : 200, { "content-type": "application/json" });
		response.end(JSON.stringify({ status: broken ? "broken" : "ok" }));
	});
	server = await startServer({ env: { TIDEMARK_SELF_PROJECT: "off", TIDEMARK_OUTBOUND_ALLOW: "127.0.0.1" } });
});
afterAll(async () => {
	await server?.stop();
	await target?.stop();
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
	const results = await until(
		async () => {
			const { body } = await json(`${PATH}/${created.test_id}/results?timeframe=1h`);
			return body.runs >= 1 && syntheticResultsAnswer.parse(body);
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
	expect(listed.synthetic_tests.map(({ test_id }) => test_id)).toEqual([created.test_id]);
	expect((await json(`${PATH}/${created.test_id}`, { method: "DELETE" })).status).toBe(204);
	expect((await json(`${PATH}/${created.test_id}`)).status).toBe(404);
}, 90_000);
