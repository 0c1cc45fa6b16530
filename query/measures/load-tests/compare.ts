/** What a load test did to a metric: values, the effect, and the verdict. */
import type { LoadMetric, LoadTest, LoadTestAnswer } from "../../../schema/wire/index.ts";
import { cliffsDelta, mannWhitneyP } from "../statistics.ts";
import type { Sample } from "./samples.ts";

export type LoadVerdict = LoadTestAnswer["metrics"][number]["verdict"];
export type Effect = NonNullable<LoadTestAnswer["metrics"][number]["effect"]>;
type Threshold = NonNullable<LoadTest["thresholds"][LoadMetric]>;

/** A phase as one, and by part. */
export interface Phase {
	/** Undefined without a request. */
	readonly whole: Sample | undefined;
	readonly parts: ReadonlyMap<number, Sample>;
	/** Whole parts that are over; a part of one would count too few requests. */
	readonly partsOver: number;
	readonly part_s: number;
	readonly elapsed_s: number;
	/** Whether a phase without a request had none, or is not known. */
	readonly instrumented: boolean;
}

/** Romano et al. (2006). */
const EFFECTS: readonly (readonly [from: number, Effect])[] = [
	[0.474, "large"],
	[0.33, "medium"],
	[0.147, "small"],
	[0, "negligible"],
];
/** A metric without thresholds got worse when the change is sure, clear and worth it. */
const WORSE = { p: 0.05, delta: 0.33, change: 0.1 } as const;

/** In the unit of the metric; null without evidence. */
export function metricValue(metric: LoadMetric, { whole, elapsed_s, instrumented }: Phase): number | null {
	if (metric === "throughput") {
		if (elapsed_s <= 0) return null;
		return whole === undefined ? (instrumented ? 0 : null) : whole.requests / elapsed_s;
	}
	return whole === undefined ? null : sampleValue(metric, whole);
}

function sampleValue(metric: Exclude<LoadMetric, "throughput">, sample: Sample): number | null {
	switch (metric) {
		case "response_time":
			return sample.sum_ms / sample.requests;
		case "response_time_p50":
			return sample.p50_ms;
		case "response_time_p95":
			return sample.p95_ms;
		case "response_time_p99":
			return sample.p99_ms;
		case "error_rate":
			return sample.failed === null ? null : sample.failed / sample.requests;
	}
}

/** Values of the parts that are over; of throughput also those without a request. */
export function partValues(metric: LoadMetric, { parts, partsOver, part_s, instrumented }: Phase): number[] {
	if (metric === "throughput") {
		if (!instrumented) return [];
		return Array.from({ length: partsOver }, (_, part) => (parts.get(part)?.requests ?? 0) / part_s);
	}
	return [...parts]
		.filter(([part]) => part < partsOver)
		.flatMap(([, sample]) => {
			const value = sampleValue(metric, sample);
			return value === null ? [] : [value];
		});
}

export interface Comparison {
	readonly baseline: number | null;
	readonly during: number | null;
	readonly after: number | null;
	/** Ratios. */
	readonly change: number | null;
	readonly after_change: number | null;
	readonly effect_size: number | null;
	readonly effect: Effect | null;
	readonly p_value: number | null;
	readonly verdict: LoadVerdict;
	readonly reasons: readonly string[];
}

export function compare(
	metric: LoadMetric,
	phases: { readonly baseline: Phase; readonly during: Phase; readonly after: Phase },
	threshold: Threshold | undefined,
): Comparison {
	const [baseline, during, after] = [phases.baseline, phases.during, phases.after].map((of) =>
		metricValue(metric, of),
	) as [number | null, number | null, number | null];
	const [usual, tested] = [partValues(metric, phases.baseline), partValues(metric, phases.during)];
	// A test without traffic has no effect; that it had no requests is not a throughput of 0.
	const effect_size = during === null ? null : cliffsDelta(tested, usual);
	const found = {
		...{ baseline, during, after },
		change: changeOf(during, baseline),
		after_change: changeOf(after, baseline),
		effect_size,
		effect: effect_size === null ? null : EFFECTS.find(([from]) => Math.abs(effect_size) >= from)![1],
		p_value: effect_size === null ? null : mannWhitneyP(tested, usual),
	};
	return { ...found, ...verdictOf(metric, found, threshold) };
}

type Found = Omit<Comparison, "verdict" | "reasons">;

/** Thresholds decide where there are any; else it fails when it got worse than the baseline. */
export function verdictOf(
	metric: LoadMetric,
	found: Found,
	threshold: Threshold | undefined,
): { verdict: LoadVerdict; reasons: string[] } {
	const { during, baseline, change, effect_size, p_value } = found;
	if (during === null) return { verdict: "no_data", reasons: [] };
	// More is worse, but for throughput.
	const sign = metric === "throughput" ? -1 : 1;
	const percent = change === null ? "" : `${change >= 0 ? "+" : ""}${(100 * change).toFixed(1)} % to the baseline`;
	const { max, min, max_change_percentage } = threshold ?? {};
	const limits = [max, min, max_change_percentage].filter((limit) => limit !== undefined);
	if (limits.length > 0) {
		const reasons: string[] = [];
		if (max !== undefined && during > max) reasons.push(`over the threshold of ${max}`);
		if (min !== undefined && during < min) reasons.push(`under the threshold of ${min}`);
		if (max_change_percentage !== undefined && change !== null && sign * change * 100 > max_change_percentage) {
			reasons.push(`${percent}, the threshold is ${max_change_percentage} %`);
		}
		if (reasons.length > 0) return { verdict: "failed", reasons };
		const blind = limits.length === 1 && max_change_percentage !== undefined && change === null;
		return blind
			? { verdict: "inconclusive", reasons: ["there is no baseline to compare with"] }
			: { verdict: "passed", reasons };
	}
	if (baseline === null || effect_size === null || p_value === null) {
		return { verdict: "inconclusive", reasons: ["there is no baseline to compare with, and no threshold"] };
	}
	// From nothing to something is as much as it gets.
	const worth = change === null ? sign * (during - baseline) > 0 : sign * change >= WORSE.change;
	if (worth && sign * effect_size >= WORSE.delta && p_value < WORSE.p) {
		return { verdict: "failed", reasons: [percent || `${during} where there was none before`] };
	}
	return { verdict: "passed", reasons: [] };
}

/** Of several metrics: one that failed fails all. */
export function overall(verdicts: readonly LoadVerdict[]): LoadVerdict {
	const order: readonly LoadVerdict[] = ["failed", "inconclusive", "no_data", "passed"];
	if (verdicts.every((verdict) => verdict === "no_data")) return "no_data";
	return order.find((verdict) => verdicts.includes(verdict))!;
}

function changeOf(now: number | null, before: number | null): number | null {
	return now === null || before === null || before === 0 ? null : (now - before) / before;
}
