/** Databases of the monitoring document. */
import { z } from "zod";
import { count, explanation, list, meta, milliseconds, timeframes, windowParameters } from "./common.ts";

export const DATABASES_TIMEFRAMES = ["1h", "24h", "7d", "30d"] as const;

/** What counts as a slow query unless asked otherwise, milliseconds. */
export const SLOW_QUERY_MS = 1_000;

export const databasesQuery = z.strictObject({
	timeframe: timeframes(DATABASES_TIMEFRAMES),
	databases: list("Logical names (tag `db`, else `db.namespace`). Default: all that were ever seen.").optional(),
	slow_query_ms: z.coerce
		.number()
		.positive()
		.default(SLOW_QUERY_MS)
		.describe("An operation is slow when it takes longer, milliseconds."),
	...windowParameters,
});
export const databaseMetrics = z.object({
	avg_query_time: milliseconds,
	p95_query_time: milliseconds,
	connection_pool_usage: z.number().nullable().describe("Percent of the pool in use, mean of the window."),
	connection_pool_usage_peak: z.number().nullable().describe("Percent of the pool in use at most."),
	slow_query_count: count,
	queries: count,
	low_sample: z.array(z.string()).optional().describe("Percentiles of fewer values than they need to mean something."),
});
export type DatabaseMetrics = z.infer<typeof databaseMetrics>;

/** Names that an answer keeps for itself; a database of such a name stands under `database:` and its name. */
export const databasesAnswer = z
	.object({ meta, explain: explanation.optional() })
	.catchall(databaseMetrics)
	.describe("A member for each database. One called meta or explain is answered as database:meta, database:explain.");
export type DatabasesQuery = z.input<typeof databasesQuery>;
/**
 * A database by its name, and `meta`, which has the members of a database in its type alone: so `Object.entries` of the answer that
 * the SDK gives, where `meta` is not enumerable, is of databases.
 */
export type DatabasesAnswer = Readonly<Record<string, DatabaseMetrics>> & {
	readonly meta: DatabaseMetrics & z.infer<typeof meta>;
};
