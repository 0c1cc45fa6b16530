/** Several rules often ask the same: of the engine each question is asked once. */
import type { BaselineCache } from "../../query/measures/alerting/anomalies.ts";
import type { AlertAsking, AskedQuestion, Found } from "../../query/measures/alerting/asking.ts";
import type { ValuesOf } from "../../query/measures/alerting/leaves.ts";
import { valuesOf } from "../../query/measures/alerting/values.ts";

/** Instants of a question that other rules may ask as well. */
const MAX_SHARED = 500;
/** Equal questions of several rules are asked once: whole values, and what they are made of. */
export function sharing(asking: AlertAsking, cache: BaselineCache | undefined): Sharing {
	const answers = new Map<string, Promise<unknown>>();
	const once: AlertAsking = {
		...asking,
		ask<T>(question: AskedQuestion<T>): Promise<T> {
			// Who reads an answer is part of what is asked: the same rows may be read in several ways.
			const key = JSON.stringify([question.name, question.sql, question.params.values]);
			const answer = answers.get(key) ?? asking.ask(question);
			answers.set(key, answer);
			return answer as Promise<T>;
		},
	};
	const asked = new Map<string, Promise<Found>>();
	const of: ValuesOf = (measured, groupBy, span) => {
		// Weeks of values are read once, to learn from: shared they would be kept until all rules are evaluated.
		if (span.count > MAX_SHARED) return valuesOf(asking, measured, groupBy, span);
		const key = JSON.stringify([measured, groupBy, span]);
		const found = asked.get(key) ?? valuesOf(once, measured, groupBy, span);
		asked.set(key, found);
		return found;
	};
	return { of, cache };
}

export interface Sharing {
	readonly of: ValuesOf;
	readonly cache: BaselineCache | undefined;
}
