/** What a name stands for, and what a metric adds up to. */
import type { Question } from "../sql.ts";
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
