/** Logs: a page of them, how many match, and how they divide. */
import type { LogEntry } from "../../schema/wire/index.ts";
import type { Node } from "../logs/ast.ts";
import { exactLogPredicate, logPredicate, logScan } from "../logs/sql.ts";
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";

export interface LogWindow {
	/** `[start, end)` in milliseconds since the epoch. */
	readonly start: number;
	readonly end: number;
}

/** The last log of a page: the next page begins behind it. */
export interface Position {
	readonly ts: number;
	/** Decimal. */
	readonly id: string;
}

export interface LogPage {
	readonly logs: readonly LogEntry[];
	/** Where the next page begins; undefined on the last. */
	readonly next: Position | undefined;
}

export interface PageRequest {
	readonly limit: number;
	readonly order: "desc" | "asc";
	readonly after?: Position | undefined;
}

/**
 * A page of the logs that match, in the order of time and then of id.
 * @param times of all logs of the page, where they are known: then no others are read
 */
export function logPage(
	window: LogWindow,
	filter: Node | undefined,
	page: PageRequest,
	times?: readonly number[],
): Question<LogPage> {
	const params = new Params();
	const isAt = times && `toUnixTimestamp64Milli(ts) IN ${params.add("Array(Int64)", times)}`;
	const { where, isLookedThrough } = isAt
		? { where: `${isAt} AND ${exactLogPredicate(params, filter)}`, isLookedThrough: false }
		: logScan(params, filter);
	return {
		name: "log_page",
		params,
		sql: `SELECT toUnixTimestamp64Milli(ts) AS ts_ms, toString(id) AS id_text, level, component, message, context, trace_id, span_id
${from("logs", `${between(params, "ts", window.start, window.end)} AND ${behind(params, page)} AND ${where}`)}
ORDER BY ts ${page.order}, id ${page.order} LIMIT ${params.add("UInt32", page.limit + 1)}${isLookedThrough ? ` ${INDEX_FIRST}, ${INDEX_ONCE}` : ""}`,
		read: (rows) => pageOf(rows, page),
	};
}

/** @param rows of the page in its order, with the one behind it */
export function pageOf(rows: readonly Row[], { limit }: PageRequest): LogPage {
	const last = rows.length > limit ? rows[limit - 1] : undefined;
	return {
		logs: rows.slice(0, limit).map((row) => ({
			timestamp: new Date(row.ts_ms as number).toISOString(),
			level: row.level as string,
			component: (row.component as string) || null,
			message: row.message as string,
			context: row.context ? (JSON.parse(row.context as string) as Record<string, unknown>) : {},
			trace_id: (row.trace_id as string) || null,
			span_id: (row.span_id as string) || null,
		})),
		next: last && { ts: last.ts_ms as number, id: last.id_text as string },
	};
}

/** Whether a log comes after those of the pages before. */
export function behind(params: Params, { order, after }: PageRequest): string {
	if (after === undefined) return "1";
	const compare = order === "desc" ? "<" : ">";
	const ts = at(params, after.ts);
	// The bound on ts alone is what the sorting key can use.
	return `ts ${compare}= ${ts} AND (ts ${compare} ${ts} OR id ${compare} ${params.add("UInt64", after.id)})`;
}

/**
 * Looks into the text index of a part once, not again for each stretch that is read of it: a part of a word is looked for in all
 * words of the part. Where whole words are looked up, only if all parts are read: a page is full before.
 */
export const INDEX_FIRST = "SETTINGS use_skip_indexes_on_data_read = 0";
/** All conditions on a line at once, and none compiled: what the index leaves is little, and the time of a line takes none of it away. */
export const AT_ONCE = "enable_multiple_prewhere_read_steps = 0, compile_expressions = 0";
/** Where few lines match, it costs less to look at the messages of what the index leaves than to have the index name the lines too. */
export const INDEX_ONCE = "query_plan_direct_read_from_text_index = 0";

/** Matches beyond this are not counted one by one. */
export const COUNT_LIMIT = 1_000_000;

export interface LogCount {
	readonly total: number;
	readonly isLowerBound: boolean;
}

/** How many logs match: exact up to a million. */
export function logCount(window: LogWindow, filter: Node | undefined): Question<LogCount> {
	const params = new Params();
	const where = `${between(params, "ts", window.start, window.end)} AND ${logPredicate(params, filter)}`;
	// Without a filter nothing but the sorting key is read, and no limit is needed.
	const limit = filter === undefined ? "" : ` LIMIT ${params.add("UInt32", COUNT_LIMIT + 1)}`;
	return {
		name: "log_count",
		params,
		sql:
			filter === undefined
				? `SELECT count() AS n ${from("logs", where)}`
				: `SELECT count() AS n FROM (SELECT 1 ${from("logs", where)}${limit}) ${INDEX_FIRST}`,
		read: ([row]) => {
			const n = Number(row?.n ?? 0);
			const isLowerBound = filter !== undefined && n > COUNT_LIMIT;
			return { total: isLowerBound ? COUNT_LIMIT : n, isLowerBound };
		},
	};
}

export interface LogFacets {
	readonly by_level: Record<string, number>;
	/** Logs without a component count as `unknown`. */
	readonly by_component: Record<string, number>;
	/** How many are of this level and this component; undefined for any. */
	count(level: string | undefined, component: string | undefined): number;
}

/** Counts of all logs by level and by component: whole minutes are counted already, only the ends are read. */
export function logFacets({ start, end }: LogWindow): Question<LogFacets> {
	const params = new Params();
	const first = Math.min(Math.ceil(start / MINUTE_MS) * MINUTE_MS, end);
	const last = Math.max(Math.floor(end / MINUTE_MS) * MINUTE_MS, first);
	const ends = `${between(params, "ts", start, first)} OR ${between(params, "ts", last, end)}`;
	return {
		name: "log_facets",
		params,
		sql: `SELECT level, component, sum(lines) AS n FROM (
	SELECT level, component, n AS lines ${from("log_counts_1m", between(params, "bucket", first, last))}
	UNION ALL SELECT level, component, 1 AS lines ${from("logs", ends)})
GROUP BY level, component ORDER BY n DESC`,
		read: readFacets,
	};
}

const MINUTE_MS = 60_000;

export function readFacets(rows: readonly Row[]): LogFacets {
	const by_level: Record<string, number> = {};
	const by_component: Record<string, number> = {};
	for (const row of rows) {
		const component = (row.component as string) || "unknown";
		by_level[row.level as string] = (by_level[row.level as string] ?? 0) + (row.n as number);
		by_component[component] = (by_component[component] ?? 0) + (row.n as number);
	}
	const count: LogFacets["count"] = (level, component) =>
		ofFacet(rows, level, component).reduce((sum, row) => sum + (row.n as number), 0);
	return { by_level, by_component, count };
}

export function ofFacet(rows: readonly Row[], level: string | undefined, component: string | undefined): Row[] {
	return rows.filter((row) => (level ?? row.level) === row.level && (component ?? row.component) === row.component);
}
