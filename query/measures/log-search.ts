/** What a search in the messages of logs finds: how it divides, and a page of it. */
import type { Node } from "../logs/ast.ts";
import { exactLogPredicate, logPredicate, logScan } from "../logs/sql.ts";
import { between } from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";
import {
	AT_ONCE,
	behind,
	INDEX_FIRST,
	INDEX_ONCE,
	type LogFacets,
	type LogPage,
	type LogWindow,
	ofFacet,
	type PageRequest,
	pageOf,
	readFacets,
} from "./logs.ts";

export interface LogSearch extends LogFacets {
	/** Times of the logs of a page of them and of the one behind it, milliseconds since the epoch; each once. */
	times(level: string | undefined, component: string | undefined): readonly number[];
}

/** Counts of the logs that match, and where the page of them lies: reading messages takes long, so it is done once. */
export function logSearch(window: LogWindow, filter: Node | undefined, page: PageRequest): Question<LogSearch> {
	const params = new Params();
	const length = page.limit + 1;
	const sign = page.order === "desc" ? -1 : 1;
	return {
		name: "log_search",
		params,
		sql: `SELECT level, component, count() AS n,
	groupArraySortedIf(${params.add("UInt32", length)})(${sign} * toUnixTimestamp64Milli(ts), ${behind(params, page)}) AS first
${from("logs", `${between(params, "ts", window.start, window.end)} AND ${logPredicate(params, filter)}`)}
GROUP BY level, component ORDER BY n DESC ${INDEX_FIRST}`,
		read: (rows) => ({
			...readFacets(rows),
			times: (level, component) => {
				const sorted = ofFacet(rows, level, component)
					.flatMap((row) => row.first as number[])
					.sort((a, b) => a - b);
				return [...new Set(sorted.slice(0, length).map((time) => sign * time))];
			},
		}),
	};
}

/** Most lines that are told with one question. */
const FEW = 1_000;
/** A message or context that is as long is left to the question for the page, bytes. */
const LONG_BYTES = 8_192;

export interface FewLogs extends LogFacets {
	/** Undefined where a line of it is too long. */
	readonly page: LogPage | undefined;
}

/**
 * All that a search finds and a page of it, where it finds few lines: undefined where there are more, which is known before many
 * are read.
 * @param only what the lines of the page match beside the search; the counts are of all
 */
export function fewLogs(
	window: LogWindow,
	search: Node | undefined,
	only: Node | undefined,
	page: PageRequest,
): Question<FewLogs | undefined> {
	const params = new Params();
	const { where, isLookedUp } = logScan(params, search);
	const isOnPage = `${behind(params, page)} AND ${exactLogPredicate(params, only)}`;
	return {
		name: "log_search_few",
		params,
		sql: `SELECT toUnixTimestamp64Milli(ts) AS ts_ms, toString(id) AS id_text, level, component, ${isOnPage} AS is_on_page,
	substring(message, 1, ${LONG_BYTES}) AS message_head, substring(context, 1, ${LONG_BYTES}) AS context_head, trace_id, span_id
${from("logs", `${between(params, "ts", window.start, window.end)} AND ${where}`)}
LIMIT ${params.add("UInt32", FEW + 1)} ${INDEX_FIRST}, ${AT_ONCE}${isLookedUp ? "" : `, ${INDEX_ONCE}`}`,
		read: (rows) => {
			if (rows.length > FEW) return undefined;
			const sorted = rows.toSorted((a, b) => compare(a, b) * (page.order === "desc" ? -1 : 1));
			const first = sorted.filter((row) => row.is_on_page).slice(0, page.limit + 1);
			const told = first.map((row) => ({ ...row, message: row.message_head, context: row.context_head }));
			const isTold = told.every(({ message, context }) => isWhole(message) && isWhole(context));
			return { ...readFacets(sorted.map((row) => ({ ...row, n: 1 }))), page: isTold ? pageOf(told, page) : undefined };
		},
	};
}

/** A character that was cut in two has become longer. */
const isWhole = (head: unknown) => Buffer.byteLength(head as string) < LONG_BYTES;

/** By time and then by id. */
function compare(a: Row, b: Row): number {
	const by_ms = (a.ts_ms as number) - (b.ts_ms as number);
	if (by_ms !== 0) return by_ms;
	const [id, other] = [BigInt(a.id_text as string), BigInt(b.id_text as string)];
	return id < other ? -1 : id > other ? 1 : 0;
}
