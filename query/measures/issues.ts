/** Issues: which there are, since when, how many errors they have, and what people made of them. */

import { type IssueChange, type IssueStatus, issueBody } from "../../schema/wire/index.ts";
import { at, between, bucketOf } from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";
import type { Buckets } from "../time/buckets.ts";
import type { Span } from "../time/period.ts";
import { ERROR_PERSON, type ErrorWindow, ISSUE_TEXT } from "./errors.ts";
import { resolved } from "./people.ts";

/** What people made of an issue, as of an instant. */
export interface IssueState {
	/** Of the last change. */
	readonly status: IssueChange["status"];
	/** When it was made, milliseconds since the epoch. */
	readonly since: number;
	/** All changes, the oldest first. */
	readonly changes: readonly IssueChange[];
}

export type IssueStates = ReadonlyMap<string, IssueState>;

/** The states of all issues that somebody changed at or before `as_of`, by issue id. */
export function issueStates(as_of: number): Question<IssueStates> {
	return {
		name: "issue_states",
		params: new Params(),
		sql: `SELECT id, argMax(body, version) AS newest ${from("definitions", "kind = 'issue'")} GROUP BY id HAVING argMax(deleted, version) = 0`,
		read: (rows) =>
			new Map(
				rows.flatMap((row) => {
					const { changes } = issueBody.parse(JSON.parse(row.newest as string));
					const state = stateOf(changes, as_of);
					return state ? [[row.id as string, state] as const] : [];
				}),
			),
	};
}

/** What these changes made of an issue, as of an instant; undefined when there were none. */
export function stateOf(all: readonly IssueChange[], as_of: number): IssueState | undefined {
	const changes = all.filter(({ at }) => Date.parse(at) <= as_of);
	const last = changes.at(-1);
	return last && { status: last.status, since: Date.parse(last.at), changes };
}

/**
 * The status of an issue: what people made of it, except that an error which happened after it was resolved makes it regressed. One
 * that happened before and arrives late does not.
 * @param lastSeen event time of its last error before the same instant, milliseconds since the epoch; null when that is not known
 */
export function statusOf(state: IssueState | undefined, lastSeen: number | null): IssueStatus {
	if (state?.status !== "resolved") return state?.status ?? "open";
	return lastSeen !== null && lastSeen > state.since ? "regressed" : "resolved";
}

export interface IssueFilter {
	/** Undefined for all. */
	readonly statuses?: readonly IssueStatus[] | undefined;
	readonly component?: string | undefined;
	readonly text?: string | undefined;
}

export interface IssuePage {
	readonly sort: "last_seen" | "first_seen" | "count" | "affected_users";
	readonly offset: number;
	readonly limit: number;
}

/** The errors of an issue over a window. */
export interface IssueRow {
	/** 16 hexadecimal digits. */
	readonly issue_id: string;
	readonly count: number;
	/** In the window before. */
	readonly before: number;
	/** Distinct users, anonymous ids resolved. */
	readonly users: number;
	/** The latest error before `as_of`: milliseconds since the epoch, and its id. */
	readonly last_seen: number;
	readonly last_id: string;
}

/** A page of the issues with an error in the window, and how many there are in all. */
export function issuePage(
	window: ErrorWindow,
	states: IssueStates,
	filter: IssueFilter,
	page: IssuePage,
): Question<{ readonly rows: readonly IssueRow[]; readonly total: number }> {
	const params = new Params();
	const { start, end, previousStart, as_of } = window;
	const inWindow = `ts >= ${at(params, start)} AND ts < ${at(params, end)}`;
	// Up to as_of, since an error after the window's end makes an issue regressed as well.
	const rows = `(SELECT ts, id AS error_id, issue_id, ${wanted(params, filter)} AS wanted, ${ERROR_PERSON} AS person ${from("errors", between(params, "ts", previousStart, as_of))})`;
	const grouped = `SELECT issue_id, ${AGGREGATES(inWindow, `ts < ${at(params, start)}`)}, max(wanted AND ${inWindow}) AS found
FROM ${resolved(params, rows, ["ts", "error_id", "issue_id", "wanted"], { as_of })}
GROUP BY issue_id HAVING n > 0 AND found`;
	const status = withStatus(params, states, filter.statuses);
	const first =
		page.sort === "first_seen"
			? ` LEFT JOIN (SELECT issue_id, min(first_seen) AS first_ts ${from("error_first_seen")} GROUP BY issue_id) AS firsts USING issue_id`
			: "";
	const order = { last_seen: "last_ts", first_seen: "first_ts", count: "n", affected_users: "users" }[page.sort];
	return {
		name: "issue_page",
		params,
		sql: `SELECT ${ISSUE_TEXT} AS issue, n, before, users, toUnixTimestamp64Milli(last_ts) AS last_ms, toString(last_id) AS last_id_text, count() OVER () AS total
FROM (${grouped}) AS grouped${first}${status.join} WHERE ${status.condition}
ORDER BY ${order} DESC, issue_id LIMIT ${params.add("UInt32", page.limit)} OFFSET ${params.add("UInt32", page.offset)}`,
		read: (all) => ({ rows: all.map(issueRow), total: (all[0]?.total as number | undefined) ?? 0 }),
	};
}

