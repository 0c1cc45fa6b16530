/** What one name adds up to: the sum of a metric, or the number of events. */
import { between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { customMetric } from "./custom.ts";
import type { Scope } from "./scope.ts";
import type { Signals } from "./signals.ts";

/** What is known by a name; a metric comes before an event of the same name. */
export function recordNamed(sent: Signals, name: string): "metric" | "event" | null {
	if (sent.get("metric", name) !== undefined) return "metric";
	return sent.get("event", name) === undefined ? null : "event";
}

/** Sum of all values of a metric (of increases, where it is cumulative); 0 when none is in the window. @throws RetentionError */
export function metricSum(scope: Scope, metric: string): Question<number> {
	const question = customMetric(scope, { metric, aggregation: "sum", kinds: [], groupBy: [], seconds: () => 1 });
	return {
		...question,
		read: (rows) => question.read(rows).reduce((sum, { value }) => sum + (value ?? 0), 0),
	};
}

/** Events of a name in `[start, end)`. */
export function eventCount({ start, end }: Pick<Scope, "start" | "end">, event: string): Question<number> {
	const params = new Params();
	return {
		name: "event_count",
		params,
		sql: `SELECT count() AS n ${from("events", `event = ${params.add("String", event)} AND ${between(params, "ts", start, end)}`)}`,
		read: ([row]) => (row?.n as number | undefined) ?? 0,
	};
}
