/** Traffic of a load test, and of the service beside it, from raw points: no tier knows the tag. */
import { FAILED } from "../../../schema/failed-requests.ts";
import { between, SKETCH, sketchable, unbiased } from "../../plan/scan.ts";
import { from, Params, type Question } from "../../sql.ts";
import { planOf, type Scope } from "../scope.ts";
import { named } from "../series.ts";
import { HTTP_NAMES, TO_MS } from "../traffic.ts";

export const K6_DURATION = "http_req_duration";
export const K6_FAILED = "http_req_failed";
export const K6_VUS = "vus";

/** Requests as the service saw them, or as k6 did. */
export type LoadSource = "http" | "k6";

export interface Sample {
	readonly requests: number;
	/** Null when it is not known of them. */
	readonly failed: number | null;
	readonly sum_ms: number;
	readonly p50_ms: number | null;
	readonly p95_ms: number | null;
	readonly p99_ms: number | null;
	/** Milliseconds since the epoch. */
	readonly first: number;
	readonly last: number;
}

export interface SampledTraffic {
	readonly source: LoadSource;
	readonly test_id: string;
	/** Whether that of the test or all other is meant. */
	readonly tagged: boolean;
}

/** Parts of the window, by number from its start: of equal length, or several of these in one group. */
export interface Parts {
	readonly part_ms: number;
	/** Group of each part. */
	readonly groups?: readonly number[];
}

/**
 * Samples by part, and under null of the whole window.
 * @throws RetentionError
 */
export function loadSamples(
	scope: Scope,
	{ source, test_id, tagged }: SampledTraffic,
	{ part_ms, groups }: Parts,
): Question<Map<number | null, Sample>> {
	planOf(scope, true);
	const params = new Params();
	const names = source === "http" ? HTTP_NAMES : [K6_DURATION, K6_FAILED];
	const part = `intDiv(toUnixTimestamp64Milli(ts) - ${params.add("Int64", scope.start)}, ${params.add("Int64", part_ms)})`;
	const group = groups === undefined ? part : `${params.add("Array(Int64)", groups)}[${part} + 1]`;
	const testid = params.add("String", test_id);
	const isDuration = source === "http" ? "1" : `name = '${K6_DURATION}'`;
	const failed = source === "http" ? "countIf(bad)" : "sumIf(value, NOT timed)";
	const known = source === "http" ? "count()" : "countIf(NOT timed)";
	return {
		name: "load_samples",
		params,
		sql: `SELECT part, grouping(part) AS of_all, countIf(timed) AS requests, ${failed} AS failed, ${known} AS known,
	sumIf(ms, timed) AS sum_ms, quantilesDDIf${SKETCH}(${sketchable("ms")}, timed) AS q,
	toUnixTimestamp64Milli(minIf(ts, timed)) AS first_ms, toUnixTimestamp64Milli(maxIf(ts, timed)) AS last_ms
FROM (
	SELECT series_id, ts, value, ${source === "http" ? `value * ${TO_MS}` : "value"} AS ms, toBool(${isDuration}) AS timed, ${group} AS part
	${from("points", `${named(params, names)} AND ${between(params, "ts", scope.start, scope.end)}`)}
) AS found
INNER JOIN (
	SELECT DISTINCT series_id, (${FAILED}) AS bad
	${from("series", `${named(params, names)} AND tags['testid'] ${tagged ? "=" : "!="} ${testid}`)}
) AS of USING (series_id)
GROUP BY GROUPING SETS ((part), ()) HAVING requests > 0`,
		read: (rows) =>
			new Map(
				rows.map((row) => {
					const [p50_ms, , p95_ms, p99_ms] = (row.q as (number | null)[]).map((value) =>
						value === null ? null : unbiased(value),
					) as [number, number, number, number];
					const sample: Sample = {
						...{ requests: row.requests as number, sum_ms: row.sum_ms as number, p50_ms, p95_ms, p99_ms },
						failed: row.known === 0 ? null : (row.failed as number),
						...{ first: row.first_ms as number, last: row.last_ms as number },
					};
					return [row.of_all === 1 ? null : (row.part as number), sample];
				}),
			),
	};
}

/** Whether a source has traffic with the test id in the window. */
export function loadSources(scope: Scope, test_id: string): Question<Set<LoadSource>> {
	planOf(scope, true);
	const params = new Params();
	const names = [...HTTP_NAMES, K6_DURATION];
	const testid = params.add("String", test_id);
	return {
		name: "load_sources",
		params,
		sql: `SELECT DISTINCT if(name = '${K6_DURATION}', 'k6', 'http') AS source
${from(
	"points",
	`${named(params, names)} AND ${between(params, "ts", scope.start, scope.end)} AND series_id IN (
	SELECT series_id ${from("series", `${named(params, names)} AND tags['testid'] = ${testid}`)})`,
)}`,
		read: (rows) => new Set(rows.map((row) => row.source as LoadSource)),
	};
}

/** Virtual users by part, as k6 sends them: of each sender the mean, all senders together. */
export function virtualUsers(scope: Scope, test_id: string, part_ms: number): Question<Map<number, number>> {
	planOf(scope, true);
	const params = new Params();
	const part = `intDiv(toUnixTimestamp64Milli(ts) - ${params.add("Int64", scope.start)}, ${params.add("Int64", part_ms)})`;
	const ofTest = `SELECT series_id ${from("series", `name = '${K6_VUS}' AND tags['testid'] = ${params.add("String", test_id)}`)}`;
	return {
		name: "virtual_users",
		params,
		sql: `SELECT part, sum(mean) AS vus FROM (
	SELECT ${part} AS part, avg(value) AS mean
	${from("points", `name = '${K6_VUS}' AND ${between(params, "ts", scope.start, scope.end)} AND series_id IN (${ofTest})`)}
	GROUP BY part, series_id
) GROUP BY part`,
		read: (rows) => new Map(rows.map((row) => [row.part as number, row.vus as number])),
	};
}

/** What a load test says of itself. */
export interface LoadMark {
	readonly event: "load_test.started" | "load_test.ended";
	/** Milliseconds since the epoch. */
	readonly ts: number;
	readonly vus: number | null;
}

/** Marks of a test in a window, the oldest first. */
export function loadMarks({ start, end }: Pick<Scope, "start" | "end">, test_id: string): Question<LoadMark[]> {
	const params = new Params();
	const where = `event IN ('load_test.started', 'load_test.ended') AND ${between(params, "ts", start, end)} AND strings['test_id'] = ${params.add("String", test_id)}`;
	return {
		name: "load_marks",
		params,
		sql: `SELECT event, toUnixTimestamp64Milli(ts) AS at, if(mapContains(numbers, 'vus'), numbers['vus'], NULL) AS vus
${from("events", where)} ORDER BY ts`,
		read: (rows) => rows.map(({ at, ...row }) => ({ ts: at, ...row }) as unknown as LoadMark),
	};
}
