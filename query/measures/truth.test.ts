import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GRANULARITIES } from "../../schema/granularity.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { randomFrom } from "../../tests/support/random.ts";
import { insertSeries, type TestSeries } from "../../tests/support/records.ts";
import { trafficAndLatencyOf } from "../common/latency.ts";
import { QUANTILES } from "../plan/scan.ts";
import { type Asker, Queries } from "../run.ts";
import { bucketsOver } from "../time/buckets.ts";
import { AGGREGATIONS, type Aggregation, customMetric } from "./custom.ts";
import { CPU, moved, NETWORK_IO, utilization } from "./hosts.ts";
import { reachOf, type Scope } from "./scope.ts";
import { signals } from "./signals.ts";
import { HTTP, latencyQuantiles, requestSeries, totalOf, traffic } from "./traffic.ts";

const ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"];
/** Both changes of the clock lie inside: Lord Howe's on the 3rd of October (UTC), New York's on the 1st of November. */
const FROM = Date.parse("2026-09-30T00:00:00Z");
const TO = Date.parse("2026-11-05T00:00:00Z");
/** No point at or after it; within a bucket of every tier. */
const NEWEST = TO - 86_400_000 - 4_321_123;
const base = { now: TO, reach: reachOf(NO_EXPIRY) };

let database: TestDatabase;
let asker: Asker;
const all: TestSeries[] = [];

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	asker = new Queries({ client: database.client }).of("p");
	const u = randomFrom(11);
	// Some points lie exactly on boundaries, where an off-by-one would show.
	const times = (n: number) =>
		Array.from({ length: n }, (_, i) => {
			const ts = Math.floor(FROM + u() * (NEWEST - FROM));
			return i % 7 === 0 ? ts - (ts % 900_000) : ts;
		});
	const series = (
		name: string,
		kind: TestSeries["kind"],
		tags: Record<string, string>,
		n: number,
		value: () => number,
	) => all.push({ name, kind: kind!, tags, points: times(n).map((ts) => [ts, value()] as const) });
	for (const component of ["a", "b"]) {
		for (const status of ["200", "404", "500"]) {
			series(HTTP, "distribution", { component, "http.response.status_code": status }, 2_000, () =>
				Math.exp(-3 + 2 * u() * u()),
			);
		}
	}
	series("gauge", "gauge", { shop: "x", component: "a" }, 2_000, () => u() * 200 - 100);
	series("gauge", "gauge", { shop: "y" }, 2_000, () => u() * 1e9);
	series("spread", "distribution", { shop: "x", component: "a" }, 2_000, () => Math.exp(20 * u() - 10));
	series("spread", "distribution", { shop: "y", component: "b" }, 2_000, () => -Math.exp(5 * u()));
	series(CPU, "gauge", { "host.id": "h1" }, 1_000, () => u());
	series(CPU, "gauge", { "host.id": "h2", cpu: "0", "cpu.mode": "idle" }, 1_500, () => u());
	series(CPU, "gauge", { "host.id": "h2", cpu: "0", "cpu.mode": "user" }, 1_500, () => u());
	series(NETWORK_IO, "counter", { "host.id": "h1", "network.io.direction": "receive" }, 1_000, () =>
		Math.floor(u() * 1e6),
	);
	series(NETWORK_IO, "counter", { "host.id": "h1", "network.io.direction": "transmit" }, 1_000, () =>
		Math.floor(u() * 1e6),
	);
	// Late and out of order: three inserts, each with every third point of every series.
	for (const part of [2, 0, 1]) {
		const some = all.map((s) => ({ ...s, points: s.points.filter((_, i) => i % 3 === part) }));
		await insertSeries(database.client, "p", some);
	}
	await insertSeries(
		database.client,
		"other",
		all.map((s) => ({ ...s, points: s.points.slice(0, 50) })),
	);
});
afterAll(() => database?.stop());

