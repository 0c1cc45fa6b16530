import fc from "fast-check";
import { expect, test } from "vitest";
import { type Count, sliceTime, tierSpans } from "./slices.ts";

const DAY_MS = 86_400_000;

/** Rows at these times, counted as ClickHouse does. */
function counting(times: readonly number[]): Count {
	return async ({ start, end }, step) => {
		const found = new Map<number, number>();
		for (const ts of times) {
			if (ts < start || ts >= end) continue;
			const at = Math.floor(ts / step) * step;
			found.set(at, (found.get(at) ?? 0) + 1);
		}
		return [...found].sort(([a], [b]) => a - b);
	};
}

const spans = fc
	.record({
		start: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_000 + DAY_MS }),
		length: fc.integer({ min: 1, max: 3 * DAY_MS }),
	})
	.map(({ start, length }) => ({ start, end: start + length }));
/** In bursts, so that some milliseconds hold more than a part does. */
const timesIn = ({ start, end }: { start: number; end: number }) =>
	fc
		.array(
			fc.tuple(
				fc.integer({ min: start - 1_000, max: end + 1_000 }),
				fc.integer({ min: 1, max: 12 }),
				fc.integer({ min: 0, max: 5_000 }),
			),
			{ maxLength: 40 },
		)
		.map((bursts) => bursts.flatMap(([at, n, apart]) => Array.from({ length: n }, (_, i) => at + i * apart)));

test("parts follow one another without a gap, count every row once, and hold more than they should only where a millisecond does", async () => {
	await fc.assert(
		fc.asyncProperty(
			spans.chain((span) => fc.tuple(fc.constant(span), timesIn(span))),
			fc.integer({ min: 1, max: 20 }),
			async ([span, times], part_rows) => {
				const parts = await sliceTime(span, counting(times), { part_rows });
				expect(parts[0]!.start).toBe(span.start);
				expect(parts.at(-1)!.end).toBe(span.end);
				const inside = times.filter((ts) => ts >= span.start && ts < span.end);
				for (const [i, { start, end, rows }] of parts.entries()) {
					if (i > 0) expect(start).toBe(parts[i - 1]!.end);
					const held = inside.filter((ts) => ts >= start && ts < end);
					expect(rows).toBe(held.length);
					if (rows > part_rows) expect(new Set(held).size).toBe(1);
				}
				expect(parts.reduce((sum, { rows }) => sum + rows, 0)).toBe(inside.length);
			},
		),
		{ seed: 6, numRuns: 200 },
	);
});

test("no part ends within a bucket of a tier", async () => {
	const times = Array.from({ length: 500 }, (_, i) => 1_700_000_100_000 + i * 7_000);
	for (const grain_ms of [60_000, 300_000, 900_000, 3_600_000, DAY_MS]) {
		const start = Math.floor(1_700_000_100_000 / DAY_MS) * DAY_MS;
		const parts = await sliceTime({ start, end: start + DAY_MS }, counting(times), { part_rows: 10, grain_ms });
		for (const { end } of parts.slice(0, -1)) expect(end % grain_ms).toBe(0);
	}
});

test("a huge export has bigger parts instead of more than the list of them may hold", async () => {
	const hours = 24 * 365;
	const parts = await sliceTime({ start: 0, end: hours * 3_600_000 }, async (_, step) =>
		step === 3_600_000 ? Array.from({ length: hours }, (_, i) => [i * step, 5_000_000] as const) : [],
	);
	expect(parts.length).toBeLessThanOrEqual(1_100);
	expect(parts.reduce((sum, { rows }) => sum + rows, 0)).toBe(hours * 5_000_000);
});

test("buckets that the window cuts are made of raw points, whole ones are read from the tier", () => {
	expect(tierSpans({ start: 90, end: 410 }, 100)).toEqual([
		{ start: 90, end: 100, tier: false },
		{ start: 100, end: 400, tier: true },
		{ start: 400, end: 410, tier: false },
	]);
	expect(tierSpans({ start: 100, end: 300 }, 100)).toEqual([{ start: 100, end: 300, tier: true }]);
	expect(tierSpans({ start: 110, end: 190 }, 100)).toEqual([{ start: 110, end: 190, tier: false }]);
});
