import { LADDER } from "./granularity.ts";

/** Days that raw signals are kept; the rollup tiers have their own in the ladder. */
export interface Retention {
	readonly metrics_days: number;
	readonly logs_days: number;
	readonly events_days: number;
}

export const DEFAULT_RETENTION: Retention = { metrics_days: 90, logs_days: 90, events_days: 400 };

/**
 * Days by the name a migration uses (`{{days:NAME}}`). A tier is kept at least as long as its raw points: it would
 * otherwise refuse windows that raw could still answer.
 */
export function retentionDays(retention: Retention): Readonly<Record<string, number>> {
	return {
		metrics: retention.metrics_days,
		logs: retention.logs_days,
		events: retention.events_days,
		...Object.fromEntries(LADDER.map((t) => [t.rollup, Math.max(t.retention_days, retention.metrics_days)])),
	};
}
