/** Requests, errors and response times, in milliseconds. */
import { FAILED, HTTP_ALIAS, isFailed } from "../../schema/failed-requests.ts";
import type { LivePart } from "../../schema/live/frames.ts";
import { between, bucketOf, SKETCH, SKETCH_ERROR, seriesRows, sketchable, sketches, unbiased } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { type Among, amongSql, type Grouped, tagOf } from "./among.ts";
import { planOf, type Scope } from "./scope.ts";
import { named, seriesWhere } from "./series.ts";

/** The record of semantic conventions, in seconds; the accepted alias is in milliseconds. */
export const HTTP = "http.server.request.duration";
export const HTTP_NAMES: readonly string[] = [HTTP, HTTP_ALIAS];
/** What requests are counted from, as a need. */
export const HTTP_RECORDS: readonly string[] = HTTP_NAMES.map((name) => `metric ${name}`);

/** Factor to milliseconds, on `name`. */
export const TO_MS = `if(name = '${HTTP_ALIAS}', 1, 1000)`;

export interface Traffic {
	readonly requests: number;
	readonly failed: number;
	readonly latency_sum_ms: number;
	readonly latency_max_ms: number;
}

/** What is known of the series of requests before their points are asked for. */
export interface RequestSeries {
	/** By name. */
	readonly kinds: ReadonlyMap<string, readonly string[]>;
	/** Ids of those that failed, decimal; undefined where they are too many to be named. */
	readonly failed: readonly string[] | undefined;
}

/** More ids than this are looked up where they are needed. */
const MAX_FAILED = 1_000;

export function requestSeries(): Question<RequestSeries> {
	const params = new Params();
	return {
		name: "request_series",
		params,
		sql: `SELECT name, groupUniqArray(kind) AS kinds, groupUniqArrayIf(${MAX_FAILED + 1})(toString(series_id), ${FAILED}) AS failed
${from("series", named(params, HTTP_NAMES))} GROUP BY name`,
		read: (rows) => {
			const failed = rows.flatMap((row) => row.failed as string[]);
			return {
				kinds: new Map(rows.map((row) => [row.name as string, row.kinds as string[]])),
				failed: failed.length > MAX_FAILED ? undefined : failed,
			};
		},
	};
}

function areFailed(params: Params, failed: RequestSeries["failed"]): string {
	if (failed === undefined) return seriesWhere(params, HTTP_NAMES, FAILED);
	// As text: a number of 64 bits is none to JavaScript.
	return `series_id IN ${params.add("Array(UInt64)", `[${failed.join()}]`)}`;
}

/**
 * By start of the bucket (epoch seconds; 0 without buckets); a bucket without a request is absent.
 * @param known what {@link requestSeries} says, where that was asked for: planning the question takes a third less time
 */
export function traffic(scope: Scope, known?: RequestSeries): Question<Map<number, Traffic>> {
	const params = new Params();
	const names = known?.kinds.size ? [...known.kinds.keys()] : HTTP_NAMES;
	const factor = names.length > 1 ? TO_MS : `${names[0] === HTTP_ALIAS ? 1 : 1_000}`;
	const rows = seriesRows(params, {
		plan: planOf(scope),
		buckets: scope.buckets,
		where: httpSeries(params, scope.component, names),
		columns: ["n", "sum", "max"],
	});
	return {
		name: "traffic",
		params,
		sql: `SELECT t, sum(n) AS requests, sumIf(n, ${areFailed(params, known?.failed)}) AS failed,
	sum(sum * ${factor}) AS latency_sum_ms, max(max * ${factor}) AS latency_max_ms
FROM ${rows} GROUP BY t`,
		read: (found) => new Map(found.map((row) => [row.t as number, row as unknown as Traffic])),
	};
}

/** Requests of a bucket and the quantiles of their response times. */
export interface MeasuredTraffic extends Traffic, LatencyQuantiles {}

/**
 * {@link traffic} and {@link latencyQuantiles} in one question of a row a bucket, from what is stored beside the sketches.
 * @param name the one of `HTTP_NAMES` that was sent, as distributions only
 */
