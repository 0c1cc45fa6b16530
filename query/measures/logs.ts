/** Logs: a page of them, how many match, and how they divide. */
import type { LogEntry } from "../../schema/wire/index.ts";
import type { Node } from "../logs/ast.ts";
import { logPredicate } from "../logs/sql.ts";
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";

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

/** A page of the logs that match, in the order of time and then of id. */
export function logPage(window: LogWindow, filter: Node | undefined, page: PageRequest): Question<LogPage> {
	const params = new Params();
	const compare = page.order === "desc" ? "<" : ">";
	// The bound on ts alone is what the sorting key can use.
	const after =
		page.after === undefined
			? "1"
			: `ts ${compare}= ${at(params, page.after.ts)} AND (ts ${compare} ${at(params, page.after.ts)} OR id ${compare} ${params.add("UInt64", page.after.id)})`;
	return {
		name: "log_page",
		params,
		sql: `SELECT toUnixTimestamp64Milli(ts) AS ts_ms, toString(id) AS id_text, level, component, message, context, trace_id, span_id
${from("logs", `${between(params, "ts", window.start, window.end)} AND ${after} AND ${logPredicate(params, filter)}`)}
ORDER BY ts ${page.order}, id ${page.order} LIMIT ${params.add("UInt32", page.limit + 1)}`,
		read: (rows) => {
			const last = rows.length > page.limit ? rows[page.limit - 1] : undefined;
			return {
				logs: rows.slice(0, page.limit).map((row) => ({
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
		},
	};
}

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
				: `SELECT count() AS n FROM (SELECT 1 ${from("logs", where)}${limit})`,
		read: ([row]) => {
			const n = Number(row?.n ?? 0);
			const isLowerBound = filter !== undefined && n > COUNT_LIMIT;
			return { total: isLowerBound ? COUNT_LIMIT : n, isLowerBound };
		},
	};
}

export interface LogFacets {
	readonly by_level: Record<string, number>;
	readonly by_component: Record<string, number>;
	/** How many are of this level and this component; undefined for any. */
	count(level: string | undefined, component: string | undefined): number;
}

/** Counts by level and by component; logs without a component count as `unknown`. */
export function logFacets(window: LogWindow, filter: Node | undefined): Question<LogFacets> {
	const params = new Params();
	return {
		name: "log_facets",
		params,
		sql: `SELECT level, component, count() AS n
${from("logs", `${between(params, "ts", window.start, window.end)} AND ${logPredicate(params, filter)}`)}
GROUP BY level, component ORDER BY n DESC`,
		read: (rows) => {
			const by_level: Record<string, number> = {};
			const by_component: Record<string, number> = {};
			for (const row of rows) {
				const component = (row.component as string) || "unknown";
				by_level[row.level as string] = (by_level[row.level as string] ?? 0) + (row.n as number);
				by_component[component] = (by_component[component] ?? 0) + (row.n as number);
			}
			const count = (level: string | undefined, component: string | undefined) =>
				rows
					.filter((row) => (level ?? row.level) === row.level && (component ?? row.component) === row.component)
					.reduce((sum, row) => sum + (row.n as number), 0);
			return { by_level, by_component, count };
		},
	};
}