/** Windows that begin and end anywhere, of a length that suits the granularity; some end between the newest point and the end of its bucket. */
const scopeArbitrary = fc
	.record({
		granularity: fc.constantFrom(...GRANULARITIES, null),
		zone: fc.constantFrom(...ZONES),
		end: fc.oneof(fc.integer({ min: FROM + 1, max: TO }), fc.integer({ min: NEWEST, max: NEWEST + 600_000 })),
		days: fc.double({ min: 0.001, max: 30, noNaN: true }),
		aligned: fc.boolean(),
	})
	.map(({ granularity, zone, end, days, aligned }): Scope => {
		const length = Math.ceil(86_400_000 * (granularity === "1m" ? days / 10 : days));
		const start = end - length;
		const buckets = granularity ? bucketsOver(start, end, granularity, zone) : undefined;
		return {
			...base,
			newest: NEWEST - 1,
			start: aligned && buckets ? buckets.starts[0]! * 1_000 : start,
			end,
			buckets,
		};
	});

/** The last of ascending starts (seconds) that is not after an instant. */
function startOf(starts: readonly number[], ts: number): number {
	let [low, high] = [0, starts.length - 1];
	while (low < high) {
		const middle = Math.ceil((low + high) / 2);
		if (starts[middle]! * 1_000 <= ts) low = middle;
		else high = middle - 1;
	}
	return starts[low]!;
}

