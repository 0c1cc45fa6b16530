import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { profilingAnswer } from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { type Reads, startReads } from "../../tests/support/reads.ts";
import { insertProfiles, type TestProfile, type TestSpan } from "../../tests/support/records.ts";
import { type FlameNode, flame } from "../measures/profiles.ts";
import { milliseconds } from "../rounding.ts";
import { Queries } from "../run.ts";

const NOW = Date.parse("2026-11-18T15:00:00Z");
const HOUR = 3_600_000;
const MS = 1_000_000;
const PATH = "/v1/monitoring/profiling";
const OPERATION = `load "größe" / it's`;

let database: TestDatabase;
let reads: Reads;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const projects = ["random", "twin", "empty", "plain", "shapes", "compared"];
	reads = await startReads(database.client, { projects, now: NOW });
});
afterAll(() => database?.stop());

async function ask(project: string, operation: string, parameters: Record<string, string> = {}) {
	const { status, body } = await reads.get(project, PATH, { operation, ...parameters });
	expect(status, JSON.stringify(body)).toBe(200);
	return profilingAnswer.parse(body);
}

/** How much of `[0, 200)` (in ns) is covered, cell by cell. */
const cells = (intervals: readonly (readonly [number, number])[]) =>
	Array.from({ length: 200 }, (_, at) => intervals.some(([s, e]) => s <= at && at < e)).filter(Boolean).length;

/** Time of each kind of span, by the definition, span by span. */
function flameOf(profiles: readonly TestProfile[]) {
	const nodes = new Map<string, { name: string; parent: string | null; calls: number; total: number; self: number }>();
	const add = (name: string, parent: string | null, took: number, busy: number) => {
		const key = JSON.stringify([name, parent]);
		const node = nodes.get(key) ?? { name, parent, calls: 0, total: 0, self: 0 };
		node.calls++;
		node.total += took;
		node.self += Math.max(0, took - busy);
		nodes.set(key, node);
	};
	for (const { operation, wall_ns, spans = [] } of profiles) {
		const ordered = spans
			.map((span, i) => ({ ...span, i }))
			.sort((a, b) => a.start_ns - b.start_ns || b.end_ns - a.end_ns || a.i - b.i);
		const ownerOf = (child: TestSpan) =>
			ordered.findLast(
				(span, place) =>
					span.name === child.parent &&
					span.start_ns <= child.start_ns &&
					(child.name !== child.parent || place < ordered.indexOf(child as (typeof ordered)[number])),
			);
		const childrenOf = (owner: TestSpan | undefined) => ordered.filter((span) => ownerOf(span) === owner);
		for (const span of ordered) {
			const { name, parent, start_ns, end_ns } = span;
			const within = childrenOf(span).map((child) => [child.start_ns, Math.min(child.end_ns, end_ns)] as const);
			add(name, parent, end_ns - start_ns, cells(within));
		}
		add(operation, null, wall_ns, cells(childrenOf(undefined).map(({ start_ns, end_ns }) => [start_ns, end_ns])));
	}
	return [...nodes.values()];
}

