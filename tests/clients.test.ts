// The SDK and the command line against the whole program: what they say was accepted is what is stored.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AuthenticationError, Client, NotFoundError } from "../client/index.ts";
import {
	businessAnswer,
	businessCustomersAnswer,
	businessRevenueAnswer,
	errorAnalysisAnswer,
	healthAnswer,
	kpisAnswer,
	kpiValueAnswer,
	logsAnswer,
	metricsAnswer,
	profilingAnswer,
	resourcesAnswer,
	revenueAnswer,
	systemHealthAnswer,
	systemLogsAnswer,
	systemPerformanceAnswer,
} from "../schema/wire/index.ts";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
let server: Server;

beforeAll(async () => {
	server = await startServer({ env: { TIDEMARK_COLLECT_INTERVAL: "off" } });
});
afterAll(() => server.stop());

/** What was accepted is in the journal first; each table has it a moment later. */
async function stored(table: string, where: string, count: number): Promise<void> {
	const sql = `SELECT count() AS n FROM ${table} WHERE ${where}`;
	await until(async () => (await server.query<{ n: number }>(sql))[0]?.n === count, { what: `${count} ${table}` });
}

/** Runs `tidemark …` with a key from the environment, as a user would. */
async function tidemark(...args: string[]): Promise<{ code: number; out: string; err: string }> {
	const child = spawn(process.execPath, [main, ...args], {
		cwd: server.dataDir,
		env: { PATH: process.env.PATH, TIDEMARK_URL: server.url, TIDEMARK_KEY: server.adminKey },
		stdio: ["ignore", "pipe", "pipe"],
	});
	const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
	return { code, out, err };
}

test("what the SDK tracks is stored, every record once, with its tags, context and causes", async () => {
	const client = new Client({ apiKey: server.adminKey, baseUrl: server.url });
	for (let n = 0; n < 3000; n++)
		client.monitoring.trackMetric({ name: "sdk.n", value: n, tags: { shard: String(n % 3) } });
	client.monitoring.trackEvent({ event: "sdk.event", properties: { tokens: 150, user_id: "user_123" } });
	client.monitoring.log({ message: "from the SDK", level: "warning", component: "sdk", context: { a: 1 } });
	client.monitoring.reportError(new RangeError("too far", { cause: new Error("too fast") }), { component: "sdk" });
	client.monitoring.profile("sdk.run", (profile) => profile.span("part", () => undefined), { trace_id: "t" });
	expect(await client.shutdown()).toMatchObject({
		queued: 0,
		accepted: 3004,
		rejected: 0,
		dropped: 0,
		last_error: undefined,
	});
	await stored("points", "name = 'sdk.n'", 3000);
	await stored("logs", "message = 'from the SDK'", 1);
	await stored("errors", "error_type = 'RangeError'", 1);
	await stored("events", "event = 'sdk.event' AND user_id = 'user_123'", 1);
	await stored("profiles", "operation = 'sdk.run' AND success AND cpu_ns IS NOT NULL AND span_names = ['part']", 1);
	expect(
		await server.query("SELECT sum(value) AS sum, uniqExact(series_id) AS series FROM points WHERE name = 'sdk.n'"),
	).toEqual([{ sum: (2999 * 3000) / 2, series: 3 }]);
	expect(await server.query("SELECT level, component FROM logs WHERE message = 'from the SDK'")).toEqual([
		{ level: "warning", component: "sdk" },
	]);
	const [error] = await server.query<{ stack: string }>("SELECT stack FROM errors WHERE error_type = 'RangeError'");
	expect(error?.stack).toMatch(/too far[\s\S]*Caused by: Error: too fast/);
});

test("what the server rejects the SDK counts, with the reason", async () => {
	const client = new Client({ apiKey: server.adminKey, baseUrl: server.url });
	client.monitoring.trackMetric({ name: "sdk.good", value: 1 });
	client.monitoring.trackMetric({ name: "sdk.bad", value: Number.NaN });
	const stats = await client.shutdown();
	expect(stats).toMatchObject({ accepted: 1, rejected: 1, dropped: 0 });
	expect(stats.recent_rejections).toMatchObject([{ index: 1, field: "value" }]);
});

test("a file that is imported twice is stored once", async () => {
	const path = join(temporaryFolder(), "events.ndjson");
	const lines = Array.from({ length: 12_000 }, (_, n) => `{"event":"imported","properties":{"n":${n}}}`);
	writeFileSync(path, `${lines.join("\n")}\nnot a record\n`);
	for (let again = 0; again < 2; again++) {
		expect(await tidemark("import", path)).toEqual({
			code: 0,
			out: "12,001 lines (ndjson): 12,000 records accepted, 1 rejected\n  line 12001: not a JSON object\n",
			err: "",
		});
	}
	await stored("events", "event = 'imported'", 12_000);
});

