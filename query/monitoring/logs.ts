import type { z } from "zod";
import { type LogsAnswer, logsAnswer, logsQuery, TIMEFRAMES } from "../../schema/wire/index.ts";
import { countOf, isPartlyGone, parseLogQuery } from "../common/logs.ts";
import { decodeCursor, encodeCursor } from "../logs/cursor.ts";
import { logPage } from "../measures/logs.ts";
import { signals } from "../measures/signals.ts";
import { type Needs, withMeta } from "../meta.ts";
import { type Asking, read } from "../route.ts";
import { resolveWindow } from "../time/window.ts";

const NEEDS: Needs = { logs: "log" };

/** `GET /v1/monitoring/logs` */
export const logsRead = read({
	path: "/v1/monitoring/logs",
	summary: "Search logs by a query",
	query: logsQuery,
	answer: logsAnswer,
	needs: NEEDS,
	ask: logs,
});

async function logs({ asker, now, reach }: Asking, query: z.infer<typeof logsQuery>): Promise<LogsAnswer> {
	const window = resolveWindow(query, { timeframes: TIMEFRAMES, defaultTimeframe: "1h", now });
	const filter = parseLogQuery(query.query);
	const after = decodeCursor(query.cursor);
	const order = query.sort === "timestamp asc" ? "asc" : "desc";
	const [sent, page] = await Promise.all([
		asker.ask(signals(window.as_of)),
		asker.ask(logPage(window, filter, { limit: query.limit, order, after })),
	]);
	const whole = after === undefined && page.next === undefined;
	const count = whole
		? { total: page.logs.length, isLowerBound: false }
		: await countOf(asker, window, filter, page.logs.length);
	const answer = {
		logs: [...page.logs],
		total: count.total,
		total_is_lower_bound: count.isLowerBound || isPartlyGone(window, sent, { now, reach }),
		next_cursor: encodeCursor(page.next),
	};
	const parts = { window, data_through: sent.dataThrough("log"), source: "raw" } as const;
	return withMeta(answer, parts, { needs: NEEDS, sent });
}
