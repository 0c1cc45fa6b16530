/** Profiles of one operation: how long its runs took, on what, and where in it the time went. */
import { between } from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";
import type { Scope } from "./scope.ts";

type Window = Pick<Scope, "start" | "end">;

/** A quantity over the runs that say it. */
export interface Spread {
	readonly n: number;
	readonly sum: number;
	readonly max: number;
	readonly p50: number;
	readonly p95: number;
	readonly p99: number;
}

export interface RunSummary {
	readonly calls: number;
	readonly succeeded: number;
	/** In nanoseconds; null when no run says it, as the two below. */
	readonly wall: Spread | null;
	readonly cpu: Spread | null;
	/** In bytes. */
	readonly alloc: Spread | null;
	/** Time on the processor over time that passed, of the runs that say both. */
	readonly cpu_share: number | null;
	readonly spans: number;
}

/** Quantiles are exact, interpolated between the two nearest values. */
export function runSummary(window: Window, operation: string): Question<RunSummary> {
	const params = new Params();
	const spread = (column: string, name: string) => {
		const value = `assumeNotNull(${column})`;
		const there = `isNotNull(${column})`;
		return `countIf(${there}) AS ${name}_n, sumIf(toFloat64(${value}), ${there}) AS ${name}_sum, maxIf(toFloat64(${value}), ${there}) AS ${name}_max,
	quantilesExactInclusiveIf(0.5, 0.95, 0.99)(toFloat64(${value}), ${there}) AS ${name}_q`;
	};
	return {
		name: "profile_summary",
		params,
		sql: `SELECT count() AS calls, countIf(success) AS succeeded, sum(length(span_names)) AS spans, ${spread("wall_ns", "wall")},
	${spread("cpu_ns", "cpu")}, ${spread("alloc_bytes", "alloc")},
	sumIf(toFloat64(wall_ns), isNotNull(cpu_ns)) AS wall_beside_cpu
${runs(params, window, operation)}`,
		read: ([row]) => ({
			calls: (row?.calls as number | undefined) ?? 0,
			succeeded: (row?.succeeded as number | undefined) ?? 0,
			wall: spreadOf(row, "wall"),
			cpu: spreadOf(row, "cpu"),
			alloc: spreadOf(row, "alloc"),
			cpu_share:
				row && (row.wall_beside_cpu as number) > 0 ? (row.cpu_sum as number) / (row.wall_beside_cpu as number) : null,
			spans: (row?.spans as number | undefined) ?? 0,
		}),
	};
}

function spreadOf(row: Row | undefined, name: string): Spread | null {
	if (row === undefined || row[`${name}_n`] === 0) return null;
	const [p50, p95, p99] = row[`${name}_q`] as [number, number, number];
	return {
		n: row[`${name}_n`] as number,
		sum: row[`${name}_sum`] as number,
		max: row[`${name}_max`] as number,
		p50,
		p95,
		p99,
	};
}

/** One run of an operation. */
export interface Run {
	readonly id: string;
	/** Milliseconds since the epoch. */
	readonly ts: number;
	readonly wall_ns: number;
	readonly cpu_ns: number | null;
	readonly alloc_bytes: number | null;
	readonly success: boolean;
	readonly component: string;
	readonly user_id: string;
	readonly trace_id: string;
}

/** The runs that took longest; of equal ones the latest. */
export function slowestRuns(window: Window, operation: string, limit: number): Question<Run[]> {
	const params = new Params();
	return {
		name: "profile_slowest",
		params,
		sql: `SELECT toString(id) AS id_text, toUnixTimestamp64Milli(ts) AS ts_ms, toFloat64(wall_ns) AS wall, toFloat64(cpu_ns) AS cpu,
	toFloat64(alloc_bytes) AS alloc, success, component, user_id, trace_id
${runs(params, window, operation)}
ORDER BY wall_ns DESC, ts DESC, id DESC LIMIT ${params.add("UInt32", limit)}`,
		read: (rows) =>
			rows.map((row) => ({
				id: row.id_text as string,
				ts: row.ts_ms as number,
				wall_ns: row.wall as number,
				cpu_ns: row.cpu as number | null,
				alloc_bytes: row.alloc as number | null,
				success: row.success as boolean,
				component: row.component as string,
				user_id: row.user_id as string,
				trace_id: row.trace_id as string,
			})),
	};
}

/** Spans of one name below one parent, over all runs. */
export interface FlameNode {
	readonly name: string;
	/** Null for the operation itself. */
	readonly parent: string | null;
	readonly calls: number;
	readonly total_ns: number;
	/** What of it no child was running in. */
	readonly self_ns: number;
}

/** Kinds of spans beyond those that took longest are not listed. */
export const MAX_FLAME_NODES = 1_000;

/**
 * Where the time went. The self time of a span is its length less the union of its children's, as far as they lie within it: children
 * at the same time count once. A child belongs to the span of its parent's name that began last before it; one without such a span, to
 * the operation.
 * @param oneOf self times follow from each so many-th run, where there are too many spans to look at all; calls and totals never do
 */
