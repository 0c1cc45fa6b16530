/** Conditions as three-valued logic: what is not known makes neither true nor false, unless the other part decides. */
import type { Condition, Leaf, Operator } from "../../../schema/wire/index.ts";

export type Truth = true | false | null;

/** What is known of one condition at an instant, for one instance. */
export interface LeafSeen {
	readonly breach: Truth;
	/** With the recovery threshold in place of the threshold: whether what fires goes on. */
	readonly hold: Truth;
	readonly value: number | null;
	readonly threshold: number | null;
	/** That the value satisfies when `breach` is true. */
	readonly operator: Operator;
}

/** A condition that decides, as it counts. */
export interface Decider extends LeafSeen {
	readonly leaf: Leaf;
}

export interface Judged {
	readonly breach: Truth;
	readonly hold: Truth;
	/** The first condition by which it is as it is; of a breach its value satisfies its operator. */
	readonly decider: Decider;
}

const OPPOSITE: Readonly<Record<Operator, Operator>> = {
	greater_than: "less_than_or_equal",
	greater_than_or_equal: "less_than",
	less_than: "greater_than_or_equal",
	less_than_or_equal: "greater_than",
	equal: "not_equal",
	not_equal: "equal",
};

export function satisfies(value: number, operator: Operator, threshold: number): boolean {
	switch (operator) {
		case "greater_than":
			return value > threshold;
		case "greater_than_or_equal":
			return value >= threshold;
		case "less_than":
			return value < threshold;
		case "less_than_or_equal":
			return value <= threshold;
		case "equal":
			return value === threshold;
		case "not_equal":
			return value !== threshold;
	}
}

export function and(parts: readonly Truth[]): Truth {
	return parts.includes(false) ? false : parts.includes(null) ? null : true;
}

export function or(parts: readonly Truth[]): Truth {
	return parts.includes(true) ? true : parts.includes(null) ? null : false;
}

export function not(part: Truth): Truth {
	return part === null ? null : !part;
}

/** @param look what is known of a condition about one measure */
export function judge(conditions: readonly Condition[], logic: "AND" | "OR", look: (leaf: Leaf) => LeafSeen): Judged {
	return join(
		conditions.map((one) => judgeOne(one, look)),
		logic,
	);
}

function judgeOne(condition: Condition, look: (leaf: Leaf) => LeafSeen): Judged {
	if (condition.type !== "compound") {
		const seen = look(condition);
		return { breach: seen.breach, hold: seen.hold, decider: { ...seen, leaf: condition } };
	}
	const parts = condition.sub_conditions.map((one) => judgeOne(one, look));
	if (condition.logic !== "NOT") return join(parts, condition.logic);
	const [{ breach, decider }] = parts as [Judged];
	// A recovery threshold makes a condition hold longer; under NOT that would end it earlier, so there it has no effect.
	return {
		...{ breach: not(breach), hold: not(breach) },
		decider: {
			...decider,
			breach: not(decider.breach),
			hold: not(decider.breach),
			operator: OPPOSITE[decider.operator],
		},
	};
}

function join(parts: readonly Judged[], logic: "AND" | "OR"): Judged {
	const combine = logic === "AND" ? and : or;
	const breach = combine(parts.map((part) => part.breach));
	const hold = combine(parts.map((part) => part.hold));
	const decider = (parts.find((part) => part.breach === breach) ?? parts[0]!).decider;
	return { breach, hold, decider };
}
