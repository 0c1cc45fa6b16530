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
	/** What is known of people is known as of this instant; default: the end. */
	readonly as_of?: number | undefined;
	/** Event time of the newest point of the project (`Signals.newestPoint`), where it is known. */
	readonly newest?: number | undefined;
	/** The real clock and how far back each source reaches. */
	readonly now: number;
	readonly reach: Reach;
}

/** The sources that answer within a scope. @throws RetentionError */
export function planOf(scope: Scope, rawOnly = false): Plan {
	const { start, end, buckets, newest, now, reach } = scope;
	return plan({ start, end, buckets, newest, now, reach, rawOnly });
}

/** The same scope over another window, as one value. */
export function over(scope: Scope, start: number, end: number): Scope {
	return { ...scope, start, end, buckets: undefined };
}

/** A window that a value is of, by the `t` that the value goes by. */
export interface ValueWindow {
	readonly t: number;
	/** Milliseconds since the epoch. */
	readonly start: number;
	readonly end: number;
}

/** Windows of a scope: of each bucket as far as the scope reaches, those that trail, or the one of a scope without buckets. */
export function windowsOf({ start, end, buckets }: Scope): ValueWindow[] {
	if (!buckets) return [{ t: 0, start, end }];
	if (buckets.trailing) {
		const { first, step, count, length } = buckets.trailing;
		return Array.from({ length: count }, (_, i) => first + i * step).map((t) => ({
			...{ t, start: (t - length) * 1_000, end: t * 1_000 },
		}));
	}
	return buckets.starts.map((t, i) => ({
		t,
		start: Math.max(t * 1_000, start),
		end: Math.min((buckets.starts[i + 1] ?? buckets.end) * 1_000, end),
	}));
}

/** Seconds of the window that a value is of, by its `t`. */
export function secondsOf(scope: Scope): (t: number) => number {
	const trailing = scope.buckets?.trailing;
	if (trailing) return () => trailing.length;
	const seconds = new Map(windowsOf(scope).map(({ t, start, end }) => [t, (end - start) / 1_000]));
	return (t) => seconds.get(t) ?? 0;
}

/** How far back each source reaches under these settings. @param own days by name that a project wants less of */
export function reachOf(retention: Retention, own?: Readonly<Record<string, number>>): Reach {
	const server = retentionDays(retention);
	const days = { ...server, ...own };
	return {
		raw_days: days.metrics!,
		logs_days: days.logs!,
		tier_days: (tier) => days[tier.rollup]!,
		events_days: own?.events,
		whole_days: own && wholeDays(own),
	};
}

/** Raw points that are gone are in their tiers still. */
function wholeDays({ metrics: _, ...own }: Readonly<Record<string, number>>): number | undefined {
	const days = Object.values(own);
	return days.length === 0 ? undefined : Math.min(...days);
}
