/** When a resource runs out, and how much more of it is needed. */
import { type Line, theilSen } from "./statistics.ts";

/** Limits and horizons of projections. */
export const CAPACITY_RULES = {
	/** Utilisation at which a resource counts as run out. */
	limits: { cpu: 0.9, memory: 0.9, gpu: 0.9, storage: 1 },
	/** Days of history that a trend is made of. */
	history_days: 90,
	minimum_days: 14,
	minimum_r_squared: 0.5,
	/** Dates further away are not told. */
	maximum_days_ahead: 365,
	/** Days ahead for which capacity is recommended. */
	horizon_days: 90,
	/** Utilisation that it is recommended for. */
	target_utilization: 0.7,
} as const;

export type CapacityResource = keyof typeof CAPACITY_RULES.limits;

/** Highest utilisation (ratio) of a whole calendar day, counted from any first day. */
export type DailyPeak = readonly [day: number, peak: number];

export interface Projection {
	/** First day on which the trend is at the limit. */
	readonly day: number;
	/** The same by the steepest and the flattest slope of the interval of 95 %; null is never. */
	readonly earliest: number | null;
	readonly latest: number | null;
	readonly slope_per_day: number;
	readonly r_squared: number;
	/** Utilisation of the trend at the horizon. */
	readonly at_horizon: number;
}

/**
 * The day on which the Theil–Sen trend of daily peaks crosses the limit. Null when it does not rise, has too few days, explains too
 * little, or crosses more than a year ahead. A trend that is over it already crossed it on that day, at the earliest on the first.
 * @param today day of the end of the window
 */
export function project(peaks: readonly DailyPeak[], resource: CapacityResource, today: number): Projection | null {
	const rules = CAPACITY_RULES;
	const trend = peaks.length < rules.minimum_days ? undefined : theilSen(peaks);
	if (!trend || trend.slope <= 0 || trend.r_squared < rules.minimum_r_squared) return null;
	const first = Math.min(...peaks.map(([day]) => day));
	const limit = rules.limits[resource];
	const crossing = ({ slope, intercept }: Line) =>
		slope <= 0 ? null : Math.max(first, Math.ceil(Number(((limit - intercept) / slope).toFixed(6))));
	const day = crossing(trend)!;
	if (day > today + rules.maximum_days_ahead) return null;
	return {
		day,
		earliest: crossing(trend.high),
		latest: crossing(trend.low),
		slope_per_day: trend.slope,
		r_squared: trend.r_squared,
		at_horizon: trend.intercept + trend.slope * (today + rules.horizon_days),
	};
}

/** Nodes to add so that the load of the horizon keeps them at the target. */
export function nodesToAdd(nodes: number, at_horizon: number): number {
	return Math.max(0, Math.ceil(Number(((nodes * at_horizon) / CAPACITY_RULES.target_utilization - nodes).toFixed(9))));
}

/** Percent of storage to add, so that what is used at the horizon is the target share of it. */
export function storageToAdd(at_horizon: number): number {
	return Math.max(0, Math.ceil(Number((100 * (at_horizon / CAPACITY_RULES.target_utilization - 1)).toFixed(6))));
}
