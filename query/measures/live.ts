/** What viewers see first: what was stored lately, folded as ingest folds what comes in. */
import type { LivePart } from "../../schema/live/frames.ts";
import { KEPT_TAGS, keptValue } from "../../schema/live/kept-tags.ts";
import { isPattern } from "../../schema/live/patterns.ts";
import type { MetricKind } from "../../schema/wire/ingest.ts";
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { MODEL_EVENT } from "./models.ts";

/** How far back the last value of a gauge is still worth showing. */
export const GAUGE_LOOKBACK_MS = 5 * 60_000;

/**
 * Points of the last `interval_ms` before `end`; of gauges the last value of each series instead, since most are sent more rarely than
 * they are watched. Times in milliseconds since the epoch.
 */
export function recentPoints(names: readonly string[], end: number, interval_ms: number): Question<LivePart[]> {
	const params = new Params();
	const start = end - Math.max(interval_ms, GAUGE_LOOKBACK_MS);
	const named = namesWhere(params, "name", names);
	const told = params.add("Array(String)", Object.keys(KEPT_TAGS));
	const kept = params.add("Array(String)", [...new Set(Object.values(KEPT_TAGS).flat())]);
	const recent = `ts >= ${at(params, end - interval_ms)}`;
	return {
		name: "recent_points",
		params,
		sql: `SELECT found.name AS name, kind, kept, sum(size) AS n, sum(total) AS sum, min(least) AS min, max(most) AS max,
	argMax(newest, at) AS last, max(at) AS last_at
FROM (
	SELECT name, kind, series_id, argMax(v, ts) AS newest, toUnixTimestamp64Milli(max(ts)) AS at,
		if(kind = 'gauge', 1, countIf(${recent})) AS size, if(kind = 'gauge', newest, sumIf(v, ${recent})) AS total,
		if(kind = 'gauge', newest, minIf(v, ${recent})) AS least, if(kind = 'gauge', newest, maxIf(v, ${recent})) AS most
	FROM (SELECT name, kind, series_id, ts, value AS v ${from("points", `(${named}) AND ${between(params, "ts", start, end)}`)})
	GROUP BY name, kind, series_id HAVING size > 0
) AS found
INNER JOIN (SELECT DISTINCT series_id, if(name IN ${told}, mapFilter((k, v) -> has(${kept}, k), tags), map()) AS kept
	${from("series", named)}) AS of USING (series_id)
GROUP BY found.name, kind, kept`,
		read: (rows) =>
			rows.map((row) => ({
				...(row as unknown as LivePart),
				...{ signal: "metric", kind: row.kind as MetricKind },
				tags: keptOf(row.name as string, row.kept as Record<string, string>),
			})),
	};
}

function keptOf(name: string, tags: Readonly<Record<string, string>>): Record<string, string> {
	const kept = Object.hasOwn(KEPT_TAGS, name) ? KEPT_TAGS[name]! : [];
	return Object.fromEntries(
		Object.entries(tags)
			.filter(([tag]) => kept.includes(tag))
			.map(([tag, value]) => [tag, keptValue(tag, value)]),
	);
}

/** Calls of models of the last `interval_ms` before `end`, as the event that tells of them is folded. */
export function recentModelCalls(end: number, interval_ms: number): Question<LivePart[]> {
	const params = new Params();
	return {
		name: "recent_model_calls",
		params,
		sql: `SELECT outcome, timed_ms IS NOT NULL AS timed, count() AS n, ifNull(sum(timed_ms), 0) AS sum, toUnixTimestamp64Milli(max(ts)) AS last_at
${from("model_calls", between(params, "ts", end - interval_ms, end))} GROUP BY outcome, timed`,
		read: (rows) =>
			rows.map((row) => ({
				...{ signal: "event", name: MODEL_EVENT, kind: "counter", min: 0, max: 0, last: 0 },
				...{ n: row.n as number, sum: row.sum as number, last_at: row.last_at as number },
				tags: {
					...(row.outcome === "success"
						? {}
						: { error_type: row.outcome === "error" ? "other" : (row.outcome as string) }),
					...(row.timed ? { latency_ms: "known" } : {}),
				},
			})),
	};
}

/** A predicate on a column: the names, or what fits one of the patterns. */
function namesWhere(params: Params, column: string, names: readonly string[]): string {
	const exact = names.filter((name) => !isPattern(name));
	const like = names
		.filter(isPattern)
		.map((pattern) => params.add("String", pattern.replace(/[\\%_]/g, "\\$&").replaceAll("*", "%")));
	return [
		`${column} IN ${params.add("Array(String)", exact)}`,
		...like.map((pattern) => `${column} LIKE ${pattern}`),
	].join(" OR ");
}
