/** Log lines by their pattern: how many, since when, what they look like, and how they divide by what they carry. */
import { LOG_LEVELS } from "../../schema/wire/index.ts";
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { contextMember } from "./context.ts";

/** What lines are grouped by: a column, or a member of the context by its path. */
export type LogKey = { readonly column: LogColumn } | { readonly context: string };
export type LogColumn = "level" | "component" | "trace_id" | "span_id";

/** A window, and the one compared with, which ends where it starts. */
export interface LogSpan extends Span {
	readonly previousStart: number;
}

/** Lines of one pattern, level and component. */
export interface PatternCount {
	/** 16 hexadecimal digits. */
	readonly pattern: string;
	readonly level: string;
	/** Empty for none. */
	readonly component: string;
	readonly count: number;
	/** In the window before. */
	readonly before: number;
	/** Start of the last minute of the window that has such a line, milliseconds since the epoch; 0 for none. */
	readonly last_minute: number;
}

const MINUTE_MS = 60_000;
/** Ids are texts of 16 hexadecimal digits. */
const PATTERN = "lower(leftPad(hex(pattern_id), 16, '0'))";
/** What `log_counts_1m` knows of lines. */
const COUNTED: ReadonlySet<string> = new Set(["level", "component"]);

/** Lines of both windows by pattern, level and component: whole minutes from their counts, the rest from the lines. */
export function patternCounts(span: LogSpan): Question<PatternCount[]> {
	const params = new Params();
	return {
		name: "log_pattern_counts",
		params,
		sql: `SELECT ${PATTERN} AS pattern, level, component, sumIf(n, w = 1) AS now, sumIf(n, w = 0) AS before,
	toUnixTimestamp(maxIf(minute, w = 1)) AS last_s
FROM ${counted(params, span)} GROUP BY pattern_id, level, component`,
		read: (rows) =>
			rows.map((row) => ({
				pattern: row.pattern as string,
				level: row.level as string,
				component: row.component as string,
				count: row.now as number,
				before: row.before as number,
				last_minute: (row.last_s as number) * 1_000,
			})),
	};
}

/** A pattern as it is stored. */
export interface StoredPattern {
	/** Undefined for lines that were stored before there were patterns. */
	readonly template: string | undefined;
	/** Ever, milliseconds since the epoch. */
	readonly first_seen: number;
}

/** Templates beyond these are not made one with others; those that were sent last stay. */
const MOST_TEMPLATES = 5_000;

/** All patterns of which a line was dated before an instant, by id. */
export function storedPatterns(before: number): Question<Map<string, StoredPattern>> {
	const params = new Params();
	return {
		name: "log_patterns",
		params,
		sql: `SELECT ${PATTERN} AS pattern, toUnixTimestamp64Milli(assumeNotNull(min(seen))) AS first_ms, max(text) AS template
FROM (
	SELECT pattern_id, toNullable(first_seen) AS seen, NULL AS text, NULL AS until ${from("log_pattern_first_seen")}
	UNION ALL
	SELECT pattern_id, NULL AS seen, toNullable(template) AS text, toNullable(lines_until) AS until ${from("log_patterns")}
)
GROUP BY pattern_id HAVING min(seen) < ${at(params, before)}
ORDER BY max(until) DESC NULLS LAST, pattern LIMIT ${MOST_TEMPLATES}`,
		read: (rows) =>
			new Map(
				rows.map((row) => [
					row.pattern as string,
					{ template: (row.template as string | null) ?? undefined, first_seen: row.first_ms as number },
				]),
			),
	};
}

/** The latest lines of a pattern. */
export interface PatternLines {
	/** Milliseconds since the epoch. */
	readonly last_seen: number;
	readonly examples: readonly string[];
}

const EXAMPLES = 3;
/** Of a message no more is shown than says what it is. */
const EXAMPLE_CHARACTERS = 1_000;

