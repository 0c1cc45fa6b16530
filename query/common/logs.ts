import { ApiError, badParameter } from "../../http/errors.ts";
import type { Node } from "../logs/ast.ts";
import { LogQueryError } from "../logs/lexer.ts";
import { parse } from "../logs/parser.ts";
import { type LogCount, type LogWindow, logCount } from "../measures/logs.ts";
import type { Signals } from "../measures/signals.ts";
import { logsKeptFrom } from "../plan/plan.ts";
import type { Asking } from "../route.ts";
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

/** Whether a part of the window's lines may be gone: what is left of it is not all that matched. */
export function isPartlyGone({ start }: LogWindow, sent: Signals, clock: Pick<Asking, "now" | "reach">): boolean {
	const first = sent.firstOf("log");
	return first !== null && Math.max(start, first) < logsKeptFrom(clock);
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
