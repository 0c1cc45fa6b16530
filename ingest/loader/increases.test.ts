import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { increases, type Total } from "./increases.ts";

/** The definition, read off in order: what every total adds. */
function inOrder(totals: readonly Total[]): Map<number, number> {
	const byTime = new Map<number, number>();
	for (let i = 1; i < totals.length; i++) {
		const [before, now] = [totals[i - 1]!, totals[i]!];
		byTime.set(now.ts, now.value >= before.value ? now.value - before.value : now.value);
	}
	return byTime;
}

describe("increases of running totals", () => {
	it.each([
		["the first total of a series gives none", undefined, [], [{ ts: 1, value: 5 }], []],
		["the increase belongs to the later total", { ts: 1, value: 5 }, [], [{ ts: 2, value: 8 }], [{ ts: 2, value: 3 }]],
		["a drop is a reset", { ts: 1, value: 5 }, [], [{ ts: 2, value: 2 }], [{ ts: 2, value: 2 }]],
		["no change is an increase of 0", { ts: 1, value: 5 }, [], [{ ts: 2, value: 5 }], [{ ts: 2, value: 0 }]],
		["a repeated total gives nothing", { ts: 1, value: 5 }, [{ ts: 2, value: 8 }], [{ ts: 2, value: 8 }], []],
	])("%s", (_, before, stored, added, expected) => {
		expect(increases(before, stored, added)).toEqual(expected);
	});

	it("give a late total its part of the increase that its successor was given", () => {
		const before = { ts: 1, value: 0 };
		expect(increases(before, [{ ts: 3, value: 10 }], [{ ts: 2, value: 4 }])).toEqual([
			{ ts: 2, value: 4 },
			{ ts: 3, value: -4 },
		]);
	});

	it("sum up the same whatever the order and the batches in which totals arrive", () => {
		const totals = fc
			.uniqueArray(fc.record({ ts: fc.integer({ min: 1, max: 60 }), value: fc.integer({ min: 0, max: 20 }) }), {
				selector: ({ ts }) => ts,
				minLength: 1,
				maxLength: 12,
			})
			.map((list) => list.sort((a, b) => a.ts - b.ts));
		const arrival = totals.chain((list) =>
			fc.tuple(
				fc.constant(list),
				fc.shuffledSubarray(list, { minLength: list.length }),
				fc.array(fc.nat(4), { minLength: 12, maxLength: 12 }),
			),
		);
		fc.assert(
			fc.property(arrival, ([ordered, shuffled, sizes]) => {
				const stored: Total[] = [];
				const sums = new Map<number, number>();
				const waiting = [...shuffled];
				for (let i = 0; waiting.length > 0; i++) {
					const batch = waiting.splice(0, 1 + sizes[i % sizes.length]!);
					const from = Math.min(...batch.map(({ ts }) => ts));
					stored.sort((a, b) => a.ts - b.ts);
					const before = stored.findLast(({ ts }) => ts < from);
					for (const { ts, value } of increases(
						before,
						stored.filter((total) => total.ts >= from),
						batch,
					)) {
						sums.set(ts, (sums.get(ts) ?? 0) + value);
					}
					stored.push(...batch);
				}
				const expected = inOrder(ordered);
				for (const [ts, value] of sums) expect(value).toBe(expected.get(ts) ?? 0);
				for (const [ts, value] of expected) expect(sums.get(ts) ?? 0).toBe(value);
			}),
			{ numRuns: 2_000 },
		);
	});
});
