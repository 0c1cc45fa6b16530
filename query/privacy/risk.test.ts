import { expect, test } from "vitest";
import { type AttackEvaluation, advantageOf, gainOf, membershipBound, overallRisk, riskOf } from "./risk.ts";

const NOTHING = { attack: "a", advantage: null, tpr: null, fpr: null, accuracy: null, baseline_accuracy: null };
const evaluation = (some: Partial<AttackEvaluation>): AttackEvaluation => ({ ...NOTHING, ...some });

test.each([
	[0, "very_low"],
	[0.0499, "very_low"],
	[0.05, "low"],
	[0.55 - 0.5, "low"],
	[0.0999, "low"],
	[0.6 - 0.5, "medium"],
	[0.1999, "medium"],
	[0.7 - 0.5, "high"],
	[0.35, "critical"],
	[1, "critical"],
])("an advantage of %f is %s", (advantage, risk) => {
	expect(riskOf(advantage)).toBe(risk);
});

test("the bound on membership inference is the corner of the region that (ε, δ) leaves to an attacker", () => {
	expect(membershipBound(0, 0)).toBe(0);
	expect(membershipBound(0, 1e-5)).toBeCloseTo(1e-5, 12);
	expect(membershipBound(1, 1e-5)).toBeCloseTo((Math.E - 1 + 2e-5) / (Math.E + 1), 12);
	expect(membershipBound(5_000, 1e-5)).toBe(1);
	// FPR + e^ε FNR = 1 − δ and e^ε FPR + FNR = 1 − δ meet where both are equal.
	const rate = (1 - 0.01) / (1 + Math.exp(2));
	expect(membershipBound(2, 0.01)).toBeCloseTo(1 - 2 * rate, 12);
});

test("an evaluation says its advantage, or the rates or accuracies that make it; a worse than random one has none", () => {
	expect(advantageOf(evaluation({ advantage: 0.2, tpr: 0.9, fpr: 0.1 }))).toBe(0.2);
	expect(advantageOf(evaluation({ tpr: 0.5, fpr: 0.25 }))).toBe(0.25);
	expect(advantageOf(evaluation({ tpr: 0.2, fpr: 0.25 }))).toBe(0);
	expect(advantageOf(evaluation({ tpr: 0.5 }))).toBeNull();
	expect(gainOf(evaluation({ accuracy: 0.75, baseline_accuracy: 0.5 }))).toBe(0.25);
	expect(gainOf(evaluation({ accuracy: 0.75 }))).toBeNull();
});

test("the overall risk is that at least one attack learns something; attacks that say nothing do not count", () => {
	expect(overallRisk([])).toBeNull();
	expect(overallRisk([evaluation({})])).toBeNull();
	const three = [0.07, 0.03, 0.12].map((advantage) => evaluation({ advantage }));
	expect(overallRisk([...three, evaluation({})])).toBeCloseTo(0.206152, 9);
});
