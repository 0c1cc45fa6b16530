/**
 * The rule `anomaly_detection`: is a value out of the ordinary for its series?
 *
 * z = (value − expected) / scale, of the last complete bucket of five minutes. It is anomalous when |z| reaches what the sensitivity
 * asks for, so many values of the last hour agree with it, and the value itself or the mean of the hour strays further than this
 * series does on nine days of ten. The last makes one setting fit all series: k scales are rare for a steady series, and every
 * hour's business for a bursty one, whose distribution a scale alone does not tell.
 */
import type { AnomalyCondition, Sensitivity } from "../../../schema/wire/index.ts";
import { averageDeviation, type Baseline, BUCKET, type Deviation, type History, SPANS } from "./baseline.ts";
import type { AnomalyMethod } from "./model.ts";
import { lowerBound } from "./robust.ts";
import { DAY, HOUR } from "./season.ts";

export interface AnomalyRule {
	readonly sensitivity: Sensitivity;
	/** Scales that a value must be off by; raises what the sensitivity asks for, never lowers it. */
	readonly minimum_deviation?: number | undefined;
	/** Which side of what is expected counts; both unless said. */
	readonly direction?: AnomalyCondition["direction"];
}

export type AnomalyVerdict =
	| { readonly state: "insufficient_history" }
	| ({ readonly state: "normal" | "anomalous"; readonly method: AnomalyMethod } & Deviation);

/** What each sensitivity asks for; what is anomalous at one is so at all that are more sensitive. */
export const ANOMALY_LIMITS: Readonly<
	Record<
		Sensitivity,
		{
			readonly z: number;
			/** Values of the last hour that are off by as many scales in the same direction, all of them if there are fewer values. */
			readonly agreeing: number;
			/** How many times further than on a usual day. */
			readonly beyond: number;
		}
	>
> = {
	high: { z: 2, agreeing: 1, beyond: 1.25 },
	medium: { z: 3, agreeing: 2, beyond: 1.5 },
	low: { z: 4, agreeing: 3, beyond: 2.5 },
};

/** Seconds before the value under test whose buckets have a say. */
export const RECENT = HOUR;

/**
 * @param baseline of `baselineHour`, by `baselineOf`; null when there is too little history
 * @param recent the last hour's buckets; the last of them is under test
 */
export function judge(baseline: Baseline | null, recent: History, rule: AnomalyRule): AnomalyVerdict {
	const last = recent.t.length - 1;
	const at = recent.t[last];
	const now = at === undefined ? null : baseline?.deviation(at, recent.values[last]!);
	if (!baseline || at === undefined || !now) return { state: "insufficient_history" };
	const { z: least, agreeing, beyond } = ANOMALY_LIMITS[rule.sensitivity];
	const { minimum_deviation = 0, direction = "both" } = rule;
	const limit = Math.max(least, minimum_deviation);

	const { z } = now;
	const first = lowerBound(recent.t, at - RECENT + BUCKET);
	const t = Array.from({ length: last + 1 - first }, (_, i) => recent.t[first + i]!);
	const deviations = t.map((time, i) => baseline.deviation(time, recent.values[first + i]!)?.z ?? 0);
	const agree = deviations.filter((other) => Math.abs(other) >= limit && other > 0 === z > 0).length;
	const strays = SPANS.some(
		(span, i) => averageDeviation(t, deviations, t.length - 1, span) > beyond * baseline.usual[i]!,
	);
	const isOnSide = direction === "both" || (direction === "above" ? z > 0 : z < 0);
	const anomalous = isOnSide && Math.abs(z) >= limit && agree >= Math.min(agreeing, t.length) && strays;
	return { state: anomalous ? "anomalous" : "normal", ...now, method: baseline.method };
}

/**
 * As of when the baseline is that a bucket is judged by, epoch seconds: the full hour that the bucket lies in; for what is firing, the
 * hour in which that began, so that what is wrong does not become usual while it lasts. After a day it does.
 */
export function baselineHour(t: number, firingSince?: number): number {
	const since = firingSince !== undefined && t - firingSince < DAY ? firingSince : t;
	return Math.floor(since / HOUR) * HOUR;
}