/** Points of some series by start of the bucket. */
function truth(
	scope: Scope,
	of: (series: TestSeries) => boolean,
): Map<number, { series: TestSeries; ts: number; value: number }[]> {
	const found = new Map<number, { series: TestSeries; ts: number; value: number }[]>();
	for (const series of all.filter(of)) {
		for (const [ts, value] of series.points) {
			if (ts < scope.start || ts >= scope.end) continue;
			const t = scope.buckets ? startOf(scope.buckets.starts, ts) : 0;
			const bucket = found.get(t) ?? [];
			bucket.push({ series, ts, value });
			found.set(t, bucket);
		}
	}
	return found;
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;
const near = (actual: number | null, expected: number, scale = Math.abs(expected)) =>
	expect(Math.abs((actual ?? Number.NaN) - expected), `${actual} for ${expected}`).toBeLessThanOrEqual(
		1e-9 * Math.max(1, scale),
	);

/** Within 1 % of the values around the rank, which is what the sketch promises; 2 % where it has one bucket for two, at `one`. */
function expectQuantile(actual: number | null, values: readonly number[], level: number, one = 1): void {
	const sorted = [...values].sort((a, b) => a - b);
	const rank = level * (sorted.length - 1);
	const around = [sorted[Math.floor(rank)]!, sorted[Math.ceil(rank)]!].flatMap((value) => {
		const error = Math.abs(Math.abs(value) / one - 1) < 0.0203 ? 0.0203 : 0.0101;
		return [value * (1 - error), value * (1 + error)];
	});
	expect(actual).toBeGreaterThanOrEqual(Math.min(...around));
	expect(actual).toBeLessThanOrEqual(Math.max(...around));
}

test("requests, errors and latency of every bucket, in every zone, equal the points themselves", async () => {
	await fc.assert(
		fc.asyncProperty(scopeArbitrary, fc.constantFrom(undefined, "a", "b"), async (window, component) => {
			const scope = { ...window, component };
			const expected = truth(
				scope,
				(s) => s.name === HTTP && (component === undefined || s.tags?.component === component),
			);
			const found = await asker.ask(traffic(scope));
			expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
			for (const [t, points] of expected) {
				const bucket = found.get(t)!;
				expect(bucket.requests).toBe(points.length);
				expect(bucket.failed).toBe(
					points.filter(({ series }) => series.tags?.["http.response.status_code"] === "500").length,
				);
				near(bucket.latency_sum_ms, 1_000 * sum(points.map(({ value }) => value)));
				near(bucket.latency_max_ms, 1_000 * Math.max(...points.map(({ value }) => value)));
			}
			const known = await asker.ask(requestSeries());
			expect(known.failed).toHaveLength(2);
			const counts = (traffic: typeof found) =>
				[...traffic].map(([t, { failed, requests }]) => [t, failed, requests]).sort();
			expect(counts(await asker.ask(traffic(scope, known)))).toEqual(counts(found));
			const one = await asker.ask(traffic({ ...scope, buckets: undefined }));
			const total = totalOf(found.values());
			expect(totalOf(one.values())).toMatchObject({ requests: total.requests, failed: total.failed });
		}),
		{ numRuns: 40 },
	);
});

test("a failing series that is new is counted at once, and so is a name that was sent as another kind", async () => {
	const [start, end] = [FROM, FROM + 3_600_000];
	const of = new Queries({ client: database.client }).of("growing");
	const answer = async () => {
		const sent = of.ask(signals(end));
		const { traffic, latency } = await trafficAndLatencyOf(of, { ...base, start, end }, sent);
		const { requests, failed } = traffic.get(0)!;
		return { requests, failed, p50: latency.get(0)?.p50 };
	};
	const send = (status: string, kind: TestSeries["kind"], value: number) =>
		insertSeries(database.client, "growing", [
			{ name: HTTP, kind: kind!, tags: { "http.response.status_code": status }, points: [[start + 1, value]] },
		]);
	await send("200", "distribution", 0.1);
	expect(await answer()).toMatchObject({ requests: 1, failed: 0 });
	expect(await answer()).toMatchObject({ requests: 1, failed: 0 });
	expect(of.explained.filter(({ name }) => name === "request_series")).toHaveLength(1);
	await send("503", "distribution", 0.1);
	expect(await answer()).toMatchObject({ requests: 2, failed: 1 });
	// Gauges have no sketches: percentiles come from the points from now on.
	await send("404", "gauge", 8);
	await send("405", "gauge", 8);
	await send("406", "gauge", 8);
	const { p50 } = await answer();
	expect(Math.abs(p50! / 8_000 - 1)).toBeLessThan(0.011);
});

test("percentiles are within 1 % of the exact ones, whichever tiers they come from", async () => {
	await fc.assert(
		fc.asyncProperty(scopeArbitrary, fc.constantFrom(undefined, "a"), async (window, component) => {
			const scope = { ...window, component };
			const expected = truth(
				scope,
				(s) => s.name === HTTP && (component === undefined || s.tags?.component === component),
			);
			const found = await asker.ask(latencyQuantiles(scope, { names: [HTTP], raw: false }));
			expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
			for (const [t, points] of expected) {
				const { p50, p90, p95, p99 } = found.get(t)!;
				const values = points.map(({ value }) => 1_000 * value);
				for (const [i, actual] of [p50, p90, p95, p99].entries()) expectQuantile(actual, values, QUANTILES[i]!, 1_000);
			}
		}),
		{ numRuns: 30 },
	);
});

test("sketches merged over tiers answer what one sketch of the raw points does", async () => {
	const scope: Scope = { ...base, start: FROM + 12_345, end: TO - 54_321 };
	const merged = await asker.ask(latencyQuantiles(scope, { names: [HTTP], raw: false }));
	const raw = await asker.ask(latencyQuantiles(scope, { names: [HTTP], raw: true }));
	expect(asker.explained.at(-1)?.sql).not.toContain("sketch_");
	// Of milliseconds instead of seconds, so the buckets of the sketch lie otherwise.
	for (const level of ["p50", "p90", "p95", "p99"] as const) {
		expect(Math.abs(merged.get(0)![level] / raw.get(0)![level] - 1)).toBeLessThan(0.021);
	}
});

function aggregate(
	aggregation: Aggregation,
	points: readonly { ts: number; value: number }[],
	seconds: number,
): number {
	const values = points.map(({ value }) => value);
	switch (aggregation) {
		case "avg":
			return mean(values);
		case "sum":
			return sum(values);
		case "min":
			return Math.min(...values);
		case "max":
			return Math.max(...values);
		case "count":
			return values.length;
		case "rate":
			return sum(values) / seconds;
		default:
			throw new Error(aggregation);
	}
}

test("every aggregation of an ingested metric, over all series and by tag, equals the points themselves", async () => {
	await fc.assert(
		fc.asyncProperty(
			scopeArbitrary,
			fc.constantFrom("gauge", "spread"),
			fc.constantFrom(...AGGREGATIONS),
			fc.constantFrom<string[]>([], ["shop"], ["component"], ["shop", "component", "none"]),
			fc.constantFrom(undefined, "a"),
			async (window, metric, aggregation, groupBy, component) => {
				const scope = { ...window, component };
				const kinds = [metric === "gauge" ? "gauge" : "distribution"];
				const rows = await asker.ask(customMetric(scope, { metric, aggregation, kinds, groupBy, seconds: () => 7 }));
				const keyOf = (group: readonly string[], t: number) => JSON.stringify([group, t]);
				const found = new Map(rows.map((row) => [keyOf(row.group, row.t), row]));
				const expected = new Map<string, { ts: number; value: number }[]>();
				const ofMetric = (s: TestSeries) =>
					s.name === metric && (component === undefined || s.tags?.component === component);
				for (const [t, points] of truth(scope, ofMetric)) {
					for (const point of points) {
						const key = keyOf(
							groupBy.map((tag) => point.series.tags?.[tag] ?? ""),
							t,
						);
						expected.set(key, [...(expected.get(key) ?? []), point]);
					}
				}
				expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
				for (const [key, points] of expected) {
					const { value, n } = found.get(key)!;
					const values = points.map((point) => point.value);
					expect(n).toBe(points.length);
					if (aggregation.startsWith("p")) expectQuantile(value, values, Number(aggregation.slice(1)) / 100);
					else if (aggregation === "last") {
						const last = Math.max(...points.map(({ ts }) => ts));
						expect(points.filter(({ ts }) => ts === last).map((point) => point.value)).toContain(value);
					} else near(value, aggregate(aggregation, points, 7), Math.max(...values.map(Math.abs)) * values.length);
				}
			},
		),
		{ numRuns: 60 },
	);
});

test("utilisation is a mean over hosts of their own means, idle turned round; bytes moved are sums by direction", async () => {
	await fc.assert(
		fc.asyncProperty(scopeArbitrary, async (scope) => {
			const share = ({ series, value }: { series: TestSeries; value: number }) =>
				series.tags?.["cpu.mode"] === "idle" ? 1 - value : value;
			const expected = truth(scope, (s) => s.name === CPU && s.tags?.["cpu.mode"] !== "user");
			const found = (await asker.ask(utilization(scope)))[CPU]!;
			expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
			for (const [t, points] of expected) {
				const hosts = ["h1", "h2"].map((host) =>
					points.filter(({ series }) => series.tags?.["host.id"] === host).map(share),
				);
				near(found.get(t)!.host_mean, mean(hosts.filter((values) => values.length > 0).map(mean)));
				near(found.get(t)!.sample_mean, mean(points.map(share)));
				near(found.get(t)!.peak, Math.max(...points.map(share)));
			}
			const bytes = await asker.ask(moved(scope, NETWORK_IO));
			for (const [t, points] of truth(scope, (s) => s.name === NETWORK_IO)) {
				const of = (direction: string) =>
					sum(
						points
							.filter(({ series }) => series.tags?.["network.io.direction"] === direction)
							.map(({ value }) => value),
					);
				expect(bytes.get(t)).toEqual({ in: of("receive"), out: of("transmit") });
			}
		}),
		{ numRuns: 25 },
	);
});
