/** How full resources are, against the same computed from the records in plain TypeScript. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HTTP_ALIAS } from "../../schema/failed-requests.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { insertSeries, type TestSeries } from "../../tests/support/records.ts";
import { type Asker, Queries } from "../run.ts";
import { bucketsOver } from "../time/buckets.ts";
import { CPU, CPU_TIME, FILESYSTEM, MEMORY, utilization } from "./hosts.ts";
import { dailyPeaks, loadByComponent, poolUse, QUEUE_WAIT, utilizationByUnit } from "./saturation.ts";
import { over, reachOf, type Scope } from "./scope.ts";
import { DB_CONNECTIONS } from "./services.ts";
import { apdexCounts, HTTP } from "./traffic.ts";

const MINUTE = 60_000;
/** Lord Howe's clock goes forward on the 3rd of October, New York's back on the 1st of November. */
const FROM = Date.parse("2026-09-28T00:00:00Z");
const TO = Date.parse("2026-11-05T00:00:00Z");
const base: Scope = { start: FROM, end: TO, now: TO, reach: reachOf(NO_EXPIRY) };
const ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"];

let database: TestDatabase;
let asker: Asker;
let u = 0.5;
const random = () => {
	u = (u * 997.13 + 0.7311) % 1;
	return u;
};
const scattered = (n: number, value: () => number) =>
	Array.from({ length: n }, () => [Math.floor(FROM + random() * (TO - FROM)), value()] as const);
const share = () => Math.round(random() * 1e4) / 1e4;

const cpu: TestSeries = { name: CPU, tags: { "host.id": "h'1", component: "größe/α" }, points: scattered(900, share) };
const idle = (core: string): TestSeries => ({
	name: CPU,
	tags: { "host.id": "h2", cpu: core, "cpu.mode": "idle" },
	points: scattered(600, share),
});
const cores = [idle("0"), idle("1")];
const volume = (name: string): TestSeries => ({
	name: FILESYSTEM,
	tags: { "host.id": "h'1", component: "größe/α", device: name },
	points: scattered(500, share),
});
const volumes = [volume("a"), volume("b")];
const ignored: TestSeries[] = [
	{ name: CPU, tags: { "host.id": "h2", cpu: "0", "cpu.mode": "user" }, points: scattered(100, () => 9) },
	{ name: MEMORY, tags: { "host.id": "h2", state: "free" }, points: scattered(100, () => 9) },
	{ name: FILESYSTEM, tags: { "host.id": "h2", state: "free", device: "a" }, points: scattered(100, () => 9) },
];
const http = (name: string, tags: Record<string, string>, values: readonly number[]): TestSeries => ({
	name,
	kind: "distribution",
	tags: { component: "api", ...tags },
	points: values.map((value, i) => [FROM + i * MINUTE, value] as const),
});

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	asker = new Queries({ client: database.client, secondLock: false }).of("p");
	const all = [cpu, ...cores, ...volumes, ...ignored];
	// Late and shuffled: each series in three inserts.
	for (const part of [2, 0, 1]) {
		await insertSeries(
			database.client,
			"p",
			all.map((s) => ({ ...s, points: s.points.filter((_, i) => i % 3 === part) })),
		);
	}
	await insertSeries(database.client, "p", [
		http(HTTP, { "http.response.status_code": "200" }, [0.1, 0.5, 0.500_1, 2, 2.000_1]),
		http(HTTP, { "http.response.status_code": "503" }, [0.1, 1]),
		http(HTTP_ALIAS, { status: "200" }, [500, 501, 9_000]),
		http(HTTP_ALIAS, { status: "500" }, [1]),
		{
			name: QUEUE_WAIT,
			kind: "distribution",
			tags: { component: "api" },
			points: [
				[FROM, 100],
				[FROM + 3_600_000, 1e6],
			],
		},
		{
			name: DB_CONNECTIONS,
			tags: { db: "main", pool: "a", state: "used" },
			points: [
				[FROM, 4],
				[FROM + MINUTE, 9],
			],
		},
		{ name: DB_CONNECTIONS, tags: { db: "main", pool: "b", state: "used" }, points: [[FROM + 1, 2]] },
		{ name: DB_CONNECTIONS, tags: { db: "main", pool: "b", state: "idle" }, points: [[FROM, 50]] },
	]);
	await insertSeries(
		database.client,
		"other",
		[cpu, ...volumes].map((s) => ({ ...s, points: s.points.map(([ts]) => [ts, 1] as const) })),
	);
});
afterAll(() => database?.stop());

