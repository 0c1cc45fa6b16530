/** What labels and recommendations follow from measured numbers: pure rules. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BOTTLENECK_RULES, bottlenecksOf, type Measured, peakHours, severityOf } from "./bottlenecks.ts";
import { type DailyPeak, nodesToAdd, project, storageToAdd } from "./capacity.ts";
import { apdexScore, performanceScore, type ScoreEvidence } from "./score.ts";
import { changeOf } from "./trends.ts";

describe("the performance score", () => {
	const perfect: ScoreEvidence = { requests: 1_000, apdex: 1, error_rate: 0, availability: 1, utilization: 0.5 };

	test("is 100 when all is well, and falls with each part by its weight", () => {
		expect(performanceScore(perfect).score).toBe(100);
		expect(performanceScore({ ...perfect, apdex: 0.5 }).score).toBeCloseTo(80, 9);
		expect(performanceScore({ ...perfect, error_rate: 0.05 }).score).toBeCloseTo(70, 9);
		expect(performanceScore({ ...perfect, error_rate: 0.025 }).score).toBeCloseTo(85, 9);
		expect(performanceScore({ ...perfect, availability: 0.99 }).score).toBeCloseTo(80, 9);
		expect(performanceScore({ ...perfect, availability: 0.5 }).score).toBeCloseTo(80, 9);
		expect(performanceScore({ ...perfect, utilization: 0.85 }).score).toBeCloseTo(95, 9);
		expect(performanceScore({ ...perfect, utilization: 1.2 }).score).toBeCloseTo(90, 9);
	});

	test("leaves out what is not known and weighs the rest anew", () => {
		const two = performanceScore({ ...perfect, apdex: 0.5, availability: null, utilization: null });
		expect(two.score).toBeCloseTo((100 * (0.4 * 0.5 + 0.3)) / 0.7, 9);
		expect(two.parts.availability).toEqual({ weight: 0.2, value: null, score: null });
	});

	test("is null of one part, and of less than 100 requests", () => {
		const one = { ...perfect, error_rate: null, availability: null, utilization: null };
		expect(performanceScore(one).score).toBeNull();
		expect(performanceScore({ ...perfect, requests: 99 }).score).toBeNull();
		expect(performanceScore({ ...perfect, requests: 100 }).score).toBe(100);
	});

	test("Apdex counts tolerating requests half, failed ones not; of none it is null", () => {
		expect(apdexScore({ requests: 10, satisfied: 5, tolerating: 3 })).toBe(0.65);
		expect(apdexScore({ requests: 0, satisfied: 0, tolerating: 0 })).toBeNull();
	});
});

describe("bottlenecks", () => {
	const at = (value: number, over: Partial<Measured> = {}): Measured => ({
		...{ resource: "gpu", component: "inference_engine", metric: "gpu.utilization", value, host: "h", device: "0" },
		...over,
	});

	test.each([
		[0.7499, undefined],
		[0.75, "low"],
		[0.85, "medium"],
		[0.92, "high"],
		[0.97, "critical"],
		[1.3, "critical"],
		// Sums of floats: what is shown as 0.92 is 0.92.
		[0.9199999999, "high"],
	])("a peak of %f is %s", (value, severity) => {
		expect(severityOf("storage", value)).toBe(severity);
	});

	test("each has the words of the tables and the number that was measured", () => {
		expect(bottlenecksOf([at(0.85)])).toMatchObject([
			{
				component: "inference_engine",
				severity: "medium",
				threshold: 0.85,
				description: "GPU utilization reaching 85% during peak hours",
				recommendation: "Consider adding more GPU resources",
			},
		]);
		for (const rule of Object.values(BOTTLENECK_RULES)) {
			if (typeof rule === "number") continue;
			expect(Object.keys(rule.recommendations)).toEqual(Object.keys(rule.thresholds));
			expect(rule.description).toContain("{value}");
		}
	});

	test("of a component's resource the fullest device counts, worst first, quiet ones not at all", () => {
		const found = bottlenecksOf([
			at(0.8),
			at(0.9, { device: "1" }),
			at(0.98, { component: "b" }),
			at(0.5, { component: "quiet" }),
			at(0.99, { component: "b", resource: "errors" }),
		]);
		expect(found.map(({ component, resource, value }) => [component, resource, value])).toEqual([
			["b", "errors", 0.99],
			["b", "gpu", 0.98],
			["inference_engine", "gpu", 0.9],
		]);
		expect(bottlenecksOf([])).toEqual([]);
	});

	test("peak hours are the busiest quarter of the hours with requests, with all that tie", () => {
		const hours = (...counts: number[]) => peakHours(new Map(counts.map((n, hour) => [hour, n])));
		expect(hours(1, 2, 3, 4)).toEqual([3]);
		expect(hours(1, 2, 3, 4, 5)).toEqual([3, 4]);
		expect(hours(0, 0, 0, 7)).toEqual([3]);
		expect(hours(5, 5, 5, 5)).toEqual([0, 1, 2, 3]);
		expect(hours(0, 0)).toEqual([]);
		expect(hours()).toEqual([]);
	});
});

describe("trends", () => {
	const week = (base: number, requests = 500) => ({
		requests,
		value: base,
		hourly: Array.from({ length: 100 }, (_, i) => base * (1 + (i % 7) / 1_000)),
	});

	test("a change of 5 percent that is significant has a direction", () => {
		expect(changeOf("response_time", week(100), week(80))).toMatchObject({
			direction: "improving",
			change_percentage: -20,
		});
		expect(changeOf("response_time", week(100), week(105))).toMatchObject({ direction: "degrading" });
		expect(changeOf("throughput", week(100), week(80))).toMatchObject({ direction: "decreasing" });
		expect(changeOf("throughput", week(100), week(123.7))).toMatchObject({ direction: "increasing" });
		expect(changeOf("throughput", week(100), week(104.9))).toMatchObject({ direction: "stable" });
	});

	test("a mean that one outlier moved is no direction", () => {
		const before = week(100);
		const now = { ...week(100), value: 150 };
		expect(changeOf("response_time", before, now)).toMatchObject({ direction: "stable", change_percentage: 50 });
	});

	test("too few requests, nothing before: null", () => {
		expect(changeOf("throughput", week(100, 99), week(100))).toBeNull();
		expect(changeOf("throughput", week(100), week(100, 99))).toBeNull();
		expect(changeOf("throughput", { ...week(100), value: 0 }, week(100))).toBeNull();
	});
});

describe("capacity", () => {
	const rising = (days: number, from: number, slope: number, noise = 0): DailyPeak[] =>
		Array.from({ length: days }, (_, day) => [day, from + slope * day + noise * ((day * 7) % 5)] as const);

	test("the trend crosses the limit on the first day that is at it", () => {
		// 0.5 + 0.005 a day: 0.9 on day 80, 1.0 on day 100.
		expect(project(rising(60, 0.5, 0.005), "cpu", 60)).toMatchObject({ day: 80, earliest: 80, latest: 80 });
		expect(project(rising(60, 0.5, 0.005), "storage", 60)).toMatchObject({ day: 100, at_horizon: 1.25 });
	});

	test("the interval is around the date", () => {
		const found = project(rising(60, 0.5, 0.005, 0.02), "storage", 60)!;
		expect(found.earliest!).toBeLessThanOrEqual(found.day);
		expect(found.latest!).toBeGreaterThanOrEqual(found.day);
	});

	test.each([
		["does not rise", rising(60, 0.9, 0)],
		["falls", rising(60, 0.9, -0.001)],
		["has less than 14 days", rising(13, 0.5, 0.005)],
		["crosses more than a year ahead", rising(60, 0.1, 0.001)],
		["explains less than half", rising(60, 0.5, 0.0005, 0.1)],
		["has no day", []],
	])("no date of a trend that %s", (_, peaks) => {
		expect(project(peaks, "storage", 60)).toBeNull();
	});

	test("one that is over the limit crossed it on that day, at the earliest on the first day seen", () => {
		expect(project(rising(60, 0.85, 0.005), "cpu", 60)).toMatchObject({ day: 10 });
		expect(project(rising(60, 1.5, 0.005), "cpu", 60)).toMatchObject({ day: 0 });
	});

	test("what to add brings the horizon to the target, and never less than nothing", () => {
		expect(nodesToAdd(4, 1.05)).toBe(2);
		expect(nodesToAdd(7, 0.7)).toBe(0);
		expect(nodesToAdd(3, 0.2)).toBe(0);
		expect(storageToAdd(1.05)).toBe(50);
		fc.assert(
			fc.property(fc.integer({ min: 1, max: 1_000 }), fc.double({ min: 0, max: 3, noNaN: true }), (nodes, used) => {
				const all = nodes + nodesToAdd(nodes, used);
				expect((nodes * used) / all).toBeLessThanOrEqual(0.7 + 1e-6 + (all === nodes ? used : 0));
			}),
			{ seed: 5 },
		);
	});
});
