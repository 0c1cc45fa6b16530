/** Which instants of a rule are to be evaluated now. Pure; milliseconds since the epoch. */
import { durationSeconds } from "../../schema/duration.ts";
import type { AlertRule } from "../../schema/wire/index.ts";

/** What a rule missed longer ago than this is not evaluated any more: it is noted as a gap. */
export const CATCH_UP_MS = 24 * 3_600_000;

export interface Due {
	/** First and last instant, and what lies between them. */
	readonly first: number;
	readonly last: number;
	readonly step: number;
	/** Instants before the first that are left out. */
	readonly gap: { readonly from: number; readonly to: number } | undefined;
}

/**
 * @param evaluated the last evaluated instant; undefined of a rule that was not evaluated, or not as it is now
 * @param since when it became the rule that it is
 * @param through everything that was received before is stored
 */
export function dueOf(
	rule: Pick<AlertRule, "interval" | "evaluation_delay">,
	{ evaluated, since, through }: { evaluated: number | undefined; since: number; through: number },
): Due | undefined {
	const step = durationSeconds(rule.interval) * 1_000;
	const last = Math.floor((through - durationSeconds(rule.evaluation_delay) * 1_000) / step) * step;
	// The first window may lie before the rule: whoever makes one wants to know how things stand.
	const next = evaluated === undefined ? Math.floor(since / step) * step : (Math.floor(evaluated / step) + 1) * step;
	if (next > last) return undefined;
	const oldest = last - Math.floor(CATCH_UP_MS / step) * step;
	const first = Math.max(next, oldest);
	return { first, last, step, gap: first > next ? { from: next, to: first } : undefined };
}
