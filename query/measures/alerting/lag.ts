import { durationSeconds } from "../../../schema/duration.ts";
import type { AlertRule } from "../../../schema/wire/index.ts";

/** How far an enabled rule is evaluated. */
export interface EvaluatedRule {
	readonly body: Pick<AlertRule, "interval" | "evaluation_delay">;
	readonly updated_at: Date;
	/** The last evaluated instant, milliseconds since the epoch; undefined before the first. */
	readonly evaluated_at: number | undefined;
}

/** How much time the evaluation is behind the last instant that is due by the clock, milliseconds; 0 when nothing is due. */
export function lagOf({ body, updated_at, evaluated_at }: EvaluatedRule, now: number): number {
	const step = durationSeconds(body.interval) * 1_000;
	const due = Math.floor((now - durationSeconds(body.evaluation_delay) * 1_000) / step) * step;
	return Math.max(0, due - (evaluated_at ?? Math.floor(updated_at.getTime() / step) * step));
}
