/** What conditions are about, at many instants at once: against plain TypeScript over the same records, window by window. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Kpi } from "../../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { randomFrom } from "../../../tests/support/random.ts";
import {
	insertEvents,
	insertLogs,
	insertSeries,
	type TestEvent,
	type TestLog,
	type TestSeries,
} from "../../../tests/support/records.ts";
import { Queries } from "../../run.ts";
import type { Trailing } from "../../time/buckets.ts";
import { reachOf } from "../scope.ts";
import { HTTP } from "../traffic.ts";
import { type AlertAsking, ConditionError } from "./asking.ts";
import { type Measured, valuesOf } from "./values.ts";

const FROM = Date.parse("2026-03-28T20:00:00Z");
const TO = FROM + 4 * 3_600_000;
const KPI: Kpi = {
	...{ name: "conversion", description: "", target_value: 1, trend_direction: "higher_is_better" },
	calculation: { numerator: "order paid", denominator: "visits", format: "ratio" },
};

let database: TestDatabase;
let asking: AlertAsking;
const series: TestSeries[] = [];
const events: TestEvent[] = [];
const logs: TestLog[] = [];

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const u = randomFrom(5);
	const times = (n: number) =>
		Array.from({ length: n }, (_, i) => {
			const ts = Math.floor(FROM + u() * (TO - FROM));
			// On the edge of minutes an off-by-one would show.
			return i % 5 === 0 ? ts - (ts % 60_000) : ts;
		});
	const add = (name: string, kind: "gauge" | "counter" | "distribution", tags: Record<string, string>, n: number) =>
		series.push({ name, kind, tags, points: times(n).map((ts) => [ts, Math.round(u() * 1_000) / 1_000] as const) });
	for (const component of ["a", "b 'ü"])
		for (const status of ["200", "500"])
			add(HTTP, "distribution", { component, "http.response.status_code": status }, 300);
	add("depth", "gauge", { queue: "x" }, 200);
	add("depth", "gauge", { queue: "y/1" }, 80);
	add("visits", "counter", { queue: "x" }, 200);
	add("system.cpu.utilization", "gauge", { "host.id": "h1" }, 150);
	add("system.cpu.utilization", "gauge", { "host.id": "h2", cpu: "0" }, 150);
	for (const [i, ts] of times(400).entries())
		events.push({
			event: i % 3 === 0 ? "order paid" : "other",
			ts,
			user_id: `u${i % 9}`,
			properties: { plan: i % 2 ? "pro" : "free", seats: i % 4 },
		});
	for (const [i, ts] of times(400).entries())
		logs.push({
			ts,
			message: i % 4 === 0 ? "disk full" : "fine",
			level: i % 3 === 0 ? "error" : "info",
			component: i % 2 ? "db" : "",
		});
	const [half, rest] = [0, 1].map((part) =>
		series.map((one) => ({ ...one, points: one.points.filter((_, i) => i % 2 === part) })),
	);
	await insertSeries(database.client, "p", half!);
	await insertEvents(database.client, "p", events);
	await insertLogs(database.client, "p", logs);
	await insertSeries(database.client, "p", rest!);
	await insertSeries(
		database.client,
		"other",
		series.map((one) => ({ ...one, points: one.points.slice(0, 40) })),
	);
	await insertEvents(database.client, "other", events.slice(0, 50));
	const asker = new Queries({ client: database.client, secondLock: false }).of("p");
	asking = {
		ask: (question) => asker.ask(question),
		...{ now: TO, reach: reachOf(NO_EXPIRY) },
		kpi: async (id) => (id === "known" ? KPI : undefined),
		healthScore: async (at) => (at / 60_000) % 100,
	};
}, 60_000);
afterAll(() => database?.stop());

/** Windows of any length and distance, some before the first record and after the last. */
const spans: fc.Arbitrary<Trailing> = fc.record({
	first: fc.integer({ min: -10, max: 240 }).map((minute) => FROM / 1_000 + minute * 60),
	step: fc.constantFrom(60, 120, 300, 900, 3_600),
	count: fc.integer({ min: 1, max: 60 }),
	length: fc.constantFrom(60, 180, 300, 900, 3_600, 7_200),
});
type Sample = { readonly ts: number; readonly value: number; readonly group: readonly string[]; readonly key?: string };