describe("random profiles, late and shuffled", () => {
	const span: fc.Arbitrary<TestSpan> = fc
		.record({
			name: fc.constantFrom("a", "b", "c c", "ü/'\""),
			parent: fc.constantFrom(OPERATION, "a", "b", "c c", "nowhere"),
			start_ns: fc.nat(20),
			length: fc.nat(30),
		})
		.map(({ length, ...rest }) => ({ ...rest, end_ns: rest.start_ns + length }));
	const profile = fc.record(
		{
			ts: fc.integer({ min: NOW - 40 * HOUR, max: NOW + HOUR }),
			operation: fc.constantFrom(OPERATION, OPERATION, "other"),
			wall_ns: fc.integer({ min: 0, max: 60 }),
			cpu_ns: fc.nat(100 * MS),
			alloc_bytes: fc.nat(1e9),
			success: fc.boolean(),
			spans: fc.array(span, { maxLength: 12 }),
		},
		{ requiredKeys: ["ts", "operation", "wall_ns", "success"] },
	);
	const [profiles] = fc.sample(fc.array(profile, { minLength: 400, maxLength: 400 }), { seed: 3, numRuns: 1 });
	beforeAll(async () => {
		await insertProfiles(database.client, "random", profiles!.slice(200), { firstId: 201 });
		await insertProfiles(
			database.client,
			"twin",
			profiles!.map((each) => ({ ...each, wall_ns: 1e9 })),
		);
		await insertProfiles(database.client, "random", profiles!.slice(0, 200));
	});

	test.each([
		["24h", OPERATION, NOW],
		["7d", OPERATION, NOW],
		["7d", "other", NOW],
		["1h", OPERATION, NOW - HOUR / 2],
	])("over %s of %s: every number is what the records say", async (timeframe, operation, end) => {
		const span_ms = { "1h": HOUR, "24h": 24 * HOUR, "7d": 168 * HOUR }[timeframe]!;
		const found = profiles!.filter((each) => each.operation === operation && each.ts >= end - span_ms && each.ts < end);
		const answer = await ask("random", operation, { timeframe, as_of: new Date(end).toISOString() });
		expect(answer.calls).toBe(found.length);
		expect(answer.success_rate).toBeCloseTo(found.filter(({ success }) => success).length / found.length, 4);
		for (const [field, column, unit] of [
			["wall_ms", "wall_ns", MS],
			["cpu_ms", "cpu_ns", MS],
			["alloc_bytes", "alloc_bytes", 1],
		] as const) {
			const values = found.flatMap((each) => each[column] ?? []).sort((a, b) => a - b);
			const round = (value: number) => (unit === 1 ? Math.round(value) : milliseconds(value / unit));
			const at = (q: number) => {
				const place = q * (values.length - 1);
				const low = values[Math.floor(place)]!;
				return low + (values[Math.ceil(place)]! - low) * (place % 1);
			};
			const total = values.reduce((a, b) => a + b, 0);
			expect(answer[field]).toEqual({
				...{ avg: round(total / values.length), p50: round(at(0.5)), p95: round(at(0.95)), p99: round(at(0.99)) },
				...{ max: round(values.at(-1)!), total: round(total) },
			});
		}
		const slowest = [...found].sort((a, b) => b.wall_ns - a.wall_ns || b.ts - a.ts).slice(0, 10);
		expect(answer.slowest.map(({ timestamp, success }) => [timestamp, success])).toEqual(
			slowest.map(({ ts, success }) => [new Date(ts).toISOString(), success]),
		);
		const byName = <T extends { name: string; parent: string | null }>(nodes: readonly T[]) =>
			[...nodes].sort((a, b) => (`${a.name}\n${a.parent}` < `${b.name}\n${b.parent}` ? -1 : 1));
		expect(byName(answer.flame)).toEqual(
			byName(flameOf(found)).map(({ name, parent, calls, total, self }) => ({
				...{ name, parent, calls },
				...{ self_ms: milliseconds(self / MS), total_ms: milliseconds(total / MS) },
			})),
		);
	});

	test("a sample of the runs changes no call and no total, only how exactly self times are known", async () => {
		const asker = new Queries({ client: database.client, secondLock: false }).of("random");
		const window = { start: NOW - 40 * HOUR, end: NOW };
		const all = await asker.ask(flame(window, OPERATION));
		const sampled = await asker.ask(flame(window, OPERATION, 2));
		const counts = (nodes: readonly FlameNode[]) => nodes.map(({ self_ns: _, ...node }) => node);
		expect(counts(sampled)).toEqual(counts(all));
		for (const { self_ns, total_ns } of sampled) {
			expect(self_ns).toBeGreaterThanOrEqual(0);
			expect(self_ns).toBeLessThanOrEqual(total_ns);
		}
		const shareOf = (nodes: readonly FlameNode[]) =>
			nodes.reduce((sum, node) => sum + node.self_ns, 0) / nodes.reduce((sum, node) => sum + node.total_ns, 0);
		expect(shareOf(sampled)).not.toBe(shareOf(all));
		expect(Math.abs(shareOf(sampled) - shareOf(all))).toBeLessThan(0.1);
	});
});

