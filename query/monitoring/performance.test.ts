/** The whole answer, on a project whose numbers are known. */
import { Hono } from "hono";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAuth } from "../../http/auth.ts";
import type { AppEnv } from "../../http/env.ts";
import { errorHandler } from "../../http/errors.ts";
import { KeyStore } from "../../http/keys.ts";
import { LocalRateLimiter } from "../../http/rate-limit.ts";
import { type PerformanceAnswer, performanceAnswer, rulesAnswer } from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { insertEvents, insertSeries, type TestSeries } from "../../tests/support/records.ts";
import { queryRoutes } from "../index.ts";
import { reachOf } from "../measures/scope.ts";
import { Queries } from "../run.ts";

const NOW = Date.parse("2026-11-18T15:00:00Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let database: TestDatabase;
let app: Hono<AppEnv>;
const keys: Record<string, string> = {};

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const { client } = database;
	const store = new KeyStore({ client });
	for (const project of ["p", "young", "rising"]) {
		keys[project] = (await store.create({ project, name: "k", roles: ["analytics_viewer"] })).secret;
	}
	app = new Hono<AppEnv>();
	app.onError(errorHandler(() => undefined));
	app.route(
		"/",
		queryRoutes({
			queries: new Queries({ client, secondLock: false }),
			reach: reachOf(NO_EXPIRY),
			requireRole: createAuth({ keys: store, limiter: new LocalRateLimiter() }),
			now: () => NOW,
		}),
	);
	await insertSeries(client, "p", [...weeks(), ...gauges()]);
	await insertEvents(
		client,
		"p",
		Array.from({ length: 1_440 }, (_, i) => ({
			event: "check.completed",
			ts: NOW - (i + 1) * MINUTE,
			properties: { check_id: "c", component: "api", location: "x", ok: "true" },
		})),
	);
	await insertSeries(
		client,
		"young",
		weeks().map((s) => ({ ...s, points: s.points.filter(([ts]) => ts >= NOW - 14 * DAY + 1) })),
	);
	await insertSeries(client, "rising", rising());
});
afterAll(() => database?.stop());

/** 10 requests an hour of 400 ms in the week before, 12 of 300 ms in this one; one in ten of these fails, and takes as long. */
function weeks(): TestSeries[] {
	const points = (from: number, count: number, seconds: number) =>
		Array.from(
			{ length: 168 * count },
			(_, i) => [NOW - from + Math.floor(i / count) * HOUR + (i % count) * MINUTE, seconds] as const,
		);
	const tags = (status: string) => ({ component: "api", "http.response.status_code": status });
	const now = points(7 * DAY, 12, 0.3);
	return [
		{
			name: "http.server.request.duration",
			kind: "distribution",
			tags: tags("200"),
			points: [...points(14 * DAY, 10, 0.4), ...now.filter((_, i) => i % 10 !== 0)],
		},
		{
			name: "http.server.request.duration",
			kind: "distribution",
			tags: tags("500"),
			points: now.filter((_, i) => i % 10 === 0),
		},
		// Every other hour of this week is busier, and the graphics processor with it.
		{
			name: "http.server.request.duration",
			kind: "distribution",
			tags: { component: "batch", "http.response.status_code": "200" },
			points: Array.from(
				{ length: 84 * 5 },
				(_, i) => [NOW - 7 * DAY + Math.floor(i / 5) * 2 * HOUR + (i % 5) * 1_000, 0.3] as const,
			),
		},
	];
}

function gauges(): TestSeries[] {
	const every = (value: (ts: number) => number) =>
		Array.from({ length: 7 * 24 * 12 }, (_, i) => NOW - 7 * DAY + i * 5 * MINUTE).map((ts) => [ts, value(ts)] as const);
	const busy = (ts: number) => Math.floor((ts - (NOW - 7 * DAY)) / HOUR) % 2 === 0;
	return [
		{
			name: "gpu.utilization",
			tags: { component: "inference", "host.id": "g", device: "0" },
			points: every((ts) => (busy(ts) ? 0.95 : 0.1)),
		},
		{ name: "system.memory.utilization", tags: { "host.id": "lonely" }, points: every(() => 0.8) },
	];
}

/** A volume that fills by 0.4 % a day, a graphics processor of two hosts by 0.5 %. */
function rising(): TestSeries[] {
	const daily = (from: number, slope: number) =>
		Array.from({ length: 90 * 4 }, (_, i) => {
			const ts = NOW - 90 * DAY + i * 6 * HOUR;
			return [ts, from + (slope * i) / 4] as const;
		});
	return [
		{
			name: "system.filesystem.utilization",
			tags: { component: "data", "host.id": "s", device: "sda" },
			points: daily(0.4, 0.004),
		},
		{ name: "gpu.utilization", tags: { component: "inference", "host.id": "g1" }, points: daily(0.3, 0.005) },
		{ name: "gpu.utilization", tags: { component: "inference", "host.id": "g2" }, points: daily(0.2, 0.005) },
	];
}

async function ask(project: string, parameters = ""): Promise<PerformanceAnswer> {
	const response = await app.request(`/v1/monitoring/performance?${parameters}`, {
		headers: { "X-API-Key": keys[project]! },
	});
	const body = await response.json();
	expect(response.status, JSON.stringify(body)).toBe(200);
	return performanceAnswer.strict().parse(body);
}

