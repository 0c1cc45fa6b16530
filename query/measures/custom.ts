/** Any ingested metric with an aggregation, by bucket and by tags. */
import {
	between,
	bucketOf,
	QUANTILES,
	type RollupColumn,
	SKETCH,
	SKETCH_ERROR,
	seriesRows,
	sketchable,
	sketches,
	unbiased,
} from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";
import { amongSql, type Filter, tagOf } from "./among.ts";
import { planOf, type Scope } from "./scope.ts";
import { named, ofComponent, seriesWhere } from "./series.ts";

export const AGGREGATIONS = ["avg", "sum", "min", "max", "count", "last", "rate", "p50", "p90", "p95", "p99"] as const;
export type Aggregation = (typeof AGGREGATIONS)[number];

/** The kinds of the series of these names. */
export function metricKinds(names: readonly string[]): Question<Map<string, readonly string[]>> {
	const params = new Params();
	return {
		name: "metric_kinds",
		params,
		sql: `SELECT name, groupUniqArray(kind) AS kinds ${from("series", named(params, names))} GROUP BY name`,
		read: (rows) => new Map(rows.map((row) => [row.name as string, row.kinds as string[]])),
	};
}

/** The unit that a metric was sent with; undefined where none was. */
export function metricUnit(name: string): Question<string | undefined> {
	const params = new Params();
	return {
		name: "metric_unit",
		params,
		sql: `SELECT anyIf(unit, unit != '') AS unit ${from("series", named(params, [name]))}`,
		read: ([row]) => (row?.unit as string) || undefined,
	};
}

/** Increases are summed, everything else is averaged. */
export function defaultAggregation(kinds: readonly string[]): Aggregation {
	return kinds.some((kind) => kind === "counter" || kind === "cumulative") ? "sum" : "avg";
}

export interface CustomQuery {
	readonly metric: string;
	readonly aggregation: Aggregation;
	readonly kinds: readonly string[];
	/** Tags to keep apart. */
	readonly groupBy: readonly string[];
	/** Only series with these tags. */
	readonly filter?: Filter;
	/** Seconds of a bucket by its start, for rates. */
	readonly seconds: (t: number) => number;
}

/** Values of one metric: for each group its tags, and by start of the bucket the value and the number of points. */
export interface CustomValue {
	readonly group: readonly string[];
	readonly t: number;
	readonly value: number | null;
	readonly n: number;
}

/** @throws RetentionError when only raw points could answer and they are gone */
export function customMetric(scope: Scope, query: CustomQuery): Question<CustomValue[]> {
	const level = /^p\d+$/.test(query.aggregation) ? Number(query.aggregation.slice(1)) / 100 : undefined;
	return level === undefined ? rollupQuestion(scope, query) : quantileQuestion(scope, query, level);
}

const ROLLUP: Readonly<Record<string, { columns: readonly RollupColumn[]; value: string }>> = {
	avg: { columns: ["n", "sum"], value: "sum(sum) / sum(n)" },
	sum: { columns: ["n", "sum"], value: "sum(sum)" },
	rate: { columns: ["n", "sum"], value: "sum(sum)" },
	min: { columns: ["n", "min"], value: "min(min)" },
	max: { columns: ["n", "max"], value: "max(max)" },
	count: { columns: ["n"], value: "toFloat64(sum(n))" },
	last: { columns: ["n", "last"], value: "argMaxMerge(last)" },
};

function rollupQuestion(scope: Scope, query: CustomQuery): Question<CustomValue[]> {
	const params = new Params();
	const { columns, value } = ROLLUP[query.aggregation]!;
	const filter = seriesFilter(params, scope, query);
	const rows = seriesRows(params, { plan: planOf(scope), buckets: scope.buckets, where: filter, columns });
	return {
		name: `metric.${query.aggregation}`,
		params,
		sql: `SELECT ${GROUPED(query)} t, ${value} AS value, sum(n) AS size FROM ${rows} AS found${groupJoin(params, query)}
GROUP BY ${GROUPED(query)} t`,
		read: (found) =>
			found.map((row) => ({
				...read(row),
				...(query.aggregation === "rate" ? { value: divide(row.value, query.seconds(row.t as number)) } : {}),
			})),
	};
}