describe("the shape of a flame", () => {
	const flameOfOne = async (
		operation: string,
		wall: number,
		spans: readonly (readonly [string, string, number, number])[],
	) => {
		const parts = spans.map(([name, parent, s, e]) => ({ name, parent, start_ns: s * MS, end_ns: e * MS }));
		await insertProfiles(database.client, "shapes", [{ ts: NOW - 1, operation, wall_ns: wall * MS, spans: parts }]);
		const { flame } = await ask("shapes", operation, { timeframe: "1h" });
		return Object.fromEntries(
			flame.map(({ name, parent, self_ms, total_ms, calls }) => [`${name} < ${parent}`, [self_ms, total_ms, calls]]),
		);
	};

	test("children at the same time count once", async () => {
		const spans = [
			["x", "op", 10, 60],
			["y", "op", 40, 90],
			["z", "op", 50, 55],
		] as const;
		expect(await flameOfOne("op", 100, spans)).toEqual({
			"op < null": [20, 100, 1],
			"x < op": [50, 50, 1],
			"y < op": [50, 50, 1],
			"z < op": [5, 5, 1],
		});
	});

	test("in a loop each round has its own children, even ones that were recorded first and take all of it", async () => {
		const spans = [
			["work", "step", 0, 10],
			["step", "loop", 0, 10],
			["work", "step", 10, 30],
			["step", "loop", 10, 40],
		] as const;
		expect(await flameOfOne("loop", 50, spans)).toEqual({
			"loop < null": [10, 50, 1],
			"step < loop": [10, 40, 2],
			"work < step": [30, 30, 2],
		});
	});

	test("a function that calls itself has the time between its calls", async () => {
		const spans = [
			["f", "rec", 0, 90],
			["f", "f", 10, 80],
			["f", "f", 30, 60],
		] as const;
		expect(await flameOfOne("rec", 100, spans)).toEqual({
			"rec < null": [10, 100, 1],
			"f < rec": [20, 90, 1],
			"f < f": [70, 100, 2],
		});
	});

	test("a child that runs longer than its parent takes no more than the parent has; lost ones are the operation's", async () => {
		const spans = [
			["p", "late", 20, 40],
			["c", "p", 30, 100],
			["lost", "gone", 0, 20],
		] as const;
		expect(await flameOfOne("late", 60, spans)).toEqual({
			"late < null": [20, 60, 1],
			"p < late": [10, 20, 1],
			"c < p": [70, 70, 1],
			"lost < gone": [20, 20, 1],
		});
	});
});

test("what was not measured is null, and says what to send", async () => {
	await insertProfiles(database.client, "plain", [{ ts: NOW - HOUR / 2, operation: "bare one", wall_ns: 2.5 * MS }]);
	const answer = await ask("plain", "bare one", { timeframe: "1h" });
	expect(answer).toMatchObject({
		...{ calls: 1, success_rate: 1, cpu_ms: null, alloc_bytes: null, cpu_share: null },
		wall_ms: { avg: 2.5, p50: 2.5, p95: 2.5, p99: 2.5, max: 2.5 },
		flame: [{ name: "bare one", parent: null, self_ms: 2.5, total_ms: 2.5, calls: 1 }],
		low_sample: ["wall_ms.p95", "wall_ms.p99"],
	});
	expect(answer.meta.missing).toEqual([
		{ field: "cpu_ms", needs: "profile bare one with cpu_ns" },
		{ field: "cpu_share", needs: "profile bare one with cpu_ns" },
		{ field: "alloc_bytes", needs: "profile bare one with alloc_bytes" },
	]);
	// Sent, but not run in the window.
	const idle = await ask("plain", "bare one", { start: new Date(NOW - HOUR / 4).toISOString() });
	expect(idle).toMatchObject({
		calls: 0,
		success_rate: null,
		wall_ms: null,
		slowest: [],
		flame: [],
		meta: { missing: [] },
	});
	const never = await ask("plain", "other one");
	expect(never).toMatchObject({ calls: null, success_rate: null, wall_ms: null, slowest: [], flame: [] });
	expect(never.meta.missing).toHaveLength(8);
	expect((await ask("empty", "bare one")).meta.missing).toHaveLength(8);
	// Not known before it was first sent.
	expect((await ask("plain", "bare one", { as_of: new Date(NOW - HOUR).toISOString() })).calls).toBeNull();
});

test("an operation must be named", async () => {
	expect(await reads.get("plain", PATH)).toMatchObject({
		status: 400,
		body: { details: { parameter: "operation", provided: null, valid_options: ["bare one"] } },
	});
	expect((await reads.get("plain", PATH, { operation: "x", timeframe: "2h" })).status).toBe(400);
});

