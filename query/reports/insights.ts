/** What a report says of its numbers: three rules, each with what it saw. Pure. */
import type { ReportInsight } from "../../schema/wire/index.ts";
import { mannWhitneyP } from "../measures/statistics.ts";
import { meanOf } from "../quotient.ts";

/** Thresholds, version 1. */
export const INSIGHT_RULES = {
	version: 1,
	/** A change is told when it is larger than this share of the window before, … */
	change_beyond: 0.03,
	/** … and the Mann–Whitney U test over the buckets of both windows finds it less likely than this to be chance, … */
	change_p: 0.05,
	/** … of which each window has as many as this, known. */
	change_buckets: 4,
	/** What is told when every bucket of the window keeps it, or every one breaks it. */
	thresholds: {
		success_rate: { at_least: 0.98 },
		error_rate: { at_most: 0.01 },
		cpu_usage: { at_most: 0.9 },
		memory_usage: { at_most: 0.9 },
	} as Readonly<Record<string, Threshold>>,
	threshold_buckets: 3,
	/** Hours of the busiest stretch. */
	peak_hours: 2,
};

export type Threshold = { readonly at_least: number } | { readonly at_most: number };

/** A metric over a window, as it was computed. */
export interface Observed {
	readonly metric: string;
	/** Of the threshold's table. */
	readonly member: string;
	/** As it begins a sentence. */
	readonly label: string;
	readonly unit: "" | "ms" | "%" | "ratio";
	readonly better?: "higher" | "lower" | undefined;
	/** Of the whole window, and of the one before. */
	readonly value: number | null;
	readonly before: number | null;
	/** By bucket in the order of time; null without evidence. */
	readonly buckets: readonly (number | null)[];
	readonly bucketsBefore: readonly (number | null)[];
	/** `day` or `hour`. */
	readonly bucket: string;
	/** Of what is counted: how much in each hour of the window, by its start in epoch seconds; hours without are absent. */
	readonly hours?: ReadonlyMap<number, number> | undefined;
}

export interface Over {
	/** Starts of all hours of the window, epoch seconds. */
	readonly hours: readonly number[];
	readonly timezone: string;
	/** How the window before is called. */
	readonly before: string;
}

/** @see INSIGHT_RULES */
export function insightsOf(all: readonly Observed[], over: Over): ReportInsight[] {
	return all.flatMap((one) => [...change(one, over), ...threshold(one), ...peak(one, over)]);
}

function change(one: Observed, { before }: Over): ReportInsight[] {
	const { value, before: baseline } = one;
	if (value === null || baseline === null || baseline === 0) return [];
	const share = (value - baseline) / Math.abs(baseline);
	if (!(Math.abs(share) > INSIGHT_RULES.change_beyond)) return [];
	const [now, then] = [known(one.buckets), known(one.bucketsBefore)];
	if (Math.min(now.length, then.length) < INSIGHT_RULES.change_buckets) return [];
	if (!(mannWhitneyP(now, then) < INSIGHT_RULES.change_p)) return [];
	const by = `${Number((100 * Math.abs(share)).toFixed(1))}%`;
	const rose = share > 0;
	const verb =
		one.better === undefined ? (rose ? "rose" : "fell") : rose === (one.better === "higher") ? "improved" : "worsened";
	const text = `${one.label} ${verb} ${by} against the ${before}: ${shown(value, one)} after ${shown(baseline, one)}`;
	return [{ rule: "change", metric: one.metric, text, evidence: { value, baseline, n: now.length + then.length } }];
}

function threshold(one: Observed): ReportInsight[] {
	const limit = INSIGHT_RULES.thresholds[one.member];
	const values = known(one.buckets);
	// One that nobody knows of may have broken it.
	if (!limit || values.length < one.buckets.length || values.length < INSIGHT_RULES.threshold_buckets) return [];
	const isLower = "at_least" in limit;
	const baseline = isLower ? limit.at_least : limit.at_most;
	const keeps = (value: number) => (isLower ? value >= baseline : value <= baseline);
	const kept = values.filter(keeps).length;
	if (kept > 0 && kept < values.length) return [];
	const value = isLower === kept > 0 ? Math.min(...values) : Math.max(...values);
	const side = isLower === kept > 0 ? "above" : "below";
	const stayed = kept > 0 ? "stayed at or" : "was";
	const text = `${one.label} ${stayed} ${side} ${shown(baseline, one)} in every ${one.bucket}: ${shown(value, one)} at the ${
		side === "above" ? "lowest" : "highest"
	}`;
	return [{ rule: "threshold", metric: one.metric, text, evidence: { value, baseline, n: values.length } }];
}

/** The busiest stretch of whole hours beside each other; of equal ones the first. */
function peak(one: Observed, { hours: starts, timezone }: Over): ReportInsight[] {
	const { hours } = one;
	const length = INSIGHT_RULES.peak_hours;
	if (hours === undefined || starts.length <= length) return [];
	const sums: { readonly start: number; readonly sum: number }[] = [];
	for (let i = 0; i + length <= starts.length; i++) {
		const stretch = starts.slice(i, i + length);
		// A change of the clocks may cut an hour short.
		if (stretch.at(-1)! - stretch[0]! !== (length - 1) * 3_600) continue;
		sums.push({ start: stretch[0]!, sum: stretch.reduce((sum, t) => sum + (hours.get(t) ?? 0), 0) });
	}
	const top = sums.reduce((a, b) => (b.sum > a.sum ? b : a), { start: 0, sum: 0 });
	const baseline = meanOf(sums.map(({ sum }) => sum));
	if (baseline === null || !(top.sum > baseline)) return [];
	const from = top.start * 1_000;
	const day = new Intl.DateTimeFormat("en", { timeZone: timezone, weekday: "long", day: "numeric", month: "long" });
	const clock = new Intl.DateTimeFormat("en", {
		timeZone: timezone,
		hourCycle: "h23",
		hour: "2-digit",
		minute: "2-digit",
	});
	const until = from + length * 3_600_000;
	const text = `${one.label} peaked on ${day.format(from)} from ${clock.format(from)} to ${clock.format(until)}: ${shown(
		top.sum,
		one,
	)}, on average ${shown(baseline, one)} in ${length} hours`;
	return [{ rule: "peak", metric: one.metric, text, evidence: { value: top.sum, baseline, n: sums.length } }];
}

const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);

function shown(value: number, { unit }: Observed): string {
	// What is told in percent is kept as a ratio.
	if (unit === "ratio" || unit === "%") return `${Number((100 * value).toFixed(1))}%`;
	const rounded = Math.abs(value) >= 10 ? Math.round(value) : Number(value.toPrecision(3));
	return unit === "ms" ? `${rounded} ms` : rounded.toLocaleString("en-US");
}
