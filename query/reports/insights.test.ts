import { expect, test } from "vitest";
import { insightsOf, type Observed } from "./insights.ts";

const over = { hours: [], timezone: "UTC", before: "week before" };
const base: Observed = {
	...{ metric: "ai.performance.response_time", member: "avg_response_time", label: "AI response time", unit: "ms" },
	...{ better: "lower", value: 950, before: 1_000, bucket: "day" },
	buckets: [940, 951, 949, 955, 950, 948, 957],
	bucketsBefore: [1_000, 1_001, 999, 1_003, 998, 1_002, 997],
};
const texts = (one: Partial<Observed>, around = over) =>
	insightsOf([{ ...base, ...one }], around).map(({ text }) => text);

test("a change beyond 3 % that chance does not explain is told, with what it was measured against", () => {
	expect(insightsOf([base], over)).toEqual([
		{
			...{ rule: "change", metric: "ai.performance.response_time" },
			text: "AI response time improved 5% against the week before: 950 ms after 1000 ms",
			evidence: { value: 950, baseline: 1_000, n: 14 },
		},
	]);
	expect(texts({ better: "higher" })[0]).toContain("worsened 5%");
	expect(texts({ better: undefined })[0]).toContain("fell 5%");
});

test.each<[string, Partial<Observed>]>([
	["is within 3 %", { value: 971 }],
	["is one that single days explain", { buckets: [400, 1_100, 1_001, 999, 1_002, 1_050, 1_098] }],
	["has too few buckets", { buckets: [950, 951, 949], bucketsBefore: [1_000, 1_001, 999] }],
	["has nothing before", { before: null }],
	["was zero before", { before: 0 }],
	["is not known now", { value: null }],
])("a change that %s is not told", (_, one) => {
	expect(texts(one)).toEqual([]);
});

const success = {
	...{ metric: "ai.performance.success_rate", member: "success_rate", label: "Success rate", unit: "ratio" as const },
	...{ better: "higher" as const, value: 0.985, before: null },
};

test("a threshold is told when every bucket keeps it or every one breaks it, and not when one differs or is not known", () => {
	expect(texts({ ...success, buckets: [0.981, 0.99, 0.98] })).toEqual([
		"Success rate stayed at or above 98% in every day: 98% at the lowest",
	]);
	expect(texts({ ...success, buckets: [0.9, 0.95, 0.979] })).toEqual([
		"Success rate was below 98% in every day: 97.9% at the highest",
	]);
	expect(texts({ ...success, buckets: [0.99, 0.979, 0.99] })).toEqual([]);
	expect(texts({ ...success, buckets: [0.99, null, 0.99] })).toEqual([]);
	expect(texts({ ...success, buckets: [0.99, 0.99] })).toEqual([]);
	const errors = { ...success, member: "error_rate", label: "Error rate", better: "lower" as const };
	expect(texts({ ...errors, buckets: [0.001, 0.01, 0] })).toEqual([
		"Error rate stayed at or below 1% in every day: 1% at the highest",
	]);
	expect(texts({ ...errors, buckets: [0.02, 0.011, 0.5] })).toEqual([
		"Error rate was above 1% in every day: 1.1% at the lowest",
	]);
});

test("the busiest two hours are told in the zone of the report; of equal ones the first, of level ones none", () => {
	const first = Date.parse("2026-03-03T00:00:00Z") / 1_000;
	const hours = Array.from({ length: 48 }, (_, i) => first + i * 3_600);
	const requests = {
		...base,
		...{ metric: "usage.ai_requests", label: "AI requests", unit: "" as const, before: null },
	};
	const busy = new Map([
		[hours[14]!, 1_000],
		[hours[15]!, 1_400],
		[hours[30]!, 2_400],
	]);
	const told = (values: ReadonlyMap<number, number>, timezone = "UTC") =>
		insightsOf([{ ...requests, hours: values }], { ...over, hours, timezone });
	expect(told(busy)).toEqual([
		{
			...{ rule: "peak", metric: "usage.ai_requests" },
			text: "AI requests peaked on Tuesday, March 3 from 14:00 to 16:00: 2,400, on average 204 in 2 hours",
			evidence: { value: 2_400, baseline: (2 * 4_800) / 47, n: 47 },
		},
	]);
	expect(told(busy, "Asia/Kathmandu")[0]!.text).toContain("from 19:45 to 21:45");
	expect(told(new Map(hours.map((t) => [t, 5])))).toEqual([]);
	expect(told(new Map())).toEqual([]);
});