test("a gzipped log file is imported with its times, levels and stack traces", async () => {
	const path = join(temporaryFolder(), "app.log.gz");
	const at = new Date(Date.now() - 60_000).toISOString();
	writeFileSync(
		path,
		gzipSync(`${at} ERROR [main] it broke\njava.lang.Error: x\n\tat a.B.c(D.java:1)\n${at} INFO [main] it works\n`),
	);
	expect((await tidemark("import", "--component", "shop", path)).out).toBe(
		"4 lines (plain): 2 records accepted, 0 rejected\n",
	);
	const rows = () =>
		server.query(
			"SELECT level, message, toUnixTimestamp64Milli(ts) AS ms FROM logs WHERE component = 'shop' ORDER BY level",
		);
	await stored("logs", "component = 'shop'", 2);
	expect(await rows()).toEqual([
		{ level: "error", message: "ERROR [main] it broke\njava.lang.Error: x\n\tat a.B.c(D.java:1)", ms: Date.parse(at) },
		{ level: "info", message: "INFO [main] it works", ms: Date.parse(at) },
	]);
});

test("an import with a wrong key is one line and exit code 1", async () => {
	const path = join(temporaryFolder(), "one.ndjson");
	writeFileSync(path, '{"event":"e"}\n');
	const { code, err } = await tidemark("import", "--key", "tm_wrong_0123456789abcdef", path);
	expect(code).toBe(1);
	expect(err).toMatch(/^tidemark: import stopped after line 0: .*key.*\n$/);
});

test("the SDK's reads are answered as the contracts say", async () => {
	const client = new Client({ apiKey: server.adminKey, baseUrl: server.url });
	client.monitoring.trackMetric({ name: "queue.depth", value: 7, tags: { queue: "mail" } });
	client.monitoring.log({ message: "inference timed out", level: "error", component: "inference" });
	await client.flush();
	await stored("points", "name = 'queue.depth'", 1);
	await stored("logs", "component = 'inference'", 1);
	const { monitoring, analytics } = client;

	const health = await monitoring.systemHealth();
	expect(healthAnswer.parse(health).status).toEqual(expect.any(String));
	expect(health.avg_response_time).toBe(health.response_time_ms);
	const metrics = await monitoring.metrics({
		timeframe: "1h",
		granularity: "1h",
		metrics: ["queue.depth:max"],
		group_by: ["queue"],
	});
	expect(metricsAnswer.parse(metrics).data_points.at(-1)).toMatchObject({ "queue.depth:max": 7 });
	expect(metrics.groups?.[0]?.group).toEqual({ queue: "mail" });
	resourcesAnswer.parse(await monitoring.resourceUtilization({ timeframe: "24h", components: ["compute", "storage"] }));
	const logs = await monitoring.queryLogs({
		query: "level:ERROR AND component:inference",
		timeframe: "1h",
		limit: 100,
		sort: "timestamp desc",
	});
	expect(logsAnswer.parse(logs).logs).toMatchObject([{ message: "inference timed out", level: "error" }]);
	systemHealthAnswer.parse(await analytics.system.health());
	systemPerformanceAnswer.parse(await analytics.system.performance({ timeframe: "1h", granularity: "5m" }));
	const found = await analytics.system.logs({
		level: "error",
		component: "inference",
		search: "timed",
		start_time: new Date(Date.now() - 60_000),
	});
	expect(systemLogsAnswer.parse(found).logs).toHaveLength(1);
});

test("the SDK's reads of money are answered as the contracts say", async () => {
	const { monitoring, analytics } = new Client({ apiKey: server.adminKey, baseUrl: server.url });
	expect(revenueAnswer.parse(await monitoring.revenueMetrics({ timeframe: "30d", currency: "EUR" }))).toMatchObject({
		currency: "EUR",
		mrr: null,
	});
	const metrics = ["churn_rate", "support_ticket_volume"];
	const { meta, ...business } = businessAnswer.parse(await monitoring.businessDashboard({ timeframe: "7d", metrics }));
	expect(Object.keys(business)).toEqual(metrics);
	expect(meta.missing).toContainEqual({ field: "support_ticket_volume.value", needs: "event ticket.opened" });
	businessRevenueAnswer.parse(await analytics.business.revenue({ timezone: "Asia/Kathmandu" }));
	businessCustomersAnswer.parse(await analytics.business.customers({ start: new Date(0), limit: 1 }));
});