describe("two windows beside each other", () => {
	const at = (hours: number) => NOW - hours * HOUR;
	const [FROM, BEFORE] = [at(24), at(48)];
	/** Forty runs in each window; a run spends a fixed part in "parse", and later ones one in "render" too. */
	const runs = (start: number, took: (run: number) => number, render: number): TestProfile[] =>
		Array.from({ length: 40 }, (_, run) => ({
			ts: start + run * 60_000,
			operation: "checkout",
			wall_ns: took(run) * MS,
			success: run % 4 > 0,
			spans: [
				{ name: "parse", parent: "checkout", start_ns: 0, end_ns: 5 * MS },
				...(render > 0 ? [{ name: "render", parent: "checkout", start_ns: 6 * MS, end_ns: (6 + render) * MS }] : []),
			],
		}));
	const before = (run: number) => 50 + (run % 10);
	const after = (run: number) => 61 + (run % 12);
	beforeAll(async () => {
		const all = [...runs(FROM, after, 9), ...runs(BEFORE, before, 0)];
		// What is far slower outside of both windows counts nowhere.
		const outside = [at(50), NOW].map((ts) => ({ ts, operation: "checkout", wall_ns: 1e12, success: true }));
		await insertProfiles(database.client, "compared", [...all.reverse(), ...outside]);
		const rare = [at(1), at(30)].map((ts) => ({ ts, operation: "rare", wall_ns: MS, success: true }));
		const same = [...Array(20).keys()].flatMap((run) =>
			[at(2) + run, at(26) + run].map((ts) => ({ ts, operation: "same", wall_ns: MS, success: true })),
		);
		await insertProfiles(database.client, "compared", [...rare, ...same], { firstId: 1000 });
	});
	const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
	const forty = [...Array(40).keys()];

	test("the other window has its own numbers, and the change is from there to here", async () => {
		const { comparison } = await ask("compared", "checkout", { compare: "previous" });
		const [from, to] = [mean(forty.map(before)), mean(forty.map(after))];
		expect(comparison).toMatchObject({
			start: new Date(BEFORE).toISOString(),
			end: new Date(FROM).toISOString(),
			calls: 40,
			success_rate: 0.75,
			cpu_ms: null,
		});
		expect(comparison!.wall_ms!.avg).toBe(milliseconds(from));
		expect(comparison!.change_percentage.wall_ms!.avg).toBe(Number(((to / from - 1) * 100).toFixed(1)));
		expect(comparison!.change_percentage.cpu_ms).toBeNull();
		expect(comparison!.verdict).toBe("slower");
		// All 1,600 pairs are won by one side: 40 runs each.
		const z = (800 - 0.5) / Math.sqrt((40 * 40 * 81) / 12);
		expect(z).toBeGreaterThan(7);
		expect(comparison!.p_value).toBeLessThan(1e-10);
		const changed = Object.fromEntries(comparison!.spans.map(({ name, change_ms }) => [name, change_ms]));
		expect(changed).toEqual({ render: 9, checkout: milliseconds(to - from - 9), parse: 0 });
	});

	test("named windows are compared as well, the other way round too", async () => {
		const iso = (instant: number) => new Date(instant).toISOString();
		const asked = { start: iso(BEFORE), end: iso(FROM), compare_start: iso(FROM), as_of: iso(NOW) };
		const { comparison } = await ask("compared", "checkout", asked);
		expect(comparison).toMatchObject({ start: iso(FROM), end: iso(NOW), calls: 40, verdict: "faster" });
	});

	test("few runs have no verdict, equal ones no difference, and who did not ask has no comparison", async () => {
		const rare = await ask("compared", "rare", { compare: "previous" });
		expect(rare.comparison).toMatchObject({ calls: 1, p_value: null, verdict: null });
		const same = await ask("compared", "same", { compare: "previous" });
		expect(same.comparison).toMatchObject({ calls: 20, p_value: 1, verdict: "no_difference" });
		expect(await ask("compared", "same")).not.toHaveProperty("comparison");
	});

	test("of an operation that never ran, everything is missing", async () => {
		const answer = await ask("empty", "checkout", { compare: "previous" });
		expect(answer.comparison).toMatchObject({
			calls: null,
			success_rate: null,
			wall_ms: null,
			p_value: null,
			spans: [],
		});
		const missing = answer.meta.missing.map(({ field }) => field);
		const nulls = [
			"calls",
			"success_rate",
			"wall_ms",
			"cpu_ms",
			"alloc_bytes",
			"p_value",
			"verdict",
			"spans",
			"change_percentage.wall_ms",
		];
		expect(missing).toEqual(expect.arrayContaining(nulls.map((field) => `comparison.${field}`)));
	});

	test.each([
		[{ compare: "next" }, "compare"],
		[{ compare_end: "2026-11-18T00:00:00Z" }, "compare_end"],
		[{ compare: "previous", compare_start: "2026-11-10T00:00:00Z" }, "compare"],
		[{ compare_start: "2026-11-18T00:00:00Z" }, "compare_start"],
		[{ compare_start: "2026-11-17T00:00:00Z", compare_end: "2026-11-18T00:00:00Z" }, "compare_start"],
	])("windows that cannot be compared are refused: %j", async (parameters, parameter) => {
		const { status, body } = await reads.get("compared", PATH, { operation: "checkout", ...parameters });
		expect(status).toBe(400);
		expect(JSON.stringify(body)).toContain(`"${parameter}"`);
	});
});