export function measuredTraffic(
	scope: Scope,
	name: string,
	known: RequestSeries,
): Question<Map<number, MeasuredTraffic>> {
	const params = new Params();
	const factor = name === HTTP_ALIAS ? 1 : 1_000;
	const { source, t, state } = sketches(params, {
		...{ plan: planOf(scope), buckets: scope.buckets, component: scope.component },
		where: named(params, [name]),
		columns: ["n", "failed", "sum", "max"],
		// By the series, also where a point is older than its mark.
		rawFailed: () => areFailed(params, known.failed),
	});
	return {
		name: "measured_traffic",
		params,
		// No name of a column for an answer: it would be taken for the column.
		sql: `SELECT ${t} AS t, sum(n) AS requests, sum(failed) AS failures, sum(sum) AS latency_sum, max(max) AS latency_max,
	quantilesDDMerge${SKETCH}(${state}) AS q
${source} GROUP BY t`,
		read: (found) =>
			new Map(
				// An erasure leaves buckets without a request.
				found
					.filter(({ requests }) => (requests as number) > 0)
					.map((row) => [
						row.t as number,
						{
							...{ requests: row.requests as number, failed: row.failures as number },
							latency_sum_ms: (row.latency_sum as number) * factor,
							latency_max_ms: (row.latency_max as number) * factor,
							...quantilesOf(row.q as number[], factor),
						},
					]),
			),
	};
}

/** Traffic of some series, apart by their tags. */
export function trafficAmong(scope: Scope, among: Among): Question<Grouped<Traffic>[]> {
	const params = new Params();
	const rows = seriesRows(params, {
		plan: planOf(scope),
		buckets: scope.buckets,
		where: named(params, HTTP_NAMES),
		columns: ["n", "sum", "max"],
	});
	const { where, group } = amongSql(params, among, tagOf);
	return {
		name: "traffic_among",
		params,
		sql: `SELECT group, t, sum(n) AS requests, sumIf(n, bad) AS failed,
	sum(sum * ${TO_MS}) AS latency_sum_ms, max(max * ${TO_MS}) AS latency_max_ms
FROM ${rows} AS found
INNER JOIN (SELECT DISTINCT series_id, ${group}, (${FAILED}) AS bad ${from("series", `${named(params, HTTP_NAMES)} AND ${where}`)}) AS of
	USING (series_id)
GROUP BY group, t`,
		read: (found) => found as unknown as Grouped<Traffic>[],
	};
}

/**
 * Quantiles of the response times of some series, apart by their tags: from raw points, since sketches know no tag.
 * @throws RetentionError
 */
export function latencyQuantilesAmong(scope: Scope, among: Among): Question<Grouped<LatencyQuantiles>[]> {
	planOf(scope, true);
	const params = new Params();
	const { where, group } = amongSql(params, among, tagOf);
	const inWindow = `${named(params, HTTP_NAMES)} AND ${between(params, "ts", scope.start, scope.end)}`;
	return {
		name: "latency_quantiles_among",
		params,
		sql: `SELECT group, t, quantilesDD${SKETCH}(${sketchable("ms")}) AS q
FROM (SELECT series_id, ${bucketOf(params, scope.buckets, "ts")} AS t, value * ${TO_MS} AS ms ${from("points", inWindow)}) AS found
INNER JOIN (SELECT DISTINCT series_id, ${group} ${from("series", `${named(params, HTTP_NAMES)} AND ${where}`)}) AS of USING (series_id)
GROUP BY group, t`,
		read: (found) => found.map(({ group, t, q }) => ({ group, t, ...quantilesOf(q as number[], 1) }) as never),
	};
}

/** Traffic by component, over the window as one. */
export function trafficByComponent(scope: Scope): Question<Map<string, Traffic>> {
	const params = new Params();
	const rows = seriesRows(params, {
		plan: planOf(scope),
		where: named(params, HTTP_NAMES),
		columns: ["n", "sum", "max"],
	});
	return {
		name: "traffic_by_component",
		params,
		sql: `SELECT component, sum(n) AS requests, sumIf(n, bad) AS failed,
	sum(sum * ${TO_MS}) AS latency_sum_ms, max(max * ${TO_MS}) AS latency_max_ms
FROM ${rows} AS found
INNER JOIN (SELECT DISTINCT series_id, component, (${FAILED}) AS bad ${from("series", named(params, HTTP_NAMES))}) AS of
	USING (series_id)
GROUP BY component`,
		read: (found) => new Map(found.map((row) => [row.component as string, row as unknown as Traffic])),
	};
}

/** Response time quantiles in milliseconds. */
export interface LatencyQuantiles {
	readonly p50: number;
	readonly p90: number;
	readonly p95: number;
	readonly p99: number;
}

/** Where the quantiles of response times come from. */
export interface LatencySource {
	/** Those of `HTTP_NAMES` that have points in the window. */
	readonly names: readonly string[];
	/**
	 * From raw points: needed with both names, since sketches of different units do not merge, and where a name was sent as another
	 * kind than `distribution`, which has no sketches.
	 */
	readonly raw: boolean;
}

/**
 * Quantiles of the response times of all requests in a bucket.
 * @throws RetentionError
 */
