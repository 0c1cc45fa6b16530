/** Errors in groups: how many, whom they met, since when, and one of each to look at. */
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { contextMember } from "./context.ts";
import { resolved } from "./people.ts";

/** Columns of an error that it can be grouped by. */
export const ERROR_COLUMNS = ["error_type", "component", "severity", "issue_id"] as const;
export type ErrorColumn = (typeof ERROR_COLUMNS)[number];

/** What errors are grouped by: a column, or a member of the context by its path. */
export type ErrorKey = { readonly column: ErrorColumn } | { readonly context: string };

export interface ErrorWindow {
	/** `[start, end)` in milliseconds since the epoch. */
	readonly start: number;
	readonly end: number;
	/** The window compared with ends where this one starts. */
	readonly previousStart: number;
	/** Whom an anonymous id belongs to is known from links before it. */
	readonly as_of: number;
}

export interface ErrorTotals {
	readonly count: number;
	/** Distinct users of the errors that name one, anonymous ids resolved. */
	readonly users: number;
}

export interface ErrorGroup {
	/** By the order of the keys: the text of a column, the JSON text of a member of the context; empty when the error has none. */
	readonly keys: readonly string[];
	readonly count: number;
	/** In the window before. */
	readonly before: number;
	readonly users: number;
	/** Milliseconds since the epoch. */
	readonly last_seen: number;
	/** The latest error, with `last_seen`. Decimal. */
	readonly last_id: string;
}

/** The person of an error as that of an event is numbered. */
export const ERROR_PERSON = "if(user_id != '', bitOr(sipHash64(user_id), toUInt64(1)), toUInt64(0))";

/** Groups beyond the most frequent ones are not listed. */
export const MAX_GROUPS = 10_000;

/** Errors of the window, ungrouped. */
export function errorTotals({ start, end, as_of }: ErrorWindow): Question<ErrorTotals> {
	const params = new Params();
	return {
		name: "error_totals",
		params,
		sql: `SELECT count() AS n, uniqExactIf(user, user != 0) AS users
FROM ${resolved(params, `(SELECT ${ERROR_PERSON} AS person ${from("errors", between(params, "ts", start, end))})`, [], { as_of })}`,
		read: ([row]) => ({ count: (row?.n as number | undefined) ?? 0, users: (row?.users as number | undefined) ?? 0 }),
	};
}

/** Groups of the window, the most frequent first, then by their keys. */
export function errorGroups(window: ErrorWindow, keys: readonly ErrorKey[]): Question<ErrorGroup[]> {
	const params = new Params();
	const { start, end, previousStart, as_of } = window;
	const inWindow = `ts >= ${at(params, start)}`;
	const columns = keys.map((_, i) => `k${i}`).join(", ");
	const rows = `(SELECT ts, id AS error_id, ${keysAs(params, keys)}, ${ERROR_PERSON} AS person ${from("errors", between(params, "ts", previousStart, end))})`;
	const names = keys.map((_, i) => `k${i}`);
	const ranked = `SELECT ${columns}, countIf(${inWindow}) AS n, countIf(NOT (${inWindow})) AS before,
	uniqExactIf(user, user != 0 AND ${inWindow}) AS users, max(ts) AS last_ts, argMax(error_id, (ts, error_id)) AS last_id
FROM ${resolved(params, rows, ["ts", "error_id", ...names], { as_of })}
GROUP BY ${columns} HAVING n > 0 ORDER BY n DESC, ${columns} LIMIT ${MAX_GROUPS}`;
	return {
		name: "error_groups",
		params,
		sql: `SELECT ${columns}, n, before, users, toUnixTimestamp64Milli(last_ts) AS last_ms, toString(last_id) AS last_id_text FROM (${ranked})
ORDER BY n DESC, ${columns}`,
		read: (rows) =>
			rows.map((row) => ({
				keys: keysOf(row, keys),
				count: row.n as number,
				before: row.before as number,
				users: row.users as number,
				last_seen: row.last_ms as number,
				last_id: row.last_id_text as string,
			})),
	};
}

/** How many groups the window has. */
export function errorGroupCount({ start, end }: ErrorWindow, keys: readonly ErrorKey[]): Question<number> {
	const params = new Params();
	const columns = keys.map((_, i) => `k${i}`).join(", ");
	return {
		name: "error_group_count",
		params,
		sql: `SELECT count() AS n FROM (SELECT ${keysAs(params, keys)} ${from("errors", between(params, "ts", start, end))} GROUP BY ${columns})`,
		read: ([row]) => (row?.n as number | undefined) ?? 0,
	};
}

/**
 * When each of these groups was first seen, ever before `end`, in milliseconds since the epoch, in their order. By columns from what is
 * kept for ever; by the context from the errors, so within their retention.
 */
