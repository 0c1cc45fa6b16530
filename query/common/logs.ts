import { ApiError, badParameter } from "../../http/errors.ts";
import type { Node } from "../logs/ast.ts";
import { LogQueryError } from "../logs/lexer.ts";
import { parse } from "../logs/parser.ts";
import { type LogCount, type LogWindow, logCount } from "../measures/logs.ts";
import type { Asker } from "../run.ts";

/** @throws ApiError 400 that says where the query cannot be understood */
export function parseLogQuery(text: string | undefined, parameter = "query"): Node | undefined {
	try {
		return parse(text ?? "");
	} catch (error) {
		if (!(error instanceof LogQueryError)) throw error;
		throw badParameter({
			message: `Invalid ${parameter}: ${error.message} (at character ${error.position + 1})`,
			parameter,
			provided: text,
			valid_options: [],
			reason: error.message,
			position: error.position,
		});
	}
}

/** How many match, or at least `seen` when counting takes longer than a question may. */
export async function countOf(
	asker: Asker,
	window: LogWindow,
	filter: Node | undefined,
	seen: number,
): Promise<LogCount> {
	try {
		return await asker.ask(logCount(window, filter));
	} catch (error) {
		if (error instanceof ApiError && error.status === 422) return { total: seen, isLowerBound: true };
		throw error;
	}
}
