import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { mannWhitneyP, median, theilSen } from "./statistics.ts";

describe("Mann–Whitney", () => {
	let database: TestDatabase;
	beforeAll(async () => {
		database = await startDatabase(NO_EXPIRY);
	});
	afterAll(() => database?.stop());

	test("says the p that ClickHouse says, with and without ties, whatever the sizes", async () => {
		const sample = fc.array(
			fc.oneof(
				fc.integer({ min: 0, max: 8 }),
				fc.integer({ min: -50_000, max: 50_000 }).map((n) => n / 1_000),
			),
			{
				minLength: 2,
				maxLength: 200,
			},
		);
		await fc.assert(
			fc.asyncProperty(sample, sample, async (a, b) => {
				const p = mannWhitneyP(a, b);
				// Of ranks that are exactly even ClickHouse corrects for continuity away from them, and says less than 1.
				fc.pre(p < 1);
				const result = await database.client.query({
					query: `SELECT mannWhitneyUTest('two-sided')(x.1, x.2).2 AS p FROM (
						SELECT arrayJoin(arrayConcat(arrayMap(v -> (v, 0), {a:Array(Float64)}), arrayMap(v -> (v, 1), {b:Array(Float64)}))) AS x)`,
					query_params: { a, b },
					format: "JSONEachRow",
				});
				const [row] = await result.json<{ p: number }>();
				expect(Math.abs(p - Math.min(1, Math.max(0, row!.p)))).toBeLessThan(1e-4);
			}),
			{ numRuns: 60, seed: 7 },
		);
	});

	test("shows nothing of equal values and of nothing", () => {
		expect(mannWhitneyP([1, 1, 1], [1, 1])).toBe(1);
		expect(mannWhitneyP([], [1, 2])).toBe(1);
		expect(mannWhitneyP([], [])).toBe(1);
	});

	test("is the same both ways", () => {
		const a = Array.from({ length: 40 }, (_, i) => i);
		const b = Array.from({ length: 40 }, (_, i) => i + 15);
		expect(mannWhitneyP(a, b)).toBeCloseTo(mannWhitneyP(b, a), 12);
		expect(mannWhitneyP(a, b)).toBeLessThan(0.05);
	});
});

describe("Theil–Sen", () => {
	const line = (n: number, slope: number) =>
		Array.from({ length: n }, (_, x): readonly [number, number] => [x, 3 + slope * x]);

	test("a quarter of outliers does not move the slope, and shows in what is explained", () => {
		const points = line(60, 0.01).map(([x, y]): readonly [number, number] => [x, x % 4 === 0 ? 1e6 : y]);
		const trend = theilSen(points)!;
		expect(trend.slope).toBeCloseTo(0.01, 2);
		expect(trend.r_squared).toBeLessThan(0.5);
		expect(theilSen(line(60, 0.01))!.r_squared).toBeCloseTo(1, 9);
	});

	test("the interval holds the slope, narrows with more points, and is of slopes that are there", () => {
		fc.assert(
			fc.property(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 60 }), (noise) => {
				const points = noise.map((e, x): readonly [number, number] => [x, 0.2 * x + e]);
				const trend = theilSen(points)!;
				const slopes = points.flatMap(([x, y], i) => points.slice(i + 1).map(([u, v]) => (v - y) / (u - x)));
				expect(trend.slope).toBeCloseTo(median(slopes), 9);
				expect(trend.low.slope).toBeLessThanOrEqual(trend.slope);
				expect(trend.high.slope).toBeGreaterThanOrEqual(trend.slope);
				expect(slopes.some((slope) => slope === trend.low.slope)).toBe(true);
				// Half of the points are on each side of the line.
				const above = points.filter(([x, y]) => y - trend.intercept - trend.slope * x > 1e-9).length;
				expect(above).toBeLessThanOrEqual(points.length / 2);
			}),
			{ seed: 3 },
		);
	});

	test("one point has no trend, a constant has slope 0 and explains nothing", () => {
		expect(theilSen([[1, 1]])).toBeUndefined();
		expect(theilSen(line(20, 0))).toMatchObject({ slope: 0, r_squared: 0 });
	});
});
