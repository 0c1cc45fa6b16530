import type { z } from "zod";
import { badParameter } from "../../http/errors.ts";
import { type SystemLogsAnswer, systemLogsAnswer, systemLogsQuery } from "../../schema/wire/index.ts";
import { join, type Node } from "../logs/ast.ts";
import { decodeCursor, encodeCursor } from "../logs/cursor.ts";
import { fewLogs, logSearch } from "../measures/log-search.ts";
import { type LogFacets, type LogPage, logFacets, logPage } from "../measures/logs.ts";
import { signals } from "../measures/signals.ts";
import { type Needs, withMeta } from "../meta.ts";
import { type Asking, read } from "../route.ts";
import { resolveWindow } from "../time/window.ts";

const NEEDS: Needs = { logs: "log", "aggregations.by_level": "log", "aggregations.by_component": "log" };

/** `GET /analytics/system/logs` */
export const systemLogsRead = read({
	path: "/analytics/system/logs",
	summary: "Logs by level, component and text, with counts of both",
	query: systemLogsQuery,
	answer: systemLogsAnswer,
	needs: NEEDS,
	ask: systemLogs,
});

async function systemLogs({ asker, now }: Asking, query: z.infer<typeof systemLogsQuery>): Promise<SystemLogsAnswer> {
	const window = windowOf(query, now);
	const search: Node[] =
		query.search === undefined || query.search === ""
			? []
			: [{ type: "match", field: "message", value: { type: "phrase", text: query.search } }];
	const only: Node[] = (["level", "component"] as const).flatMap((field) => {
		const text = query[field];
		return text === undefined ? [] : [{ type: "match", field, value: { type: "phrase", text } } as const];
	});
	const all = (nodes: readonly Node[]) => (nodes.length === 0 ? undefined : join("and", nodes));
	const filter = all([...only, ...search]);
	const searched = all(search);
	const after = decodeCursor(query.cursor);
	const request = { limit: query.limit, order: "desc", after } as const;
	const found = async (): Promise<readonly [LogPage, LogFacets]> => {
		const few = await asker.ask(fewLogs(window, searched, all(only), request));
		if (few?.page !== undefined) return [few.page, few];
		const many = await asker.ask(logSearch(window, searched, request));
		return [await asker.ask(logPage(window, filter, request, many.times(query.level, query.component))), many];
	};
	const [sent, [page, aggregations]] = await Promise.all([
		asker.ask(signals(window.as_of)),
		searched === undefined
			? Promise.all([asker.ask(logPage(window, filter, request)), asker.ask(logFacets(window))])
			: found(),
	]);
	const { by_level, by_component } = aggregations;
	const answer = {
		logs: [...page.logs],
		total: aggregations.count(query.level, query.component),
		has_more: page.next !== undefined,
		next_cursor: encodeCursor(page.next),
		aggregations: { by_level, by_component },
	};
	const parts = {
		window,
		data_through: sent.dataThrough("log"),
		methods: { aggregations: "of the window and the search text, whatever level and component are asked for" },
		source: "raw",
	} as const;
	return withMeta(answer, parts, { needs: NEEDS, sent });
}

/** The document's names and the general ones name the same window. */
function windowOf(query: z.infer<typeof systemLogsQuery>, now: number) {
	for (const [documented, general] of [
		["start_time", "start"],
		["end_time", "end"],
	] as const) {
		if (query[documented] === undefined || query[general] === undefined) continue;
		throw badParameter({
			parameter: general,
			provided: query[general],
			valid_options: [],
			reason: `${documented} and ${general} mean the same: send one of them`,
		});
	}
	const names = {
		start: query.start === undefined ? "start_time" : "start",
		end: query.end === undefined ? "end_time" : "end",
	};
	return resolveWindow(
		{ ...query, start: query.start_time ?? query.start, end: query.end_time ?? query.end },
		{ timeframes: ["24h"], defaultTimeframe: "24h", now, names },
	);
}