/**
 * Sketches hold the percentiles of distributions by component. Of other kinds, and by other tags, only raw points do.
 */
function quantileQuestion(scope: Scope, query: CustomQuery, level: number): Question<CustomValue[]> {
	const params = new Params();
	const index = QUANTILES.indexOf(level as (typeof QUANTILES)[number]) + 1;
	const sketched = query.kinds.length === 1 && query.kinds[0] === "distribution" && isOfComponents(query);
	const name = `metric.${query.aggregation}`;
	if (sketched) {
		const grouped = query.groupBy.length > 0;
		const { source, t, state } = sketches(params, {
			plan: planOf(scope),
			buckets: scope.buckets,
			where: named(params, [query.metric]),
			component: scope.component,
			by: grouped ? ["component"] : [],
			columns: ["n"],
		});
		const group = grouped ? "[component]" : "[]::Array(String)";
		return {
			name,
			params,
			sql: `SELECT ${group} AS group, ${t} AS t, quantilesDDMerge${SKETCH}(${state})[${index}] AS value, sum(n) AS size
${source} GROUP BY group, t HAVING size > 0`,
			read: (found) => found.map(readQuantile),
		};
	}
	// Throws when raw points are gone.
	planOf(scope, true);
	const points = `SELECT series_id, ${bucketOf(params, scope.buckets, "ts")} AS t, value
	${from("points", `${seriesFilter(params, scope, query)} AND ${between(params, "ts", scope.start, scope.end)}`)}`;
	return {
		name,
		params,
		sql: `SELECT ${GROUPED(query)} t, quantilesDD(${SKETCH_ERROR}, ${level})(${sketchable("value")})[1] AS value, count() AS size
FROM (${points}) AS found${groupJoin(params, query)} GROUP BY ${GROUPED(query)} t`,
		read: (found) => found.map(readQuantile),
	};
}

/** Whether components, the only ones that sketches are kept apart by, tell all that is asked for. */
function isOfComponents({ groupBy, filter = {} }: CustomQuery): boolean {
	return groupBy.every((tag) => tag === "component") && Object.keys(filter).length === 0;
}

const GROUPED = (query: CustomQuery) => (query.groupBy.length > 0 ? "group," : "");

function seriesFilter(params: Params, scope: Scope, query: CustomQuery): string {
	const name = named(params, [query.metric]);
	const predicates = [
		...(scope.component === undefined ? [] : [ofComponent(params, scope.component)]),
		...(Object.keys(query.filter ?? {}).length === 0
			? []
			: [amongSql(params, { groupBy: [], filter: query.filter! }, tagOf).where]),
	];
	return [name, ...predicates.map((predicate) => seriesWhere(params, [query.metric], predicate))].join(" AND ");
}

function groupJoin(params: Params, query: CustomQuery): string {
	if (query.groupBy.length === 0) return "";
	const tags = query.groupBy.map((tag) => `tags[${params.add("String", tag)}]`).join(", ");
	return `
INNER JOIN (SELECT DISTINCT series_id, [${tags}] AS group ${from("series", named(params, [query.metric]))}) AS of USING (series_id)`;
}

function read(row: Row): CustomValue {
	return {
		group: (row.group as string[] | undefined) ?? [],
		t: row.t as number,
		value: row.value as number | null,
		n: row.size as number,
	};
}

function readQuantile(row: Row): CustomValue {
	const found = read(row);
	return { ...found, value: found.value === null ? null : unbiased(found.value) };
}

function divide(value: unknown, seconds: number): number | null {
	return typeof value === "number" && seconds > 0 ? value / seconds : null;
}
