/** The rollup ladder as data: query planning, retention, client types and dashboards all read this list. */

/** One step of the ladder. Every step divides the next, so a tier can be composed from any finer one. */
export interface Tier {
	readonly name: Granularity;
	readonly step_seconds: number;
	/** Per-series n, sum, min, max, last. */
	readonly rollup: string;
	/** Percentile sketches per (project, name, component). */
	readonly sketch: string;
	/** The same over all components, per (project, name), where a window takes many. */
	readonly sketch_total?: string;
	/** How long the tier is kept. */
	readonly retention_days: number;
}

export const GRANULARITIES = ["1m", "5m", "15m", "1h", "1d"] as const;
export type Granularity = (typeof GRANULARITIES)[number];

const tier = (name: Granularity, step_seconds: number, retention_days: number): Tier => ({
	name,
	step_seconds,
	rollup: `rollup_${name}`,
	sketch: `sketch_${name}`,
	retention_days,
	...(step_seconds >= 3_600 ? { sketch_total: `sketch_total_${name}` } : {}),
});

/** Finest first. */
export const LADDER: readonly Tier[] = [
	tier("1m", 60, 90),
	tier("5m", 300, 180),
	tier("15m", 900, 180),
	tier("1h", 3_600, 400),
	tier("1d", 86_400, 1_826),
];

/** The tier of a granularity. */
export function tierOf(granularity: Granularity): Tier {
	return LADDER.find((t) => t.name === granularity)!;
}