/** Of each window, by its end and group, what `fold` makes of the samples in it. */
function truth(span: Trailing, samples: readonly Sample[], fold: (inside: readonly Sample[]) => number | null) {
	const found = new Map<string, Map<number, number>>();
	for (const key of new Set(samples.map(({ group }) => JSON.stringify(group)))) {
		const own = samples.filter(({ group }) => JSON.stringify(group) === key);
		for (let i = 0; i < span.count; i++) {
			const t = span.first + i * span.step;
			const inside = own.filter(({ ts }) => ts >= (t - span.length) * 1_000 && ts < t * 1_000);
			const value = inside.length === 0 ? null : fold(inside);
			if (value === null) continue;
			found.set(key, (found.get(key) ?? new Map<number, number>()).set(t, value));
		}
	}
	return found;
}

function pointsOf(name: string, groupBy: readonly string[] = [], filter: Record<string, string> = {}): Sample[] {
	return series
		.filter((one) => one.name === name && Object.entries(filter).every(([tag, value]) => one.tags?.[tag] === value))
		.flatMap(({ tags = {}, points }) =>
			points.map(([ts, value]) => ({
				...{ ts, value, group: groupBy.map((tag) => tags[tag] ?? "") },
				key: `${tags["host.id"]} ${tags["http.response.status_code"]}`,
			})),
		);
}
const sum = (all: readonly Sample[]) => all.reduce((total, { value }) => total + value, 0);
const mean = (all: readonly Sample[]) => sum(all) / all.length;

interface Case {
	readonly name: string;
	readonly measured: Measured;
	readonly groupBy?: readonly string[];
	readonly samples: () => readonly Sample[];
	readonly fold: (inside: readonly Sample[], span: Trailing) => number | null;
	readonly missing?: number;
}
const asEvents =
	(matches: (event: TestEvent) => boolean, group: (event: TestEvent) => string[] = () => []) =>
	() =>
		events.filter(matches).map((event) => ({ ts: event.ts, value: 1, group: group(event) }));
