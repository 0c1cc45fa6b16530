/** How much an attack on a model learns, as a label; and how much it could at most. */

/** By the advantage of an attack, a ratio from 0 to 1: the first band that it is below; the last has no end. */
export const RISK_BANDS = [
	{ label: "very_low", below: 0.05 },
	{ label: "low", below: 0.1 },
	{ label: "medium", below: 0.2 },
	{ label: "high", below: 0.35 },
	{ label: "critical", below: null },
] as const;
export type Risk = (typeof RISK_BANDS)[number]["label"];

export function riskOf(advantage: number): Risk {
	// 0.6 − 0.5 is not below 0.1.
	const exact = Number(advantage.toFixed(9));
	return RISK_BANDS.find(({ below }) => below === null || exact < below)!.label;
}

/**
 * The greatest advantage (true minus false positive rate) of anyone who guesses whether someone was a member, under (ε, δ).
 * Kairouz, Oh, Viswanath, The Composition Theorem for Differential Privacy (2015), theorem 2.1: FPR + e^ε·FNR ≥ 1 − δ, and the other way round.
 */
export function membershipBound(epsilon: number, delta: number): number {
	// (e^ε − 1 + 2δ) / (e^ε + 1), which stays finite for any ε.
	const inverse = Math.exp(-epsilon);
	return (1 - inverse + 2 * delta * inverse) / (1 + inverse);
}

/** What one evaluation of an attack says; null where it does not. */
export interface AttackEvaluation {
	readonly attack: string;
	/** True minus false positive rate, at the best threshold. */
	readonly advantage: number | null;
	readonly tpr: number | null;
	readonly fpr: number | null;
	readonly accuracy: number | null;
	/** Of guessing without the model. */
	readonly baseline_accuracy: number | null;
}

/** By rates of true and false positives, 0 to 1; null when the evaluation does not say. */
export function advantageOf({ advantage, tpr, fpr }: AttackEvaluation): number | null {
	if (advantage !== null) return clamped(advantage);
	return tpr === null || fpr === null ? null : clamped(tpr - fpr);
}

/** Accuracy over that of guessing, 0 to 1; null when the evaluation does not say. */
export function gainOf({ accuracy, baseline_accuracy }: AttackEvaluation): number | null {
	return accuracy === null || baseline_accuracy === null ? null : clamped(accuracy - baseline_accuracy);
}

/** The chance that at least one of these attacks learns something, were they independent. */
export function overallRisk(evaluations: readonly AttackEvaluation[]): number | null {
	const risks = evaluations.flatMap((evaluation) => advantageOf(evaluation) ?? gainOf(evaluation) ?? []);
	return risks.length === 0 ? null : 1 - risks.reduce((none, risk) => none * (1 - risk), 1);
}

const clamped = (value: number) => Math.max(0, Math.min(1, value));