/** Means of minutes (of five in windows over a week) of these series together, in the window and hours. */
function minutes(
	series: readonly TestSeries[],
	start: number,
	end: number,
	value = (x: number) => x,
	keep = (_: number) => true,
) {
	const found = new Map<number, number[]>();
	for (const [ts, v] of series.flatMap(({ points }) => points)) {
		const step = end - start > 7 * 24 * 60 * MINUTE ? 5 * MINUTE : MINUTE;
		const minute = Math.floor(ts / step) * step;
		if (ts < start || ts >= end || !keep(minute)) continue;
		found.set(minute, [...(found.get(minute) ?? []), value(v)]);
	}
	return [...found.values()].map((values) => values.reduce((a, b) => a + b, 0) / values.length);
}
const p95 = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.ceil(0.95 * values.length) - 1]!;

describe("utilisation of hosts and volumes", () => {
	test.each([
		[FROM, TO],
		[FROM + 12_345_678, TO - 98_765_432],
		[TO - 86_400_000, TO],
	])("is the 0.95 quantile of minutes, window %d to %d", async (start, end) => {
		const found = await asker.ask(utilizationByUnit(over(base, start, end)));
		const of = (metric: string, place: string, device = "") =>
			found.find((unit) => unit.metric === metric && unit.place === place && unit.device === device)?.p95;
		expect(of(CPU, "größe/α")).toBeCloseTo(p95(minutes([cpu], start, end)), 4);
		// Of two cores a minute's mean is of all its samples; what is not idle is used; without a component the host is the place.
		expect(of(CPU, "h2")).toBeCloseTo(p95(minutes(cores, start, end, (x) => 1 - x)), 4);
		for (const [i, device] of ["a", "b"].entries()) {
			expect(of(FILESYSTEM, "größe/α", device)).toBeCloseTo(p95(minutes([volumes[i]!], start, end)), 4);
		}
		expect(found).toHaveLength(4);
	});

	test.each(ZONES)("only hours that are asked for count, hours of %s", async (zone) => {
		const buckets = bucketsOver(FROM, TO, "1h", zone);
		const starts = buckets.starts.filter((_, i) => i % 5 === 0);
		const ends = new Map(buckets.starts.map((start, i) => [start, buckets.starts[i + 1] ?? buckets.end]));
		const keep = (minute: number) =>
			starts.some((start) => minute >= start * 1_000 && minute < ends.get(start)! * 1_000);
		const found = await asker.ask(utilizationByUnit(base, { buckets, starts }));
		expect(found.find(({ host, metric }) => host === "h'1" && metric === CPU)!.p95).toBeCloseTo(
			p95(minutes([cpu], FROM, TO, (x) => x, keep)),
			4,
		);
	});

	test.each(ZONES)(
		"daily peaks are of calendar days of %s, of the fullest volume, of a host's cores the mean",
		async (zone) => {
			const buckets = bucketsOver(FROM, TO, "1d", zone);
			const found = await asker.ask(dailyPeaks({ ...base, buckets }));
			const dayOf = (ts: number) => buckets.starts.findLast((start) => start * 1_000 <= ts)!;
			const peaks = (series: TestSeries, value = (x: number) => x) => {
				const days = new Map<number, number>();
				for (const [ts, v] of series.points) days.set(dayOf(ts), Math.max(value(v), days.get(dayOf(ts)) ?? 0));
				return days;
			};
			const storage = found.find(({ resource }) => resource === "storage")!;
			const [a, b] = volumes.map((v) => peaks(v)) as [Map<number, number>, Map<number, number>];
			for (const [day, peak] of storage.days) expect(peak).toBe(Math.max(a.get(day) ?? 0, b.get(day) ?? 0));
			expect(storage.days.size).toBe(new Set([...a.keys(), ...b.keys()]).size);
			const host = found.find(({ place }) => place === "h2")!;
			const [c, d] = cores.map((core) => peaks(core, (x) => 1 - x)) as [Map<number, number>, Map<number, number>];
			for (const [day, peak] of host.days) {
				const both = [c.get(day), d.get(day)].filter((value) => value !== undefined);
				expect(peak).toBeCloseTo(both.reduce((x, y) => x + y, 0) / both.length, 9);
			}
		},
	);
});

