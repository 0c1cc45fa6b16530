import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HTTP_ALIAS } from "../../schema/failed-requests.ts";
import type { LivePart } from "../../schema/live/frames.ts";
import { KEPT_ATTRIBUTES, KEPT_TAGS, keptValue } from "../../schema/live/kept-tags.ts";
import { nameMatcher } from "../../schema/live/patterns.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { randomFrom } from "../../tests/support/random.ts";
import { insertEvents, insertSeries, type TestEvent, type TestSeries } from "../../tests/support/records.ts";
import { type Asker, Queries } from "../run.ts";
import { CPU, hostMean, MEMORY, utilization } from "./hosts.ts";
import { GAUGE_LOOKBACK_MS, recentModelCalls, recentPoints } from "./live.ts";
import { MODEL_EVENT, modelCallsOf } from "./models.ts";
import { reachOf, type Scope } from "./scope.ts";
import { HTTP, traffic, trafficOf } from "./traffic.ts";

const END = Date.parse("2026-11-01T12:00:00Z");
const INTERVAL_MS = 60_000;
const scope: Scope = { start: END - INTERVAL_MS, end: END, now: END, reach: reachOf(NO_EXPIRY) };

let database: TestDatabase;
let asker: Asker;
const all: TestSeries[] = [];
const events: TestEvent[] = [];

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	asker = new Queries({ client: database.client, secondLock: false }).of("p");
	const u = randomFrom(5);
	const pick = <T>(from: readonly T[]): T => from[Math.floor(u() * from.length)]!;
	const series = (name: string, kind: TestSeries["kind"], tags: Record<string, string>, n: number) =>
		all.push({
			...{ name, kind: kind!, tags },
			points: Array.from({ length: n }, () => [Math.floor(END - u() * 2 * GAUGE_LOOKBACK_MS), u()] as const),
		});
	// Texts that are no status, or one that only one of the two names reads.
	for (const status of [
		"",
		"200",
		"404",
		"499",
		"500",
		"503",
		"0500",
		" 500",
		"5e2",
		"66036",
		"65535",
		"abc",
		"-500",
		"+500",
	]) {
		for (const error of ["", "timeout"]) {
			series(
				HTTP,
				"distribution",
				{ "http.response.status_code": status, "error.type": error, "http.route": "/a" },
				20,
			);
			series(HTTP, "distribution", { "http.response.status_code": status, status: "500" }, 20);
			series(HTTP_ALIAS, "distribution", { status, "error.type": error }, 20);
		}
	}
	for (const host of ["a", "b", ""]) {
		const named = host === "" ? {} : { "host.id": host, "host.name": "same" };
		for (const state of ["", "idle", "user"]) series(CPU, "gauge", { ...named, "cpu.mode": state, state: "idle" }, 30);
		for (const state of ["used", "free"]) series(MEMORY, "gauge", { ...named, state }, 30);
	}
	series("sent.counter", "counter", { shop: "x'\\" }, 50);
	series("sent.counter", "counter", { shop: "größe" }, 50);
	series("sent%", "distribution", {}, 50);
	series("odd.größe/\"'", "gauge", { a: "b" }, 50);
	for (let i = 0; i < 500; i++) {
		events.push({
			event: MODEL_EVENT,
			ts: Math.floor(END - u() * 2 * INTERVAL_MS),
			properties: {
				...(u() < 0.5 ? { error_type: pick(["timeout", "cancelled", "rate_limit", ""]) } : {}),
				...(u() < 0.5 ? { success: pick<string | number>(["true", "false", "False", 0, 1]) } : {}),
				...(u() < 0.8 ? { latency_ms: pick([0, 1_000 * u(), -1]) } : {}),
			},
		});
	}
	for (const project of ["p", "other"]) {
		await insertSeries(database.client, project, project === "p" ? all : all.slice(0, 40));
		await insertEvents(database.client, project, project === "p" ? events : events.slice(0, 100));
	}
});
afterAll(() => database?.stop());

/** Parts as ingest folds them of the points of a window. */
function folded(names: readonly string[], start: number, end: number, lastOnly: boolean): LivePart[] {
	const matches = nameMatcher(names);
	return all
		.filter(({ name }) => matches(name))
		.flatMap(({ name, kind, tags = {}, points }) => {
			const inside = points.filter(([ts]) => ts >= start && ts < end).sort(([a], [b]) => a - b);
			const used = lastOnly ? inside.slice(-1) : inside;
			if (used.length === 0) return [];
			const kept = Object.entries(tags).filter(([tag]) => (KEPT_TAGS[name] ?? []).includes(tag));
			const values = used.map(([, value]) => value);
			return [
				{
					...({ signal: "metric", name, kind: kind!, n: used.length, sum: values.reduce((a, b) => a + b) } as const),
					...{ min: Math.min(...values), max: Math.max(...values), last: values.at(-1)!, last_at: used.at(-1)![0] },
					tags: Object.fromEntries(kept.map(([tag, value]) => [tag, keptValue(tag, value)])),
				},
			];
		});
}