/** The errors of one issue over a window; undefined when none of before `as_of` is kept. @param issue 16 hexadecimal digits */
export function issueOf(window: ErrorWindow, issue: string): Question<IssueRow | undefined> {
	const params = new Params();
	const { start, end, previousStart, as_of } = window;
	const where = `issue_id = ${params.add("UInt64", decimalOf(issue))} AND ts < ${at(params, as_of)}`;
	const rows = `(SELECT ts, id AS error_id, issue_id, ${ERROR_PERSON} AS person ${from("errors", where)})`;
	const inWindow = `ts >= ${at(params, start)} AND ts < ${at(params, end)}`;
	const before = `ts >= ${at(params, previousStart)} AND ts < ${at(params, start)}`;
	return {
		name: "issue_of",
		params,
		sql: `SELECT ${ISSUE_TEXT} AS issue, n, before, users, toUnixTimestamp64Milli(last_ts) AS last_ms, toString(last_id) AS last_id_text
FROM (SELECT issue_id, ${AGGREGATES(inWindow, before)} FROM ${resolved(params, rows, ["ts", "error_id", "issue_id"], { as_of })} GROUP BY issue_id)`,
		read: ([row]) => (row ? issueRow(row) : undefined),
	};
}

const AGGREGATES = (inWindow: string, before: string) =>
	`countIf(${inWindow}) AS n, countIf(${before}) AS before, uniqExactIf(user, user != 0 AND ${inWindow}) AS users,
	max(ts) AS last_ts, argMax(error_id, (ts, error_id)) AS last_id`;

function issueRow(row: Row): IssueRow {
	return {
		issue_id: row.issue as string,
		count: row.n as number,
		before: row.before as number,
		users: row.users as number,
		last_seen: row.last_ms as number,
		last_id: row.last_id_text as string,
	};
}

/** Of an error: whether its issue is one to be listed. */
function wanted(params: Params, { component, text }: IssueFilter): string {
	const conditions = ["1"];
	if (component !== undefined) conditions.push(`component = ${params.add("String", component)}`);
	if (text !== undefined) {
		const needle = params.add("String", text);
		const columns = ["error_type", "message", "component", "culprit"];
		const within = columns.map((column) => `positionCaseInsensitiveUTF8(${column}, ${needle}) > 0`);
		conditions.push(`(${[...within, `${ISSUE_TEXT} = lower(${needle})`].join(" OR ")})`);
	}
	return conditions.join(" AND ");
}

/** `statusOf` as SQL: a join on `issue_id`, and a condition on its columns and `last_ts`. */
function withStatus(params: Params, states: IssueStates, statuses: readonly IssueStatus[] | undefined) {
	if (statuses === undefined) return { join: "", condition: "1" };
	const all = [...states];
	const arrays = [
		params.add(
			"Array(String)",
			all.map(([id]) => decimalOf(id)),
		),
		params.add(
			"Array(String)",
			all.map(([, { status }]) => status),
		),
		params.add(
			"Array(Int64)",
			all.map(([, { since }]) => since),
		),
	];
	const table = `SELECT toUInt64(state.1) AS issue_id, state.2 AS set_status, state.3 AS since_ms FROM (SELECT arrayJoin(arrayZip(${arrays.join(", ")})) AS state)`;
	const status =
		"multiIf(set_status = '', 'open', set_status != 'resolved', set_status, toUnixTimestamp64Milli(last_ts) > since_ms, 'regressed', 'resolved')";
	return {
		join: ` LEFT JOIN (${table}) AS states USING issue_id`,
		condition: `has(${params.add("Array(String)", statuses)}, ${status})`,
	};
}

