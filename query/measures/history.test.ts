import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { randomFrom } from "../../tests/support/random.ts";
import { insertSeries, type TestSeries } from "../../tests/support/records.ts";
import { type Asker, Queries } from "../run.ts";
import { metricHistory } from "./history.ts";
import { reachOf, type Scope } from "./scope.ts";

const END = Date.parse("2026-10-05T12:00:00Z");
const START = END - 28 * 86_400_000;
const scope: Scope = { start: START, end: END, now: END, reach: reachOf(NO_EXPIRY) };

let database: TestDatabase;
let asker: Asker;
let all: TestSeries[];

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	// The predicate on the project alone has to keep the projects apart.
	asker = new Queries({ client: database.client, secondLock: false }).of("p");
	const u = randomFrom(21);
	const points = (n: number, value: () => number) =>
		Array.from({ length: n }, () => [Math.floor(START - 86_400_000 + u() * 30 * 86_400_000), value()] as const);
	const odd = `'it"s/ünï\\code`;
	all = [
		{ name: "load", tags: { host: odd, disk: "a" }, points: points(9_000, () => u() * 100 - 50) },
		{ name: "load", tags: { host: odd, disk: "b" }, points: points(3_000, () => u() * 1e9) },
		{ name: "load", tags: { host: "h2" }, points: points(4_000, () => u()) },
		{ name: "jobs", kind: "counter", tags: { host: "h2" }, points: points(4_000, () => Math.floor(u() * 5)) },
		{ name: "wait", kind: "distribution", tags: { component: "c" }, points: points(6_000, () => 1 + u() * u()) },
	];
	// Late and out of order.
	for (const part of [1, 2, 0]) {
		const some = all.map((series) => ({ ...series, points: series.points.filter((_, i) => i % 3 === part) }));
		await insertSeries(database.client, "p", some);
		await insertSeries(database.client, "other", some);
	}
});
afterAll(() => database?.stop());

/** Values by bucket. */
function truth(of: (series: TestSeries) => boolean): Map<number, number[]> {
	const found = new Map<number, number[]>();
	for (const [ts, value] of all.filter(of).flatMap(({ points }) => points)) {
		if (ts < START || ts >= END) continue;
		const t = Math.floor(ts / 300_000) * 300;
		found.set(t, [...(found.get(t) ?? []), value]);
	}
	return new Map([...found].sort(([a], [b]) => a - b));
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

test("every bucket of every group is there once, in the order of time, from the tier of five minutes", async () => {
	const query = { metric: "load", aggregation: "avg", kinds: ["gauge"], groupBy: ["host"] } as const;
	const found = await asker.ask(metricHistory(scope, query));
	const hosts = [...new Set(all.filter(({ name }) => name === "load").map(({ tags }) => tags!.host!))];
	expect(found.map(({ group }) => group[0]).sort()).toEqual(hosts.sort());
	for (const { group, t, values } of found) {
		const expected = truth(({ name, tags }) => name === "load" && tags?.host === group[0]);
		expect(t).toEqual([...expected.keys()]);
		for (const [i, list] of [...expected.values()].entries()) {
			expect(Math.abs(values[i]! - sum(list) / list.length)).toBeLessThanOrEqual(
				1e-9 * Math.max(...list.map(Math.abs)),
			);
		}
	}
	expect(asker.explained.at(-1)!.sql).toContain("rollup_5m");
	expect(asker.explained.at(-1)!.sql).not.toContain("FROM points");
});

test.each([
	["sum", "jobs", ["counter"], (list: readonly number[]) => sum(list)],
	["rate", "jobs", ["counter"], (list: readonly number[]) => sum(list) / 300],
	["max", "load", ["gauge"], (list: readonly number[]) => Math.max(...list)],
] as const)("%s of %s over all its series is one group without tags", async (aggregation, metric, kinds, of) => {
	const [only, ...others] = await asker.ask(metricHistory(scope, { metric, aggregation, kinds, groupBy: [] }));
	expect(others).toEqual([]);
	expect(only!.group).toEqual([]);
	const expected = truth(({ name }) => name === metric);
	expect(only!.t).toEqual([...expected.keys()]);
	for (const [i, list] of [...expected.values()].entries()) expect(only!.values[i]).toBeCloseTo(of(list), 6);
});

test("percentiles of a distribution come from sketches, within 1 % of a value of the bucket", async () => {
	const query = { metric: "wait", aggregation: "p95", kinds: ["distribution"], groupBy: [] } as const;
	const [only] = await asker.ask(metricHistory(scope, query));
	const expected = truth(({ name }) => name === "wait");
	expect(only!.t).toEqual([...expected.keys()]);
	for (const [i, list] of [...expected.values()].entries()) {
		const nearest = Math.min(...list.map((value) => Math.abs(only!.values[i]! / value - 1)));
		// Around 1 the sketch has one bucket for two.
		expect(nearest).toBeLessThan(0.0203);
	}
});

test("a metric that was never sent has no history", async () => {
	const query = { metric: "none", aggregation: "avg", kinds: [], groupBy: [] } as const;
	expect(await asker.ask(metricHistory(scope, query))).toEqual([]);
});