test("the SDK reads back the errors and profiles it sent, and a KPI over what it counted, until that is deleted", async () => {
	const client = new Client({ apiKey: server.adminKey, baseUrl: server.url });
	const { monitoring } = client;
	const context = { user_id: "u", order: 7 };
	for (let n = 0; n < 2; n++) monitoring.reportError(new TypeError("no plan"), { component: "billing", context });
	monitoring.profile("inference_pipeline", (profile) => profile.span("forward", () => undefined));
	monitoring.trackMetric({ name: "accurate_predictions", value: 90, kind: "counter" });
	monitoring.trackMetric({ name: "total_predictions", value: 100, kind: "counter" });
	await client.flush({ wait: true });

	const errors = errorAnalysisAnswer.parse(
		await monitoring.errorAnalysis({ timeframe: "1h", group_by: ["error_type", "component", "context.order"] }),
	);
	expect(errors.groups.find(({ component }) => component === "billing")).toMatchObject({
		...{ error_type: "TypeError", "context.order": 7, count: 2, affected_users: 1 },
		sample: { message: "no plan", user_id: "u", issue_id: expect.stringMatching(/^[0-9a-f]{16}$/) },
	});
	const profile = await monitoring.getProfilingData({ operation: "inference_pipeline", timeframe: "1h" });
	expect(profilingAnswer.parse(profile)).toMatchObject({ calls: 1, success_rate: 1 });
	expect(profile.flame.map(({ name, parent }) => [name, parent])).toEqual([
		["inference_pipeline", null],
		["forward", "inference_pipeline"],
	]);

	const kpi = await monitoring.createKpi({
		name: "Model Accuracy Rate",
		calculation: { numerator: "accurate_predictions", denominator: "total_predictions", format: "percentage" },
		target_value: 0.95,
	});
	expect(await monitoring.getKpi(kpi.kpi_id)).toEqual(kpi);
	expect(kpisAnswer.parse(await monitoring.listKpis({ limit: 10 })).kpis).toEqual([kpi]);
	const value = kpiValueAnswer.parse(await monitoring.kpiValue(kpi.kpi_id, { timeframe: "1h" }));
	expect(value).toMatchObject({ value: 0.9, display: "90%", attainment: 0.9474, status: "off_target" });
	expect(await monitoring.deleteKpi(kpi.kpi_id)).toBeUndefined();
	await expect(monitoring.kpiValue(kpi.kpi_id)).rejects.toBeInstanceOf(NotFoundError);
});

test("a read that asks for what there is not is a ValidationError that says what there is", async () => {
	const client = new Client({ apiKey: server.adminKey, baseUrl: server.url });
	await expect(client.monitoring.metrics({ timeframe: "2h" as "1h" })).rejects.toMatchObject({
		name: "ValidationError",
		status: 400,
		code: 400,
		details: { parameter: "timeframe", provided: "2h", valid_options: expect.arrayContaining(["1h", "24h"]) },
		requestId: expect.any(String),
	});
	await expect(
		new Client({ apiKey: "tm_wrong", baseUrl: server.url }).monitoring.systemHealth(),
	).rejects.toBeInstanceOf(AuthenticationError);
});

test("tidemark tail shows what was logged, then what is logged, and ends with Ctrl-C", async () => {
	const client = new Client({ apiKey: server.adminKey, baseUrl: server.url });
	const log = (message: string, level: "error" | "info") =>
		client.monitoring.log({ message, level, component: "tailed" });
	log("before", "error");
	await client.flush();
	await stored("logs", "component = 'tailed'", 1);
	const child = spawn(process.execPath, [main, "tail", "--query", "component:tailed", "--level", "warning"], {
		cwd: server.dataDir,
		env: { PATH: process.env.PATH, TIDEMARK_URL: server.url, TIDEMARK_KEY: server.adminKey },
		stdio: ["ignore", "pipe", "inherit"],
	});
	let out = "";
	child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
		out += chunk;
	});
	const messages = () =>
		out
			.split("\n")
			.filter(Boolean)
			.map((line) => line.split("tailed ")[1]);
	try {
		await until(() => messages().length === 1, { what: "the first line" });
		log("hidden", "info");
		log("after", "error");
		await until(() => messages().length === 2, { what: "the second line" });
		expect(messages()).toEqual(["before", "after"]);
	} finally {
		child.kill("SIGINT");
	}
	expect(await once(child, "close")).toEqual([0, null]);
});