/** Ids of issues are numbers to the database. @param issue_id 16 hexadecimal digits */
export function decimalOf(issue_id: string): string {
	return BigInt(`0x${issue_id}`).toString();
}

/** What is kept of an issue for ever. */
export interface IssueEver {
	/** Event times, milliseconds since the epoch, also of errors after `as_of`. */
	readonly first_seen: number;
	readonly last_seen: number;
	readonly count: number;
	/** Of one of its errors. */
	readonly error_type: string;
	readonly component: string;
	readonly message: string;
}

/** What is kept of these issues for ever, by issue id. @param issues 16 hexadecimal digits each */
export function issuesEver(issues: readonly string[]): Question<ReadonlyMap<string, IssueEver>> {
	const params = new Params();
	return {
		name: "issues_ever",
		params,
		sql: `SELECT ${ISSUE_TEXT} AS issue, toUnixTimestamp64Milli(min(first_seen)) AS first_ms, toUnixTimestamp64Milli(max(last_seen)) AS last_ms,
	sum(n) AS count_ever, any(error_type) AS some_type, any(component) AS some_component, any(message) AS some_message
${from("issues", among(params, issues))} GROUP BY issue_id`,
		read: (rows) =>
			new Map(
				rows.map((row) => [
					row.issue as string,
					{
						first_seen: row.first_ms as number,
						last_seen: row.last_ms as number,
						count: row.count_ever as number,
						error_type: row.some_type as string,
						component: row.some_component as string,
						message: row.some_message as string,
					},
				]),
			),
	};
}

/** How many errors these issues have at or after an instant: of all there ever were, those are not counted as of it. */
export function issueCountsFrom(instant: number, issues: readonly string[]): Question<ReadonlyMap<string, number>> {
	const params = new Params();
	return {
		name: "issue_counts_from",
		params,
		sql: `SELECT ${ISSUE_TEXT} AS issue, count() AS n ${from("errors", `ts >= ${at(params, instant)} AND ${among(params, issues)}`)} GROUP BY issue_id`,
		read: (rows) => new Map(rows.map((row) => [row.issue as string, row.n as number])),
	};
}

/** When these issues had their last error before an instant, of the errors that are kept. Milliseconds since the epoch. */
export function issuesLastSeen(instant: number, issues: readonly string[]): Question<ReadonlyMap<string, number>> {
	const params = new Params();
	return {
		name: "issues_last_seen",
		params,
		sql: `SELECT ${ISSUE_TEXT} AS issue, toUnixTimestamp64Milli(max(ts)) AS last_ms
${from("errors", `ts < ${at(params, instant)} AND ${among(params, issues)}`)} GROUP BY issue_id`,
		read: (rows) => new Map(rows.map((row) => [row.issue as string, row.last_ms as number])),
	};
}

function among(params: Params, issues: readonly string[]): string {
	return `issue_id IN (SELECT toUInt64(arrayJoin(${params.add("Array(String)", issues.map(decimalOf))})))`;
}

/** Errors of an issue in each bucket that has any, by its start in epoch seconds. @param issue 16 hexadecimal digits */
export function issueCounts(
	issue: string,
	{ start, end }: Span,
	buckets: Buckets,
): Question<ReadonlyMap<number, number>> {
	const params = new Params();
	const where = `${between(params, "ts", start, end)} AND issue_id = ${params.add("UInt64", decimalOf(issue))}`;
	return {
		name: "issue_counts",
		params,
		sql: `SELECT ${bucketOf(params, buckets, "ts")} AS t, count() AS n ${from("errors", where)} GROUP BY t`,
		read: (rows) => new Map(rows.map((row) => [row.t as number, row.n as number])),
	};
}
