import { expect, test } from "vitest";
import type { AnomalyCondition } from "../../../schema/wire/index.ts";
import { randomFrom } from "../../../tests/support/random.ts";
import { observeAnomalies } from "./anomalies.ts";
import type { LeafContext } from "./leaves.ts";

const DAY = 86_400;
const NOW = Date.parse("2026-03-30T12:00:00Z") / 1_000;
const LEAF: AnomalyCondition = {
	...{ type: "anomaly_detection", metric: "events", sensitivity: "high", direction: "both", timeframe: "5m" },
} as AnomalyCondition;

/** Counts by label set and by start of their five minutes; what was counted 0 has no value. */
function counts(of: Readonly<Record<string, (t: number) => number>>, missing: 0 | null): LeafContext {
	return {
		instants: { first: NOW, step: 60, count: 1 },
		groupBy: ["part"],
		timezone: "UTC",
		firing: new Map(),
		valuesOf: async (_measured, _groupBy, { first, step, count }) => {
			const values = new Map<string, Map<number, number>>();
			for (const [part, at] of Object.entries(of)) {
				const byEnd = new Map<number, number>();
				for (let i = 0; i < count; i++) {
					const value = at(first + i * step - 300);
					if (value !== 0) byEnd.set(first + i * step, value);
				}
				if (byEnd.size > 0) values.set(JSON.stringify([part]), byEnd);
			}
			return { values, missing: () => missing };
		},
	} as LeafContext;
}

const u = randomFrom(4);
const busy = (t: number) => 50 + Math.floor(5 * u()) + 10 * Math.floor((t % DAY) / 43_200);

test("a count that falls silent is 0, not unknown, and fires although nothing of it is left in the last hour", async () => {
	const silent = (t: number) => (t < NOW - 7_200 ? busy(t) : 0);
	const seen = await observeAnomalies(LEAF, counts({ web: silent, db: busy }, 0));
	expect([...seen.labelSets].sort()).toEqual(['["db"]', '["web"]']);
	expect(seen.look('["web"]', NOW, null)).toMatchObject({ breach: true, value: 0, operator: "less_than_or_equal" });
	expect(seen.look('["db"]', NOW, null)).toMatchObject({ breach: false });
});

test("the empty buckets of a rare count are part of what is usual: one more is not an anomaly, a burst is", async () => {
	const rare = (last: number) => (t: number) => (t >= NOW - 300 ? last : u() < 0.02 ? 1 : 0);
	for (const [last, breach] of [
		[0, false],
		[1, false],
		[40, true],
	] as const) {
		const seen = await observeAnomalies(LEAF, counts({ web: rare(last) }, 0));
		expect(seen.look('["web"]', NOW, null)).toMatchObject({ breach, value: last });
	}
});

test("a label set that is new has no history of zeros", async () => {
	const young = (t: number) => (t >= NOW - 3_600 ? 5 : 0);
	const seen = await observeAnomalies(LEAF, counts({ web: busy, young }, 0));
	expect(seen.look('["young"]', NOW, null)).toMatchObject({ breach: null, value: 5 });
});

test("a value that is not a count is unknown while there is none", async () => {
	const silent = (t: number) => (t < NOW - 7_200 ? busy(t) : 0);
	const seen = await observeAnomalies(LEAF, counts({ web: silent }, null));
	expect([...seen.labelSets]).toEqual([]);
	expect(seen.look('["web"]', NOW, null)).toMatchObject({ breach: null, value: null });
});

test("weeks of many label sets are asked for part by part, in smaller parts where one holds too much, and say the same", async () => {
	const sets = Array.from({ length: 40 }, (_, i) => i);
	const size = (i: number) => (t: number) => {
		const noise = ((t / 300) * 7_919 + i * 104_729) % 11;
		return t >= NOW - 900 && i % 3 === 0 ? 90 : 20 + i + noise + 10 * Math.floor((t % DAY) / 43_200);
	};
	const whole = counts(Object.fromEntries(sets.map((i) => [`part ${i}`, size(i)])), 0);
	const asked: number[] = [];
	const narrow: LeafContext = {
		...whole,
		valuesOf: async (measured, groupBy, span) => {
			const found = sets.length * span.count;
			if (found > 50_000) throw Object.assign(new Error("the question is too big"), { status: 422 });
			asked.push(span.count);
			return whole.valuesOf(measured, groupBy, span);
		},
	};
	const [expected, seen] = [await observeAnomalies(LEAF, whole), await observeAnomalies(LEAF, narrow)];
	expect([...seen.labelSets].sort()).toEqual([...expected.labelSets].sort());
	const looks = (observed: typeof seen) => sets.map((i) => observed.look(JSON.stringify([`part ${i}`]), NOW, null));
	expect(looks(seen)).toEqual(looks(expected));
	expect(looks(seen).filter(({ breach }) => breach)).toHaveLength(14);
	// The last hour, then four weeks: every bucket once.
	expect(asked.slice(1).reduce((sum, count) => sum + count, 0)).toBe((4 * 7 * DAY) / 300);
	expect(asked.length).toBeGreaterThan(4);
});

test("what fires is judged as of when it began, however many label sets there are beside it", async () => {
	const began = NOW - 7_200;
	const burns = (t: number) => (t >= began ? 400 : 50 + (((t / 300) * 7_919) % 11));
	const young = Object.fromEntries(
		Array.from({ length: 600 }, (_, i) => [`${i}`, (t: number) => (t > NOW - 3_600 ? 1 : 0)]),
	);
	const firing = new Map([['["web"]', began * 1_000]]);
	const few = await observeAnomalies(LEAF, { ...counts({ web: burns }, null), firing });
	const many = await observeAnomalies(LEAF, { ...counts({ web: burns, ...young }, null), firing });
	const [expected, seen] = [few, many].map((one) => one.look('["web"]', NOW, began * 1_000));
	expect(seen).toEqual(expected);
	expect(seen).toMatchObject({ breach: true, value: 400 });
	// Of an instance that has more tags than these values have.
	const broader = await observeAnomalies(LEAF, { ...counts({ "": burns }, null), firing });
	expect(broader.look('[""]', NOW, began * 1_000)).toEqual(expected);
});

test("more label sets than can be learned from are refused with how many can", async () => {
	const many = Object.fromEntries(
		Array.from({ length: 600 }, (_, i) => [`part ${i}`, (t: number) => (t > NOW - 3_600 ? 1 : 0)]),
	);
	const context = { ...counts(many, null), instants: { first: NOW, step: 3_600, count: 2 } };
	await expect(observeAnomalies(LEAF, context)).rejects.toThrow("600 label sets, and over 2 hours at most 500");
});