export function latencyQuantiles(scope: Scope, { names, raw }: LatencySource): Question<Map<number, LatencyQuantiles>> {
	const params = new Params();
	const { source, t, state } = sketches(params, {
		plan: planOf(scope, raw),
		buckets: scope.buckets,
		where: named(params, names),
		component: scope.component,
		...(raw ? { rawValue: `value * ${TO_MS}` } : {}),
	});
	const scale = raw || names[0] === HTTP_ALIAS ? 1 : 1_000;
	return {
		name: "latency_quantiles",
		params,
		sql: `SELECT ${t} AS t, quantilesDDMerge${SKETCH}(${state}) AS q ${source} GROUP BY t`,
		read: (found) => new Map(found.map((row) => [row.t as number, quantilesOf(row.q as number[], scale)])),
	};
}

/** Of a sketch's answer. */
function quantilesOf(answer: readonly number[], scale: number): LatencyQuantiles {
	const [p50, p90, p95, p99] = answer.map((value) => unbiased(value) * scale) as [number, number, number, number];
	return { p50, p90, p95, p99 };
}

/** 0.95 quantile of the response times of each component in milliseconds, from raw points: for windows of minutes. */
export function latencyQuantilesByComponent(scope: Scope): Question<Map<string, number>> {
	const params = new Params();
	const where = `${named(params, HTTP_NAMES)} AND ${between(params, "ts", scope.start, scope.end)}`;
	return {
		name: "latency_quantiles_by_component",
		params,
		sql: `SELECT component, quantilesDD(${SKETCH_ERROR}, 0.95)(${sketchable(`value * ${TO_MS}`)})[1] AS p95 ${from("points", where)} GROUP BY component`,
		read: (found) => new Map(found.map((row) => [row.component as string, unbiased(row.p95 as number)])),
	};
}

export interface ApdexCounts {
	readonly requests: number;
	/** Not failed, and answered within T. */
	readonly satisfied: number;
	/** Not failed, and answered within 4 T. */
	readonly tolerating: number;
}

/**
 * Requests over the window by how their users take them (Apdex). No tier knows how many were faster than T: from raw points.
 * @param t_ms T, milliseconds
 * @throws RetentionError
 */
export function apdexCounts(scope: Scope, t_ms: number): Question<ApdexCounts> {
	planOf(scope, true);
	const params = new Params();
	const t = params.add("Float64", t_ms);
	return {
		name: "apdex",
		params,
		sql: `SELECT count() AS requests, countIf(ok AND ms <= ${t}) AS satisfied, countIf(ok AND ms > ${t} AND ms <= 4 * ${t}) AS tolerating
FROM (SELECT value * ${TO_MS} AS ms, NOT ${seriesWhere(params, HTTP_NAMES, FAILED)} AS ok
	${from("points", `${httpSeries(params, scope.component)} AND ${between(params, "ts", scope.start, scope.end)}`)})`,
		read: ([row]) => row as unknown as ApdexCounts,
	};
}

/** The same of what has just become durable. */
export function trafficOf(parts: readonly LivePart[]): Traffic {
	const total = { requests: 0, failed: 0, latency_sum_ms: 0, latency_max_ms: Number.NEGATIVE_INFINITY };
	for (const { name, tags, n, sum, max } of parts) {
		const to_ms = name === HTTP_ALIAS ? 1 : 1_000;
		total.requests += n;
		if (isFailed(name, tags)) total.failed += n;
		total.latency_sum_ms += sum * to_ms;
		total.latency_max_ms = Math.max(total.latency_max_ms, max * to_ms);
	}
	return total;
}

/** Sums over buckets: `avg = sum(sum) / sum(n)`, never a mean of means. */
export function totalOf(buckets: Iterable<Traffic>): Traffic {
	const total = { requests: 0, failed: 0, latency_sum_ms: 0, latency_max_ms: Number.NEGATIVE_INFINITY };
	for (const bucket of buckets) {
		total.requests += bucket.requests;
		total.failed += bucket.failed;
		total.latency_sum_ms += bucket.latency_sum_ms;
		total.latency_max_ms = Math.max(total.latency_max_ms, bucket.latency_max_ms);
	}
	return total;
}

export function meanLatency_ms({ requests, latency_sum_ms }: Traffic): number | null {
	return requests === 0 ? null : latency_sum_ms / requests;
}

export function errorRate({ requests, failed }: Traffic): number | null {
	return requests === 0 ? null : failed / requests;
}

function httpSeries(params: Params, component: string | undefined, names = HTTP_NAMES): string {
	const http = named(params, names);
	return component === undefined
		? http
		: `${http} AND ${seriesWhere(params, names, `component = ${params.add("String", component)}`)}`;
}
