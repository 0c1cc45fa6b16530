import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { standingOf } from "../../query/measures/check-runs.ts";
import { missedAt } from "../../query/measures/heartbeats.ts";
import { dueInstants, isTooLate } from "./schedule.ts";

const T0 = Date.UTC(2026, 2, 1);
const test_of = (id: string, frequency_seconds: number) => ({ project: "p", id, frequency_seconds, updated_at: T0 });

test("however the time is cut into windows, the same instants are due, each once", () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 10, max: 7_200 }),
			fc.array(fc.integer({ min: 1, max: 900_000 }), { minLength: 1, maxLength: 30 }),
			fc.string(),
			(frequency, steps, id) => {
				const test = test_of(id, frequency);
				const cut: number[] = [];
				let from = T0 - 60_000;
				for (const step of steps) {
					cut.push(...dueInstants(test, "here", { from, to: from + step }));
					from += step;
				}
				expect(cut).toEqual(dueInstants(test, "here", { from: T0 - 60_000, to: from }));
				expect(new Set(cut).size).toBe(cut.length);
				const gaps = cut.slice(1).map((at, i) => at - cut[i]!);
				// The first run is soon; from the second on it is whole intervals.
				for (const gap of gaps.slice(1)) expect(gap).toBe(frequency * 1_000);
				if (gaps.length > 0) expect(gaps[0]).toBeGreaterThanOrEqual(frequency * 500 - 1);
			},
		),
		{ seed: 5, numRuns: 200 },
	);
});

test("a new test runs within seconds, whatever its interval", () => {
	for (let i = 0; i < 100; i++) {
		const [first] = dueInstants(test_of(`t${i}`, 86_400), "here", { from: T0, to: T0 + 90_000_000 });
		expect(first! - T0).toBeLessThan(5_000);
	}
});

test("a thousand tests of one minute are spread over the minute, and so are the locations of one", () => {
	const from = T0 + 3_600_000;
	const seconds = new Map<number, number>();
	for (let i = 0; i < 1_000; i++) {
		const due = dueInstants(test_of(`syn_${i}`, 60), "here", { from, to: from + 60_000 });
		expect(due).toHaveLength(1);
		const second = Math.floor((due[0]! - from) / 1_000);
		seconds.set(second, (seconds.get(second) ?? 0) + 1);
	}
	// 1000 over 60 seconds: about 17 each.
	expect(Math.max(...seconds.values())).toBeLessThan(45);
	expect(seconds.size).toBeGreaterThan(55);
	const places = ["a", "b", "c"].map((place) => dueInstants(test_of("x", 60), place, { from, to: from + 60_000 })[0]);
	expect(new Set(places).size).toBe(3);
});

test.each<[late_ms: number, frequency_seconds: number, tooLate: boolean]>([
	[0, 10, false],
	[5_000, 10, false],
	[5_001, 10, true],
	[29_000, 300, false],
	[31_000, 300, true],
])("a run that is %i ms late, every %i s: too late is %s", (late, frequency, tooLate) => {
	expect(isTooLate(T0, T0 + late, frequency)).toBe(tooLate);
});

describe("a call is missed when its interval and the grace are over", () => {
	const s = (seconds: number) => T0 + seconds * 1_000;
	const beat = (seconds: number) => ({ ts: s(seconds), missed: false });
	const miss = (seconds: number) => ({ ts: s(seconds), missed: true });
	// Every 60 s with 30 s of grace, watched since 0.
	test.each<[what: string, last: ReturnType<typeof beat> | undefined, through: number, at: number | undefined]>([
		["none yet, in time", undefined, 89, undefined],
		["none ever", undefined, 90, 90],
		["none ever, looked at late: the newest", undefined, 275, 270],
		["in time", beat(100), 189, undefined],
		["late within the grace", beat(100), 189.9, undefined],
		["over", beat(100), 190, 190],
		["already noted", miss(190), 249, undefined],
		["a second one", miss(190), 250, 250],
		["it came after a miss", beat(195), 284, undefined],
		["and stopped again", beat(195), 285, 285],
		["one that is known although it came after the watermark", beat(500), 400, undefined],
	])("%s", (_what, last, through, at) => {
		const found = missedAt({ frequency_seconds: 60, grace_seconds: 30, last, since: T0, through: s(through) });
		expect(found).toBe(at === undefined ? undefined : s(at));
	});

	test("while nobody could take calls none is missed, and the places of later ones stay", () => {
		const asked = (since: number, through: number) =>
			missedAt({ frequency_seconds: 60, grace_seconds: 30, last: beat(0), since: s(since), through: s(through) });
		// Restarted at 1000: nothing before 1090; the places are 90 + 60 k.
		expect(asked(1_000, 1_089)).toBeUndefined();
		expect(asked(1_000, 1_110)).toBe(s(1_110));
		expect(asked(0, 1_110)).toBe(s(1_110));
	});
});

describe("where a test stands, by the last run of each location", () => {
	const [ok, slow, bad] = [
		{ ok: true, degraded: false },
		{ ok: true, degraded: true },
		{ ok: false, degraded: false },
	];
	test.each([
		[[], 1, null],
		[[ok], 1, "healthy"],
		[[bad], 1, "down"],
		[[slow], 1, "degraded"],
		[[ok, ok, bad], 2, "degraded"],
		[[ok, bad, bad], 2, "down"],
		[[ok, ok, slow], 2, "degraded"],
		[[bad, bad, ok], 3, "degraded"],
		[[bad, ok, ok], 1, "down"],
	] as const)("%j of quorum %i: %s", (runs, quorum, standing) => {
		expect(standingOf(runs, quorum)).toBe(standing);
	});
});
