/** Windows of events and logs that are still whole: what is gone of them must not be counted as none. */
import { assertEventsKept, assertLogsKept, eventsKeptFrom, logsKeptFrom } from "../plan/plan.ts";
import type { Scope } from "./scope.ts";

/** Whether the window of a value is whole, by the `t` that the value goes by. */
export type IsWhole = (t: number) => boolean;

/** @throws RetentionError as {@link wholeWindows} */
export function wholeOfEvents(scope: Scope): IsWhole {
	return wholeWindows(scope, eventsKeptFrom(scope), (start) => assertEventsKept(start, scope));
}

/** @param first_ms the project's first line: nothing is lost before it. @throws RetentionError as {@link wholeWindows} */
export function wholeOfLogs(scope: Scope, first_ms: number | null): IsWhole {
	const oldest = logsKeptFrom(scope);
	const lost = first_ms !== null && first_ms < oldest ? oldest : Number.NEGATIVE_INFINITY;
	return wholeWindows(scope, lost, (start) => assertLogsKept("Logs", Math.max(start, first_ms ?? start), scope));
}

/**
 * Buckets beside each other are one answer, which is whole or refused. Of windows that trail, those before the last are its history:
 * what is gone of that is not known.
 * @throws RetentionError
 */
function wholeWindows(scope: Scope, oldest: number, assertKept: (start: number) => void): IsWhole {
	const trailing = scope.buckets?.trailing;
	if (!trailing) {
		assertKept(scope.start);
		return () => true;
	}
	const { first, step, count, length } = trailing;
	assertKept((first + (count - 1) * step - length) * 1_000);
	return (t) => (t - length) * 1_000 >= oldest;
}
