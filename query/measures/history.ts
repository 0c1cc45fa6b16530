/** The last weeks of a metric in buckets of five minutes, compact: what the rule `anomaly_detection` makes its baselines of. */
import type { Question } from "../sql.ts";
import { bucketsOver } from "../time/buckets.ts";
import { type CustomQuery, customMetric } from "./custom.ts";
import type { Scope } from "./scope.ts";

/** The buckets of one group that have a value, in the order of time. */
export interface MetricHistory {
	/** Values of the tags asked for. */
	readonly group: readonly string[];
	/** Start of each bucket, epoch seconds. */
	readonly t: readonly number[];
	readonly values: readonly number[];
}

/**
 * One row a group instead of one a bucket: four weeks of a series are 8,064 buckets. Buckets without points are left out. The scope's
 * window should lie on five minutes; its ends come from raw points otherwise.
 * @throws RetentionError when only raw points could answer and they are gone
 */
export function metricHistory(scope: Scope, query: Omit<CustomQuery, "seconds">): Question<MetricHistory[]> {
	const buckets = bucketsOver(scope.start, scope.end, "5m", "UTC");
	const each = customMetric({ ...scope, buckets }, { ...query, seconds: () => 300 });
	const group = query.groupBy.length > 0 ? "group" : "[]::Array(String) AS group";
	return {
		name: `history.${each.name}`,
		params: each.params,
		sql: `SELECT ${group}, arraySort(groupArray((t, value, size))) AS found FROM (${each.sql}) GROUP BY group`,
		read: (rows) =>
			rows.map((row) => {
				const found = row.found as [number, number | null, number][];
				const values = each
					.read(found.map(([t, value, size]) => ({ group: row.group, t, value, size })))
					.filter((bucket): bucket is typeof bucket & { value: number } => bucket.value !== null);
				return {
					group: row.group as string[],
					t: values.map(({ t }) => t),
					values: values.map(({ value }) => value),
				};
			}),
	};
}