const CASES: readonly Case[] = [
	{ name: "mean of a gauge", measured: { metric: "depth" }, samples: () => pointsOf("depth"), fold: mean },
	{
		...{ name: "maximum by tag", measured: { metric: "depth", aggregation: "max" }, groupBy: ["queue"] },
		...{ samples: () => pointsOf("depth", ["queue"]), fold: (all) => Math.max(...all.map(({ value }) => value)) },
	},
	{
		...{ name: "filtered by tag", measured: { metric: "depth", filter: { queue: "y/1" } } },
		...{ samples: () => pointsOf("depth", [], { queue: "y/1" }), fold: mean },
	},
	{ name: "sum of a counter", measured: { metric: "visits" }, samples: () => pointsOf("visits"), fold: sum },
	{
		...{ name: "increase a minute", measured: { metric: "visits", aggregation: "per_minute" } },
		...{ samples: () => pointsOf("visits"), fold: (all, { length }) => (60 * sum(all)) / length },
	},
	{
		...{ name: "error rate", measured: { metric: "error_rate" }, samples: () => pointsOf(HTTP) },
		fold: (all) => all.filter(({ key }) => key?.endsWith("500")).length / all.length,
	},
	{
		...{ name: "error rate by component", measured: { metric: "error_rate" }, groupBy: ["component"] },
		samples: () => pointsOf(HTTP, ["component"]),
		fold: (all) => all.filter(({ key }) => key?.endsWith("500")).length / all.length,
	},
	{
		...{ name: "mean response time in ms", measured: { metric: "response_time" }, samples: () => pointsOf(HTTP) },
		fold: (all) => 1_000 * mean(all),
	},
	{ name: "requests", measured: { metric: "api_requests" }, samples: () => pointsOf(HTTP), fold: (all) => all.length },
	{
		...{ name: "processors, mean over hosts", measured: { metric: "cpu_utilization" } },
		samples: () => pointsOf("system.cpu.utilization"),
		fold: (all) => {
			const hosts = [...new Set(all.map(({ key }) => key))];
			const means = hosts.map((host) => mean(all.filter(({ key }) => key === host)));
			return means.reduce((total, value) => total + value, 0) / means.length;
		},
	},
	{
		...{ name: "processors of each host, percent", measured: { metric: "system.cpu_usage" }, groupBy: ["host.id"] },
		...{ samples: () => pointsOf("system.cpu.utilization", ["host.id"]), fold: (all) => 100 * mean(all) },
	},
	{
		...{ name: "events", measured: { metric: "events", event: "order paid" }, missing: 0 },
		...{ samples: asEvents(({ event }) => event === "order paid"), fold: sum },
	},
	{
		...{ name: "events by property", measured: { metric: "events", event: "other" }, groupBy: ["seats"], missing: 0 },
		samples: asEvents(
			({ event }) => event === "other",
			({ properties }) => [String(properties?.seats)],
		),
		fold: sum,
	},
	{
		...{
			name: "events of some, a minute",
			measured: { metric: "events", event: "other", filter: { plan: "pro" }, aggregation: "per_minute" },
		},
		...{ samples: asEvents(({ event, properties }) => event === "other" && properties?.plan === "pro"), missing: 0 },
		fold: (all, { length }) => (60 * sum(all)) / length,
	},
	{
		...{ name: "log lines by query", measured: { metric: "logs", query: "level:error AND disk" }, missing: 0 },
		samples: () =>
			logs
				.filter(({ level, message }) => level === "error" && message.includes("disk"))
				.map(({ ts }) => ({ ts, value: 1, group: [] })),
		fold: sum,
	},
	{
		...{ name: "log lines by component", measured: { metric: "logs" }, groupBy: ["component"], missing: 0 },
		...{ samples: () => logs.map(({ ts, component }) => ({ ts, value: 1, group: [component ?? ""] })), fold: sum },
	},
];

test.each(CASES)("$name", async ({ measured, groupBy = [], samples, fold, missing }) => {
	const all = samples();
	expect(all.length).toBeGreaterThan(20);
	await fc.assert(
		fc.asyncProperty(spans, async (span) => {
			const found = await valuesOf(asking, measured, groupBy, span);
			const expected = truth(span, all, (inside) => fold(inside, span));
			expect([...found.values.keys()].sort()).toEqual([...expected.keys()].sort());
			for (const [group, values] of expected) {
				expect([...found.values.get(group)!.keys()].sort()).toEqual([...values.keys()].sort());
				for (const [t, value] of values) expect(found.values.get(group)!.get(t)).toBeCloseTo(value, 9);
			}
			// Before the first of its kind nobody knows that there are none.
			const counted = measured.metric === "logs" ? logs : events.filter(({ event }) => event === measured.event);
			const known = Math.min(...counted.map(({ ts }) => ts));
			for (const t of [span.first, span.first + (span.count - 1) * span.step])
				expect(found.missing(t)).toBe(missing !== undefined && t * 1_000 > known ? missing : null);
		}),
		{ seed: 5, numRuns: 12 },
	);
});

test.each([
	["response_time", "p95", 1_000, HTTP, []],
	["depth", "p50", 1, "depth", ["queue"]],
	["response_time", "p99", 1_000, HTTP, ["component"]],
] as const)(
	"%s %s is that of the window, within the error of the sketch",
	async (metric, aggregation, scale, name, groupBy) => {
		const span = { first: FROM / 1_000 + 3_600, step: 300, count: 20, length: 3_600 };
		const found = await valuesOf(asking, { metric, aggregation }, groupBy, span);
		const level = Number(aggregation.slice(1)) / 100;
		let compared = 0;
		const lower = truth(span, pointsOf(name, groupBy), (all) => sortedAt(all, level, -1) * scale);
		const upper = truth(span, pointsOf(name, groupBy), (all) => sortedAt(all, level, 1) * scale);
		for (const [group, values] of lower) {
			for (const [t, value] of values) {
				const got = found.values.get(group)!.get(t)!;
				expect(got).toBeGreaterThanOrEqual(value * 0.98);
				expect(got).toBeLessThanOrEqual(upper.get(group)!.get(t)! * 1.02);
				compared++;
			}
		}
		expect(compared).toBeGreaterThanOrEqual(20);
	},
);

