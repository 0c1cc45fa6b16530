/** How many records of each signal a project has by bucket, and what a row of theirs takes on disk. */
import { between, bucketOf, seriesRows } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Buckets } from "../time/buckets.ts";
import type { Span } from "../time/period.ts";
import { bucketIn } from "./counts.ts";
import { splitAtQuarters } from "./people.ts";
import { planOf, type Scope } from "./scope.ts";

export interface BucketSpan extends Span {
	readonly buckets: Buckets;
}

/** By start of the bucket, epoch seconds; a bucket without a record is absent. */
export type Counts = ReadonlyMap<number, number>;

export function pointCounts(scope: Scope): Question<Counts> {
	const params = new Params();
	const rows = seriesRows(params, { plan: planOf(scope), buckets: scope.buckets, where: "1", columns: ["n"] });
	return countsOf("point_counts", params, `SELECT t, sum(n) AS total FROM ${rows} GROUP BY t`);
}

/** Series with a point in the window. */
export function activeSeries(scope: Scope): Question<number> {
	const params = new Params();
	const rows = seriesRows(params, { plan: planOf(scope), where: "1", columns: ["n"] });
	return {
		name: "active_series",
		params,
		sql: `SELECT uniqExact(name, series_id) AS total FROM ${rows} WHERE n > 0`,
		read: ([row]) => row?.total as number,
	};
}

/** Events of any name. Whole quarters of an hour are counted already, also where days begin at one. */
export function allEventCounts({ start, end, buckets }: BucketSpan): Question<Counts> {
	const params = new Params();
	const parts = eventParts(params, { start, end }, isAligned(buckets, 900), (column) =>
		bucketOf(params, buckets, column),
	);
	return countsOf("all_event_counts", params, `SELECT t, sum(n) AS total FROM (${parts}) GROUP BY t`);
}

/** Distinct names of events; one whose events were all erased is none. */
export function eventNames(span: Span): Question<number> {
	const params = new Params();
	return {
		name: "event_names",
		params,
		sql: `SELECT count() AS total FROM (
	SELECT name FROM (${eventParts(params, span, true, () => "0")}) GROUP BY name HAVING sum(n) > 0)`,
		read: ([row]) => row?.total as number,
	};
}

function eventParts(params: Params, span: Span, aligned: boolean, t: (column: string) => string): string {
	const { state, raw } = aligned ? splitAtQuarters(span) : { state: undefined, raw: [span] };
	const read = (column: string, n: string, rows: string) =>
		`SELECT event AS name, ${t(column)} AS t, ${n} AS n ${rows}`;
	return [
		...(state ? [read("bucket", "toInt64(n)", from("event_counts_15m", bucketIn(params, state)))] : []),
		...raw.map(({ start, end }) => read("ts", "toInt64(1)", from("events", between(params, "ts", start, end)))),
	].join("\n\tUNION ALL ");
}

/** Log lines. Whole minutes are counted already. */
export function logCounts({ start, end, buckets }: BucketSpan): Question<Counts> {
	const params = new Params();
	const first = isAligned(buckets, 60) ? Math.min(Math.ceil(start / MINUTE_MS) * MINUTE_MS, end) : end;
	const last = Math.max(Math.floor(end / MINUTE_MS) * MINUTE_MS, first);
	const ends = `${between(params, "ts", start, first)} OR ${between(params, "ts", last, end)}`;
	return countsOf(
		"log_counts",
		params,
		`SELECT t, sum(lines) AS total FROM (
	SELECT ${bucketOf(params, buckets, "bucket")} AS t, toInt64(n) AS lines ${from("log_counts_1m", between(params, "bucket", first, last))}
	UNION ALL SELECT ${bucketOf(params, buckets, "ts")} AS t, toInt64(1) AS lines ${from("logs", ends)}) GROUP BY t`,
	);
}

const MINUTE_MS = 60_000;

/** Rows of a table that is read as it is: nobody sends so many errors or profiles that it takes long. */
export function rowCounts(table: "errors" | "profiles", { start, end, buckets }: BucketSpan): Question<Counts> {
	const params = new Params();
	const rows = from(table, between(params, "ts", start, end));
	return countsOf(
		`${table.slice(0, -1)}_counts`,
		params,
		`SELECT ${bucketOf(params, buckets, "ts")} AS t, count() AS total ${rows} GROUP BY t`,
	);
}

function countsOf(name: string, params: Params, sql: string): Question<Counts> {
	return {
		...{ name, params, sql },
		read: (rows) => new Map(rows.map(({ t, total }) => [t as number, total as number])),
	};
}

function isAligned({ starts }: Buckets, step: number): boolean {
	return starts.every((start) => start % step === 0);
}

/**
 * What a row takes on disk, bytes, compressed and with its indexes: the mean over all projects and the parts of the node that is
 * asked. A table without parts there is absent.
 */
export function bytesPerRow(tables: readonly string[]): Question<ReadonlyMap<string, number>> {
	const params = new Params();
	// On a cluster what holds rows is the local table.
	const stored = tables.flatMap((table) => [table, `${table}_local`]);
	return {
		name: "bytes_per_row",
		params,
		sql: `SELECT replaceRegexpOne(table, '_local$', '') AS name, sum(bytes_on_disk) / sum(rows) AS mean FROM system.parts
WHERE active AND database = currentDatabase() AND table IN ${params.add("Array(String)", stored)} GROUP BY name HAVING sum(rows) > 0`,
		read: (rows) => new Map(rows.map(({ name, mean }) => [name as string, mean as number])),
	};
}