test("Apdex counts by T and 4 T, of the record and of its alias, without failed requests", async () => {
	expect(await asker.ask(apdexCounts(base, 500))).toEqual({ requests: 11, satisfied: 3, tolerating: 3 });
	expect(await asker.ask(apdexCounts(over(base, TO - 1, TO), 500))).toEqual({
		requests: 0,
		satisfied: 0,
		tolerating: 0,
	});
});

test("requests, failures and waiting are those of the asked hours", async () => {
	const buckets = bucketsOver(FROM, TO, "1h", "UTC");
	const [load, ...others] = await asker.ask(loadByComponent(base, { buckets, starts: [FROM / 1_000] }));
	expect(load).toMatchObject({ component: "api", requests: 11, failed: 3, wait_sum_ms: 100 });
	expect(load!.latency_sum_ms).toBeCloseTo(100 + 500 + 500.1 + 2_000 + 2_000.1 + 1_100 + 500 + 501 + 9_000 + 1, 6);
	expect(others).toEqual([]);
	const [all] = await asker.ask(loadByComponent(base));
	expect(all).toMatchObject({ requests: 11, wait_sum_ms: 1_000_100 });
});

test("connections in use are summed over the pools of a database", async () => {
	expect(await asker.ask(poolUse(base))).toEqual([{ database: "main", component: "", p95: 8.5 }]);
	expect(await asker.ask(poolUse(over(base, FROM, FROM + MINUTE)))).toMatchObject([{ p95: 6 }]);
});

test("where only times of processors are sent, utilisation is the share that was not idle, a host as a host", async () => {
	const time = (host: string, mode: string, increases: readonly number[]): TestSeries => ({
		name: CPU_TIME,
		kind: "counter",
		tags: { "host.id": host, cpu: "0", "cpu.mode": mode },
		points: increases.map((value, i) => [FROM + i * MINUTE, value] as const),
	});
	await insertSeries(database.client, "times", [
		time("x", "idle", [6, 3]),
		time("x", "user", [3, 3]),
		time("x", "system", [1, 4]),
		time("y", "idle", [20]),
		time("y", "user", [0]),
	]);
	const times = new Queries({ client: database.client }).of("times");
	const scope = { ...base, end: FROM + 2 * MINUTE };
	const one = (await times.ask(utilization(scope)))[CPU]!.get(0)!;
	// x: 11 of 20 s, y: none of 20 s.
	expect(one.host_mean).toBeCloseTo(0.275, 9);
	expect(one.sample_mean).toBeCloseTo(11 / 40, 9);
	expect(one.peak).toBeNull();
	const buckets = bucketsOver(FROM, scope.end, "1m", "UTC");
	const byMinute = (await times.ask(utilization({ ...scope, buckets })))[CPU]!;
	expect(byMinute.get(FROM / 1_000)!.host_mean).toBeCloseTo(0.2, 9);
	expect(byMinute.get(FROM / 1_000 + 60)!.host_mean).toBeCloseTo(0.7, 9);
	// Whoever sends utilisation is believed.
	expect((await asker.ask(utilization(base)))[CPU]!.get(0)!.peak).toBeLessThanOrEqual(1);
});