/** One line a name, kind and kept tags, with what they add up to. */
function summed(parts: readonly LivePart[]): Record<string, object> {
	const groups = new Map<string, LivePart[]>();
	for (const part of parts) {
		const key = JSON.stringify([part.name, part.kind, ...Object.entries(part.tags).sort()]);
		groups.set(key, [...(groups.get(key) ?? []), part]);
	}
	return Object.fromEntries(
		[...groups].map(([key, of]) => {
			const last = of.reduce((a, b) => (b.last_at > a.last_at ? b : a));
			return [
				key,
				{
					n: of.reduce((sum, { n }) => sum + n, 0),
					sum: expect.closeTo(
						of.reduce((sum, part) => sum + part.sum, 0),
						9,
					),
					min: Math.min(...of.map(({ min }) => min)),
					max: Math.max(...of.map(({ max }) => max)),
					...{ last: last.last, last_at: last.last_at },
				},
			];
		}),
	);
}

const plain = (parts: readonly LivePart[]) =>
	Object.fromEntries(
		parts.map(({ name, kind, tags, n, sum, min, max, last, last_at }) => [
			JSON.stringify([name, kind, ...Object.entries(tags).sort()]),
			{ n, sum, min, max, last, last_at },
		]),
	);

test.each([
	["by name", ["sent.counter", HTTP, HTTP_ALIAS, "sent%"]],
	["by pattern, in which % and _ stand for themselves", ["sent%*", "odd*\"'", "*.cpu.*", "se_t*"]],
	["of everything", ["*"]],
])(
	"a snapshot %s holds what was stored in the interval, and of gauges the last value of each series",
	async (_, names) => {
		const gauges = folded(names, END - GAUGE_LOOKBACK_MS, END, true).filter(({ kind }) => kind === "gauge");
		const others = folded(names, END - INTERVAL_MS, END, false).filter(({ kind }) => kind !== "gauge");
		const found = await asker.ask(recentPoints(names, END, INTERVAL_MS));
		expect(plain(found)).toEqual(summed([...gauges, ...others]));
	},
);

test("failed requests and response times of what comes in are those of what was stored", async () => {
	const { requests, failed, latency_sum_ms, latency_max_ms } = (await asker.ask(traffic(scope))).get(0)!;
	const live = trafficOf(folded([HTTP, HTTP_ALIAS], scope.start, scope.end, false));
	expect(live).toEqual({
		...{ requests, failed },
		latency_sum_ms: expect.closeTo(latency_sum_ms, 6),
		latency_max_ms: expect.closeTo(latency_max_ms, 9),
	});
	expect(failed).toBeGreaterThan(0);
});

test.each([CPU, MEMORY])("the mean of %s over hosts of what comes in is that of what was stored", async (name) => {
	const stored = (await asker.ask(utilization(scope)))[name]!.get(0)!;
	expect(hostMean(folded([name], scope.start, scope.end, false))).toBeCloseTo(stored.host_mean, 9);
});

test("calls of models end in what comes in as they do in what was stored, and in a snapshot", async () => {
	const inside = events.filter(({ ts }) => ts >= scope.start && ts < scope.end);
	const parts = inside.map(({ event, ts, properties = {} }): LivePart => {
		const of = (type: string) => Object.entries(properties).filter(([, value]) => typeof value === type);
		const { tags, value } = KEPT_ATTRIBUTES[MODEL_EVENT]!({
			strings: new Map(of("string") as [string, string][]),
			numbers: new Map(of("number") as [string, number][]),
		});
		return {
			...{ signal: "event", name: event, kind: "counter", tags, n: 1, sum: value },
			...{ min: value, max: value, last: value, last_at: ts },
		};
	});
	const snapshot = modelCallsOf(await asker.ask(recentModelCalls(END, INTERVAL_MS)));
	const live = modelCallsOf(parts);
	expect(snapshot).toEqual({ ...live, latency_ms: expect.closeTo(live.latency_ms, 6) });
	for (const count of Object.values(live)) expect(count).toBeGreaterThan(0);
});

test("a pattern fits a name exactly when * stands for some text in it", () => {
	const texts = fc.string({ unit: fc.constantFrom("a", "b", ".", "*"), maxLength: 8 });
	fc.assert(
		fc.property(texts, texts, (pattern, name) => {
			const expected = new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*")}$`, "s");
			expect(nameMatcher([pattern])(name)).toBe(expected.test(name));
		}),
		{ numRuns: 2_000, seed: 3 },
	);
});