export function flame(window: Window, operation: string, oneOf = 1): Question<FlameNode[]> {
	const params = new Params();
	const source = runs(params, window, operation);
	const looked = oneOf === 1 ? "1" : `run % ${params.add("UInt32", oneOf)} = 0`;
	// Sorted within the run, parents before their children where they begin together; `begun` is how many had begun by then.
	const spans = `SELECT run, wall, toString(t.4) AS span, toString(t.5) AS above, t.1 AS s, t.6 AS e, place, begun FROM (
	SELECT cityHash64(ts, id) AS run, wall_ns AS wall, arrayEnumerate(span_names) AS places,
		arraySort(t -> (t.1, t.2, t.3), arrayZip(span_starts_ns, arrayMap(e -> ${FOREVER} - e, span_ends_ns), places, span_names,
			span_parents, span_ends_ns)) AS sorted,
		arrayMap(t -> t.1, sorted) AS starts,
		arrayReverseFill((p, s, next) -> s != next, places, starts, arrayShiftLeft(starts, 1)) AS all_begun ${source})
	ARRAY JOIN sorted AS t, places AS place, all_begun AS begun`;
	const children = `SELECT run, wall, above, s, e, if(span = above, toUInt64(place - 1), toUInt64(begun)) AS before FROM (${spans}) WHERE ${looked}`;
	const parents = `SELECT run, span, above, s, e, toUInt64(place) AS place FROM (${spans}) WHERE ${looked}`;
	// Without a parent's span `place` is 0: the operation, which stands around everything, whatever clock the spans are on.
	const owned = `SELECT c.run AS run, p.place AS place, p.span AS span, p.above AS above, greatest(c.s, p.s) AS s,
		least(c.e, if(place = 0, ${FOREVER}, p.e)) AS e, if(place = 0, c.wall, toUInt64(p.e - p.s)) AS took
	FROM (${children}) AS c ASOF LEFT JOIN (${parents}) AS p ON c.run = p.run AND c.above = p.span AND c.before >= p.place`;
	const busy = `SELECT place = 0 AS is_root, any(span) AS span, any(above) AS above, least(intervalLengthSum(s, e), any(took)) AS covered
	FROM (${owned}) WHERE s < e GROUP BY run, place`;
	const row = (took: string) =>
		`1 AS n, toFloat64(${took}) AS took, if(${looked}, toFloat64(${took}), 0) AS looked_at, 0 AS covered`;
	const all = `SELECT toUInt8(1) AS is_root, '' AS span, '' AS above, ${row("wall_ns")} FROM (SELECT cityHash64(ts, id) AS run, wall_ns ${source})
UNION ALL SELECT toUInt8(0) AS is_root, span, above, ${row("e - s")} FROM (${spans})
UNION ALL SELECT is_root, span, above, 0 AS n, 0 AS took, 0 AS looked_at, toFloat64(covered) AS covered FROM (${busy})`;
	return {
		name: "profile_flame",
		params,
		sql: `SELECT is_root, span, above, sum(n) AS calls, sum(took) AS total, sum(looked_at) AS sampled, sum(covered) AS children FROM (${all})
GROUP BY is_root, span, above ORDER BY is_root DESC, total DESC, span, above LIMIT ${MAX_FLAME_NODES}`,
		read: (rows) =>
			rows.map((row) => {
				const total_ns = row.total as number;
				const sampled = row.sampled as number;
				const own = sampled > 0 ? (sampled - (row.children as number)) / sampled : 1;
				return {
					name: row.is_root ? operation : (row.span as string),
					parent: row.is_root ? null : (row.above as string),
					calls: row.calls as number,
					total_ns,
					self_ns: oneOf === 1 ? sampled - (row.children as number) : total_ns * own,
				};
			}),
	};
}

/**
 * How likely it is that wall times differ as much as those of two windows do if both came from one distribution: the two-sided
 * Mann-Whitney U test, with the normal approximation and its correction for continuity. Times of runs have long tails, so means and
 * their t-test would follow single runs. 1 where all runs took the same time. Both windows must have runs.
 */
export function wallDifference(window: Window, compared: Window, operation: string): Question<number> {
	const params = new Params();
	return {
		name: "profile_difference",
		params,
		sql: `SELECT if(uniqExact(wall) < 2, 1., mannWhitneyUTest('two-sided', 1)(wall, earlier).2) AS p_value
FROM (SELECT toFloat64(wall_ns) AS wall, 0 AS earlier ${runs(params, window, operation)}
	UNION ALL SELECT toFloat64(wall_ns) AS wall, 1 AS earlier ${runs(params, compared, operation)})`,
		read: ([row]) => row!.p_value as number,
	};
}

const FOREVER = "toUInt64(18446744073709551615)";

function runs(params: Params, { start, end }: Window, operation: string, also = "1"): string {
	return from(
		"profiles",
		`operation = ${params.add("String", operation)} AND ${between(params, "ts", start, end)} AND ${also}`,
	);
}