/** The latest different messages of patterns, out of the last minute in which each has lines, by id. */
export function patternLines(
	{ start, end }: Span,
	last: readonly { readonly pattern: string; readonly last_minute: number }[],
): Question<Map<string, PatternLines>> {
	const params = new Params();
	const minutes = params.add("Array(UInt32)", [...new Set(last.map(({ last_minute }) => last_minute / 1_000))]);
	const ids = params.add(
		"Array(String)",
		last.map(({ pattern }) => pattern),
	);
	const where = `${between(params, "ts", start, end)} AND toStartOfMinute(ts) IN (SELECT toDateTime(arrayJoin(${minutes}), 'UTC'))
	AND pattern_id IN (SELECT reinterpretAsUInt64(reverse(unhex(arrayJoin(${ids})))))`;
	return {
		name: "log_pattern_lines",
		params,
		sql: `SELECT ${PATTERN} AS pattern, toUnixTimestamp64Milli(ts) AS ts_ms, text
FROM (SELECT pattern_id, ts, id AS line, leftUTF8(message, ${EXAMPLE_CHARACTERS}) AS text ${from("logs", where)}
	ORDER BY ts DESC, line DESC LIMIT 1 BY pattern_id, text)
ORDER BY ts DESC, line DESC LIMIT ${EXAMPLES} BY pattern_id`,
		read: (rows) => {
			const found = new Map<string, { last_seen: number; examples: string[] }>();
			for (const row of rows) {
				const pattern = row.pattern as string;
				const lines = found.get(pattern) ?? { last_seen: row.ts_ms as number, examples: [] };
				lines.examples.push(row.text as string);
				found.set(pattern, lines);
			}
			return found;
		},
	};
}

/** Lines that agree in all keys. */
export interface LogGroup {
	/** By the order of the keys: the text of a column, the JSON text of a member of the context; empty when a line has none. */
	readonly keys: readonly string[];
	/** Lines of the window by pattern. */
	readonly patterns: readonly (readonly [pattern: string, count: number])[];
	/** Lines in the window before. */
	readonly before: number;
}

/** Groups beyond the most frequent ones are not listed. */
export const MOST_GROUPS = 10_000;

/** Groups of the window, the most frequent first, then by their keys. From the counts where these know the keys, else from the lines. */
export function logGroups(span: LogSpan, keys: readonly LogKey[]): Question<LogGroup[]> {
	const params = new Params();
	const names = keys.map((_, i) => `k${i}`);
	const source = keys.every((key) => "column" in key && COUNTED.has(key.column))
		? counted(params, span)
		: `(SELECT *, toUInt64(1) AS n, toUInt8(ts >= ${at(params, span.start)}) AS w ${from("logs", between(params, "ts", span.previousStart, span.end))})`;
	const columns = keys
		.map((key, i) => `toString(${"column" in key ? key.column : contextMember(params, key.context)}) AS k${i}`)
		.join(", ");
	return {
		name: "log_groups",
		params,
		sql: `SELECT ${names.join(", ")}, sum(now) AS total, sum(earlier) AS before, groupArrayIf((pattern, now), now > 0) AS members
FROM (
	SELECT ${columns}, ${PATTERN} AS pattern, sumIf(n, w = 1) AS now, sumIf(n, w = 0) AS earlier
	FROM ${source} GROUP BY ${names.join(", ")}, pattern_id
)
GROUP BY ${names.join(", ")} HAVING total > 0 ORDER BY total DESC, ${names.join(", ")} LIMIT ${MOST_GROUPS}`,
		read: (rows) =>
			rows.map((row) => ({
				keys: names.map((name) => row[name] as string),
				patterns: row.members as [string, number][],
				before: row.before as number,
			})),
	};
}

/** Whether a level is that of an error, or worse. */
export function isErrorLevel(level: string): boolean {
	return severityOf(level) >= LOG_LEVELS.indexOf("error");
}

export function severityOf(level: string): number {
	return (LOG_LEVELS as readonly string[]).indexOf(level);
}

/** A subquery of counts: `pattern_id`, `level`, `component`, `minute`, `n`, and `w`, which is 1 in the window and 0 in the one before. */
function counted(params: Params, { previousStart, start, end }: LogSpan): string {
	const parts = [...rowsOf(params, { start: previousStart, end: start }, 0), ...rowsOf(params, { start, end }, 1)];
	return `(${parts.join("\nUNION ALL\n")})`;
}

function rowsOf(params: Params, { start, end }: Span, w: 0 | 1): string[] {
	const first = Math.ceil(start / MINUTE_MS) * MINUTE_MS;
	const last = Math.floor(end / MINUTE_MS) * MINUTE_MS;
	const raw = (from_ms: number, to_ms: number) =>
		`SELECT pattern_id, level, component, toStartOfMinute(toDateTime(ts, 'UTC')) AS minute, toUInt64(1) AS n, ${w} AS w ${from("logs", between(params, "ts", from_ms, to_ms))}`;
	if (first >= last) return [raw(start, end)];
	const time = (ms: number) => `toDateTime(${params.add("UInt32", ms / 1_000)}, 'UTC')`;
	return [
		...(start < first ? [raw(start, first)] : []),
		`SELECT pattern_id, level, component, bucket AS minute, n, ${w} AS w ${from("log_counts_1m", `bucket >= ${time(first)} AND bucket < ${time(last)}`)}`,
		...(last < end ? [raw(last, end)] : []),
	];
}