export function errorsFirstSeen(
	end: number,
	keys: readonly ErrorKey[],
	groups: readonly ErrorGroup[],
): Question<number[]> {
	const params = new Params();
	const columns = keys.map((_, i) => `k${i}`).join(", ");
	const kept = isByColumns(keys);
	const wanted = keys.map((_, i) =>
		params.add(
			"Array(String)",
			groups.map((group) => group.keys[i]!),
		),
	);
	const among = `(${columns}) IN (SELECT ${keys.map((_, i) => `w.${i + 1}`).join(", ")} FROM (SELECT arrayJoin(arrayZip(${wanted.join(", ")})) AS w))`;
	// A group of the window began before its end, whatever came later.
	const source = kept ? from("error_first_seen") : from("errors", `ts < ${at(params, end)}`);
	return {
		name: "errors_first_seen",
		params,
		sql: `SELECT ${columns}, toUnixTimestamp64Milli(min(seen)) AS first_ms
FROM (SELECT ${keysAs(params, keys)}, ${kept ? "first_seen" : "ts"} AS seen ${source})
WHERE ${among} GROUP BY ${columns}`,
		read: (rows) => {
			const found = new Map(rows.map((row) => [JSON.stringify(keysOf(row, keys)), row.first_ms as number]));
			return groups.map((group) => Math.min(found.get(JSON.stringify(group.keys)) ?? group.last_seen, group.last_seen));
		},
	};
}

/** Whether groups by these keys are known for ever, and not only as long as errors are kept. */
export function isByColumns(keys: readonly ErrorKey[]): boolean {
	return keys.every((key) => "column" in key);
}

/** One error as it was reported. */
export interface ErrorSample {
	readonly id: string;
	readonly ts: number;
	readonly issue_id: string;
	/** The call it is best known by; empty when there is none. */
	readonly culprit: string;
	readonly error_type: string;
	readonly severity: string;
	readonly component: string;
	readonly message: string;
	readonly stack: string;
	/** JSON text, or empty. */
	readonly context: string;
	readonly user_id: string;
	readonly trace_id: string;
}

/** Of a stack no more is shown than somebody reads. */
const STACK_CHARACTERS = 8_192;

/** What an error is looked up by: its time in milliseconds since the epoch, and its id. */
export type ErrorPlace = Pick<ErrorGroup, "last_seen" | "last_id">;

/** These errors, by `${last_seen} ${last_id}`. */
export function errorSamples(groups: readonly ErrorPlace[]): Question<Map<string, ErrorSample>> {
	const params = new Params();
	const times = params.add(
		"Array(Int64)",
		groups.map(({ last_seen }) => last_seen),
	);
	const ids = params.add(
		"Array(String)",
		groups.map(({ last_id }) => last_id),
	);
	const predicate = `ts IN (SELECT fromUnixTimestamp64Milli(arrayJoin(${times}), 'UTC')) AND id IN (SELECT toUInt64(arrayJoin(${ids})))`;
	return {
		name: "error_samples",
		params,
		sql: `SELECT ${SAMPLE_COLUMNS}
${from("errors", predicate)}`,
		read: (rows) => new Map(rows.map((row) => [`${row.ts_ms} ${row.id_text}`, sampleOf(row)])),
	};
}

/** The latest errors of an issue in the window, the latest first. @param issue a decimal number */
export function latestErrors(issue: string, { start, end }: Span, limit: number): Question<ErrorSample[]> {
	const params = new Params();
	const predicate = `${between(params, "ts", start, end)} AND issue_id = ${params.add("UInt64", issue)}`;
	return {
		name: "latest_errors",
		params,
		sql: `SELECT ${SAMPLE_COLUMNS}
${from("errors", predicate)}
ORDER BY ts DESC, id DESC LIMIT ${params.add("UInt32", limit)}`,
		read: (rows) => rows.map(sampleOf),
	};
}

/** Issue ids are answered as texts of 16 hexadecimal digits, as ingest does. */
export const ISSUE_TEXT = "lower(leftPad(hex(issue_id), 16, '0'))";

const SAMPLE_COLUMNS = `toString(id) AS id_text, toUnixTimestamp64Milli(ts) AS ts_ms, ${ISSUE_TEXT} AS issue, culprit, error_type, severity,
	component, message, leftUTF8(stack, ${STACK_CHARACTERS}) AS stack_text, context, user_id, trace_id`;

function sampleOf(row: Row): ErrorSample {
	return {
		id: row.id_text as string,
		ts: row.ts_ms as number,
		issue_id: row.issue as string,
		culprit: row.culprit as string,
		error_type: row.error_type as string,
		severity: row.severity as string,
		component: row.component as string,
		message: row.message as string,
		stack: row.stack_text as string,
		context: row.context as string,
		user_id: row.user_id as string,
		trace_id: row.trace_id as string,
	};
}

const COLUMN: Readonly<Record<ErrorColumn, string>> = {
	error_type: "error_type",
	component: "component",
	severity: "severity",
	issue_id: ISSUE_TEXT,
};

function keysAs(params: Params, keys: readonly ErrorKey[]): string {
	return keys
		.map((key, i) => `toString(${"column" in key ? COLUMN[key.column] : contextMember(params, key.context)}) AS k${i}`)
		.join(", ");
}

function keysOf(row: Row, keys: readonly ErrorKey[]): string[] {
	return keys.map((_, i) => row[`k${i}`] as string);
}
