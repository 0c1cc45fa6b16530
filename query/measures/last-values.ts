/** The last value of each series of a gauge before an instant. */
import { seriesRows } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { bucketsOver } from "../time/buckets.ts";
import { planOf, type Scope } from "./scope.ts";
import { HOST, named } from "./series.ts";

export interface LastValue {
	readonly name: string;
	readonly component: string;
	readonly host: string;
	readonly tags: Readonly<Record<string, string>>;
	readonly value: number;
	/** Start of the minute of the last point, epoch seconds. */
	readonly at: number;
	/** Usual seconds between points, as far as they can be told. */
	readonly interval_seconds: number;
}

const LOOKBACK_MS = 24 * 3_600_000;
/** A series with a single point, or many in a minute, is taken to send once a minute. */
const MIN_INTERVAL_SECONDS = 60;

/** Last values within the day before the end of the scope, of every series of these names. */
export function lastValues(scope: Scope, names: readonly string[]): Question<LastValue[]> {
	const params = new Params();
	const start = scope.end - LOOKBACK_MS;
	// Minutes, because the time of a value is told by its bucket.
	const buckets = bucketsOver(start, scope.end, "1m", "UTC");
	const rows = seriesRows(params, {
		plan: planOf({ ...scope, start, buckets }),
		buckets,
		where: named(params, names),
		columns: ["last"],
	});
	return {
		name: "last_values",
		params,
		sql: `SELECT found.name AS name, of.component AS component, of.host AS host, of.tags AS tags,
	argMaxMerge(last) AS value, max(t) AS at, (max(t) - min(t)) / greatest(uniqExact(t) - 1, 1) AS interval_seconds
FROM ${rows} AS found
INNER JOIN (SELECT DISTINCT series_id, component, ${HOST} AS host, tags ${from("series", named(params, names))}) AS of USING (series_id)
GROUP BY found.name, series_id, of.component, of.host, of.tags
ORDER BY name, host`,
		read: (found) =>
			found.map((row) => ({
				...(row as unknown as LastValue),
				interval_seconds: Math.max(MIN_INTERVAL_SECONDS, row.interval_seconds as number),
			})),
	};
}

/** Those that are not older than three of their intervals. @param end milliseconds since the epoch */
export function fresh(values: readonly LastValue[], end: number): LastValue[] {
	// The time is that of a whole minute, so a minute more.
	return values.filter((last) => end / 1_000 - last.at <= 3 * last.interval_seconds + 60);
}
