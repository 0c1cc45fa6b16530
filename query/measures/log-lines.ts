/** Log lines as they are stored, with their ids: what a live stream begins with, and what it goes on with after an interruption. */
import type { LiveLog } from "../../schema/live/frames.ts";
import type { Node } from "../logs/ast.ts";
import { logPredicate } from "../logs/sql.ts";
import { between } from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";
import type { LogWindow } from "./logs.ts";

/** Lines hold up to 128 KiB each: no answer holds more than this of them, in bytes. */
const MAX_BYTES = 16 * 1024 * 1024;

export interface StoredLines {
	readonly lines: readonly LiveLog[];
	/** There are more that match: before these. */
	readonly more: boolean;
}

/** The latest lines that match, in the order of time and then of id. */
export function latestLines(window: LogWindow, filter: Node | undefined, limit: number): Question<StoredLines> {
	const params = new Params();
	return lines("log_lines_latest", params, {
		where: `${between(params, "ts", window.start, window.end)} AND ${logPredicate(params, filter)}`,
		order: "ts DESC, id DESC",
		limit,
	});
}

/**
 * Lines that match and were received after another one, the last ones of them, in the order of receipt.
 * @param after id of that one, decimal: ids begin with the second of receipt and count on within a process
 */
export function linesReceivedAfter(
	window: LogWindow,
	filter: Node | undefined,
	after: string,
	limit: number,
): Question<StoredLines> {
	const params = new Params();
	return lines("log_lines_received", params, {
		where: `${between(params, "ts", window.start, window.end)} AND id > ${params.add("UInt64", after)} AND ${logPredicate(params, filter)}`,
		order: "id DESC",
		limit,
	});
}

function lines(
	name: string,
	params: Params,
	{ where, order, limit }: { where: string; order: string; limit: number },
): Question<StoredLines> {
	const columns = "level, component, message, context, trace_id, span_id";
	return {
		name,
		params,
		// The newest line comes whatever its size: less than one would never get on.
		sql: `SELECT ts_ms, id_text, ${columns}, found FROM (
SELECT ts, id, toUnixTimestamp64Milli(ts) AS ts_ms, toString(id) AS id_text, ${columns}, count() OVER () AS found,
length(message) + length(context) AS size, sum(size) OVER (ORDER BY ${order} ROWS UNBOUNDED PRECEDING) AS total
FROM (SELECT ts, id, ${columns} ${from("logs", where)} ORDER BY ${order} LIMIT ${params.add("UInt32", limit + 1)})
) WHERE total <= ${params.add("UInt64", MAX_BYTES)} OR total = size ORDER BY ${order}`,
		read: (rows) => {
			const kept = rows.slice(0, limit).map(lineOf).reverse();
			return { lines: kept, more: Number(rows[0]?.found ?? 0) > kept.length };
		},
	};
}

function lineOf(row: Row): LiveLog {
	const {
		ts_ms,
		id_text,
		found: _,
		...texts
	} = row as { ts_ms: number; id_text: string; found: number } & Omit<LiveLog, "ts" | "id">;
	return { ts: ts_ms, id: id_text, ...texts };
}
