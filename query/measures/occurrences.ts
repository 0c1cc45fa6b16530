/** Events and log lines counted by bucket, and apart by their members. */
import type { Node } from "../logs/ast.ts";
import { logPredicate } from "../logs/sql.ts";
import { between, bucketOf } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Buckets } from "../time/buckets.ts";
import { type Among, amongSql, logMemberOf, propertyOf } from "./among.ts";

export interface Occurrences {
	/** Values of the members asked for, in their order. */
	readonly group: readonly string[];
	/** Start of the bucket, epoch seconds. */
	readonly t: number;
	readonly n: number;
}

interface OccurrenceScope {
	/** `[start, end)` in milliseconds since the epoch. */
	readonly start: number;
	readonly end: number;
	readonly buckets?: Buckets | undefined;
}

/** Events of one name. */
export function eventOccurrences(scope: OccurrenceScope, event: string, among: Among): Question<Occurrences[]> {
	const params = new Params();
	const { where, group } = amongSql(params, among, propertyOf);
	const named = `event = ${params.add("String", event)} AND ${between(params, "ts", scope.start, scope.end)}`;
	return {
		name: "event_occurrences",
		params,
		sql: `SELECT ${group}, ${bucketOf(params, scope.buckets, "ts")} AS t, count() AS n
${from("events", `${named} AND ${where}`)} GROUP BY group, t`,
		read: (rows) => rows as unknown as Occurrences[],
	};
}

/** Log lines that match a query. */
export function logOccurrences(scope: OccurrenceScope, query: Node | undefined, among: Among): Question<Occurrences[]> {
	const params = new Params();
	const { where, group } = amongSql(params, among, logMemberOf);
	const matching = `${between(params, "ts", scope.start, scope.end)} AND ${where} AND ${logPredicate(params, query)}`;
	return {
		name: "log_occurrences",
		params,
		sql: `SELECT ${group}, ${bucketOf(params, scope.buckets, "ts")} AS t, count() AS n
${from("logs", matching)} GROUP BY group, t`,
		read: (rows) => rows as unknown as Occurrences[],
	};
}
