import { type Retention, retentionDays } from "../../schema/retention.ts";
import { type Plan, plan, type Reach } from "../plan/plan.ts";
import type { Buckets } from "../time/buckets.ts";

/** What every measure is asked about. */
export interface Scope {
	/** `[start, end)` in milliseconds since the epoch; `end` is at most `as_of`. */
	readonly start: number;
	readonly end: number;
	readonly buckets?: Buckets | undefined;
	/** Only what belongs to this part of the system. */
	readonly component?: string | undefined;
	/** The real clock and how far back each source reaches. */
	readonly now: number;
	readonly reach: Reach;
}

/** The sources that answer within a scope. @throws RetentionError */
export function planOf(scope: Scope, rawOnly = false): Plan {
	const { start, end, buckets, now, reach } = scope;
	return plan({ start, end, buckets, now, reach, rawOnly });
}

/** The same scope over another window, as one value. */
export function over(scope: Scope, start: number, end: number): Scope {
	return { ...scope, start, end, buckets: undefined };
}

/** How far back each source reaches under these settings. */
export function reachOf(retention: Retention): Reach {
	const days = retentionDays(retention);
	return {
		raw_days: retention.metrics_days,
		logs_days: retention.logs_days,
		tier_days: (tier) => days[tier.rollup]!,
	};
}