/** A neighbour of the quantile: between its two sides lies every way to define it. */
function sortedAt(all: readonly Sample[], level: number, side: number): number {
	const values = all.map(({ value }) => value).sort((a, b) => a - b);
	return values[Math.min(values.length - 1, Math.max(0, Math.round(level * (values.length - 1)) + side))]!;
}

describe("ratios of a KPI", () => {
	test("are sums of the same window", async () => {
		const span = { first: FROM / 1_000 + 3_600, step: 600, count: 12, length: 1_800 };
		const found = await valuesOf(asking, { metric: "kpi:known" }, [], span);
		const orders = truth(span, asEvents(({ event }) => event === "order paid")(), sum).get("[]")!;
		const visits = truth(span, pointsOf("visits"), sum).get("[]")!;
		expect(found.values.get("[]")!.size).toBe(visits.size);
		for (const [t, below] of visits)
			expect(found.values.get("[]")!.get(t)).toBeCloseTo((orders.get(t) ?? 0) / below, 9);
	});

	test("of one that is gone are an error that lasts, not missing data", async () => {
		const span = { first: FROM / 1_000, step: 60, count: 1, length: 60 };
		await expect(valuesOf(asking, { metric: "kpi:gone" }, [], span)).rejects.toThrow(ConditionError);
	});
});

test("what was never sent is unknown, and never 0", async () => {
	const span = { first: FROM / 1_000 + 3_600, step: 60, count: 3, length: 300 };
	for (const measured of [
		{ metric: "never" },
		{ metric: "events", event: "never" },
		{ metric: "memory_utilization" },
	]) {
		const { values, missing } = await valuesOf(asking, measured, [], span);
		expect([values, missing(span.first)]).toEqual([new Map(), null]);
	}
});

test.each([
	[{ metric: "events", event: "order paid" }, 0],
	[{ metric: "logs" }, 0],
	[{ metric: "kpi:known" }, null],
	[{ metric: "active_users" }, null],
])(
	"of a history that is partly gone only whole windows of %o are known; the newest must be whole",
	async (measured, none) => {
		const hours = 2.5;
		const reach = { ...asking.reach, events_days: hours / 24, logs_days: hours / 24 };
		const span = { first: FROM / 1_000 + 3_600, step: 600, count: 18, length: 1_200 };
		const kept = (TO - hours * 3_600_000) / 1_000 + span.length;
		const all = await valuesOf(asking, measured, [], span);
		const left = await valuesOf({ ...asking, reach }, measured, [], span);
		const whole = [...all.values.get("[]")!].filter(([t]) => t >= kept);
		expect(whole.length).toBeGreaterThan(5);
		// Rows are added up in any order, and groups come in any.
		expect(left.values.get("[]")).toEqual(new Map(whole.map(([t, value]) => [t, expect.closeTo(value, 9)])));
		expect([left.missing(kept - 60), left.missing(kept)]).toEqual([null, none]);
		const early = { ...span, count: 2 };
		await expect(valuesOf({ ...asking, reach }, measured, [], early)).rejects.toThrow("are kept for");
	},
);

test("a measure that knows one instant is asked for each, and refuses thousands", async () => {
	const span = { first: FROM / 1_000 + 3_600, step: 60, count: 3, length: 3_600 };
	const found = await valuesOf(asking, { metric: "active_users" }, [], span);
	for (const [t, users] of found.values.get("[]")!) {
		const inside = events.filter(({ ts }) => ts >= (t - 3_600) * 1_000 && ts < t * 1_000);
		expect(users).toBe(new Set(inside.map(({ user_id }) => user_id)).size);
	}
	expect((await valuesOf(asking, { metric: "health_score" }, [], span)).values.get("[]")!.size).toBe(3);
	await expect(valuesOf(asking, { metric: "active_users" }, [], { ...span, count: 1_000 })).rejects.toThrow(
		ConditionError,
	);
});
