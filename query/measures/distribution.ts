/** How the values of a metric are distributed over time, from raw points: sketches cannot be turned back into counts. */
import { between, bucketOf } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { amongSql, type Filter, tagOf } from "./among.ts";
import { planOf, type Scope } from "./scope.ts";
import { named, seriesWhere } from "./series.ts";
import { HTTP_NAMES, TO_MS } from "./traffic.ts";

/** Values in `[lower, upper)`. */
export interface ValueRange {
	readonly lower: number;
	readonly upper: number;
	/** How many, by start of the bucket in epoch seconds. */
	readonly counts: ReadonlyMap<number, number>;
}

/** Ten steps a decade, of which 1, 2 and 5 are the coarse ones: near enough to a tenth of the value, and round. */
const STEPS = [1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5, 6.3, 8];
const COARSE = new Set([1, 2, 5]);
const DECADES = Array.from({ length: 19 }, (_, i) => i - 6);
const EDGES = DECADES.flatMap((decade) => STEPS.map((step) => ({ step, edge: Number(`${step}e${decade}`) })));
/** Every edge, from the most negative to the greatest; what lies beyond is in the outermost range. */
const ALL_EDGES = edgesOf(() => true);
const COARSE_EDGES = edgesOf((step) => COARSE.has(step));
/** More rows than this are read by nobody: then the coarse edges do. */
const MAX_RANGES = 30;

function edgesOf(keeps: (step: number) => boolean): readonly number[] {
	const positive = EDGES.filter(({ step }) => keeps(step)).map(({ edge }) => edge);
	return [...positive.map((edge) => -edge).reverse(), 0, ...positive];
}

/**
 * Points of a metric by bucket and range of their values; for response times all requests, in milliseconds. Ranges rise without a gap
 * from the lowest to the highest that has any.
 * @throws RetentionError
 */
export function distribution(scope: Scope, metric: string | "requests", filter: Filter): Question<ValueRange[]> {
	planOf(scope, true);
	const params = new Params();
	const names = metric === "requests" ? HTTP_NAMES : [metric];
	const { where } = amongSql(params, { groupBy: [], filter }, tagOf);
	const only = Object.keys(filter).length === 0 ? "" : ` AND ${seriesWhere(params, names, where)}`;
	const points = `SELECT ${bucketOf(params, scope.buckets, "ts")} AS t, value * ${metric === "requests" ? TO_MS : "1"} AS v
	${from("points", `${named(params, names)} AND ${between(params, "ts", scope.start, scope.end)}${only}`)}`;
	return {
		name: "distribution",
		params,
		sql: `SELECT t, roundDown(toFloat64(v), ${params.add("Array(Float64)", ALL_EDGES)}) AS edge, count() AS n
FROM (${points}) GROUP BY t, edge`,
		read: (rows) => rangesOf(rows as unknown as readonly Counted[]),
	};
}

interface Counted {
	readonly t: number;
	/** Lower end of the range. */
	readonly edge: number;
	readonly n: number;
}

function rangesOf(found: readonly Counted[]): ValueRange[] {
	if (found.length === 0) return [];
	const fine = ranged(found, ALL_EDGES);
	return fine.length <= MAX_RANGES ? fine : ranged(found, COARSE_EDGES);
}

function ranged(found: readonly Counted[], edges: readonly number[]): ValueRange[] {
	const place = (edge: number) =>
		Math.max(
			0,
			edges.findLastIndex((lower) => lower <= edge),
		);
	const byPlace = new Map<number, Map<number, number>>();
	for (const { t, edge, n } of found) {
		const counts = byPlace.get(place(edge)) ?? new Map<number, number>();
		byPlace.set(place(edge), counts.set(t, (counts.get(t) ?? 0) + n));
	}
	const places = [...byPlace.keys()];
	const ranges: ValueRange[] = [];
	for (let i = Math.min(...places); i <= Math.max(...places); i++)
		ranges.push({ lower: edges[i]!, upper: edges[i + 1] ?? Number.MAX_VALUE, counts: byPlace.get(i) ?? new Map() });
	return ranges;
}