test("the score is of the last 24 hours, and each part says what it is made of", async () => {
	const { performance_score, breakdown } = await ask("p");
	// 288 requests and 60 of the batch: 29 of them failed.
	const requests = 348;
	const rate = Number((29 / requests).toFixed(4));
	expect(breakdown.latency).toEqual({ weight: 0.4, value: 1 - rate, score: 1 - rate });
	expect(breakdown.errors).toEqual({ weight: 0.3, value: rate, score: 0 });
	expect(breakdown.availability).toEqual({ weight: 0.2, value: 1, score: 1 });
	expect(breakdown.saturation.value).toBeCloseTo(0.95, 4);
	expect(breakdown.saturation.score).toBeCloseTo(1 / 6, 3);
	expect(performance_score).toBeCloseTo(100 * (0.4 * (1 - 29 / requests) + 0.2 + 0.1 / 6), 1);
	expect((await ask("p", "apdex_t_ms=75")).breakdown.latency.value).toBeCloseTo((requests - 29) / 2 / requests, 4);
});

test("bottlenecks are of the busiest hours, with evidence that can be followed", async () => {
	const { bottlenecks } = await ask("p");
	expect(bottlenecks!.map(({ component, resource, severity }) => [component, resource, severity])).toEqual([
		["inference", "gpu", "high"],
		["api", "errors", "medium"],
		["lonely", "memory", "low"],
	]);
	const [gpu] = bottlenecks!;
	expect(gpu).toMatchObject({
		description: "GPU utilization reaching 95% during peak hours",
		recommendation: "Add GPU resources before the next peak",
		evidence: { metric: "gpu.utilization", value: 0.95, threshold: 0.92, host: "g", device: "0" },
	});
	for (const { evidence } of bottlenecks!) {
		const response = await app.request(evidence.query_link, { headers: { "X-API-Key": keys.p! } });
		const shown = (await response.json()) as { data_points: Record<string, number | null>[] };
		expect(response.status, JSON.stringify(shown)).toBe(200);
		const name = new URL(evidence.query_link, "http://x").searchParams.get("metrics")!;
		expect(shown.data_points.some((point) => typeof point[name] === "number")).toBe(true);
	}
});

test("a week is compared with the week before, by a test", async () => {
	const { trends } = await ask("p");
	expect(trends.response_time).toMatchObject({ direction: "improving", change_percentage: -25, period: "7d" });
	const change = (100 * (12 * 168 + 420 - 10 * 168)) / (10 * 168);
	expect(trends.throughput).toMatchObject({ direction: "increasing", change_percentage: Number(change.toFixed(1)) });
	expect(trends.throughput.p_value).toBeLessThan(0.001);
});

test("a week that was not seen whole is nothing to compare with", async () => {
	const { trends, meta, bottlenecks, capacity_analysis } = await ask("young");
	expect(trends.response_time).toEqual({ direction: null, change_percentage: null, period: "7d", p_value: null });
	expect(bottlenecks).toMatchObject([{ component: "api", resource: "errors" }]);
	expect(capacity_analysis).toMatchObject({ current_utilization: null, scaling_recommendations: [] });
	expect(meta.missing.map(({ field }) => field)).toContain("capacity_analysis.current_utilization");
	expect(meta.missing.map(({ field }) => field)).not.toContain("trends.response_time.direction");
});

test.each(["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"])(
	"what fills up has a date, and what to add until then, in days of %s",
	async (timezone) => {
		const { capacity_analysis: capacity } = await ask("rising", `timezone=${timezone}`);
		// The graphics processor ends at 0.3 + 0.45, the volume at 0.76.
		expect(capacity.binding_resource).toMatchObject({ resource: "storage", component: "data", device: "sda" });
		expect(capacity.current_utilization).toBeCloseTo(0.759, 2);
		const [gpu, storage] = capacity.projections;
		expect(capacity.projected_capacity_limit).toBe(gpu!.date);
		expect(gpu).toMatchObject({ resource: "gpu", component: "inference", limit: 0.9 });
		// 0.75 at the end: 0.15 / 0.005 = 30 days to 0.9; of the volume 0.24 / 0.004 = 60 days to 1.
		expect(Math.abs(Date.parse(gpu!.date) - (NOW + 30 * DAY))).toBeLessThan(1.5 * DAY);
		expect(Math.abs(Date.parse(storage!.date) - (NOW + 60 * DAY))).toBeLessThan(1.5 * DAY);
		expect(gpu!.r_squared).toBeCloseTo(1, 3);
		// Two nodes at 1.2: 2 × 1.2 / 0.7 − 2; a volume of 1.12: 60 % more.
		expect(capacity.scaling_recommendations).toEqual([
			"Add 2 additional inference nodes",
			expect.stringMatching(/^Increase storage capacity of data by (59|60|61)%$/),
		]);
		// The date is a start of a day there.
		const hour = new Intl.DateTimeFormat("en", { timeZone: timezone, timeStyle: "short", hour12: false });
		expect(hour.format(new Date(gpu!.date))).toMatch(/^(00|24):00$/);
	},
);

test("as of a moment before it rose enough nothing later counts", async () => {
	const early = await ask("rising", `as_of=${new Date(NOW - 80 * DAY).toISOString()}`);
	expect(early.capacity_analysis).toMatchObject({ projected_capacity_limit: null, projections: [] });
	expect(early.capacity_analysis.current_utilization).toBeCloseTo(0.44, 2);
});

test("every label can be looked up, by whoever may read", async () => {
	const response = await app.request("/v1/monitoring/rules", { headers: { "X-API-Key": keys.p! } });
	const { version, rules } = rulesAnswer.strict().parse(await response.json());
	expect(version).toBeGreaterThan(0);
	expect(rules).toMatchObject({
		components: { error_rate: 0.05 },
		bottlenecks: { gpu: { recommendations: { medium: "Consider adding more GPU resources" } } },
		trends: { change_percentage: 5 },
	});
	expect((await app.request("/v1/monitoring/rules?x=1", { headers: { "X-API-Key": keys.p! } })).status).toBe(400);
	expect((await app.request("/v1/monitoring/rules")).status).toBe(401);
});
