/** Conditions joined: three-valued, and always with a value that shows why. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Condition, OPERATORS, type ThresholdCondition } from "../../../schema/wire/index.ts";
import { and, judge, type LeafSeen, not, or, satisfies, type Truth } from "./logic.ts";

const TRUTHS: readonly Truth[] = [true, false, null];

test.each([
	[true, true, true, true],
	[true, false, false, true],
	[true, null, null, true],
	[false, false, false, false],
	[false, null, false, null],
	[null, null, null, null],
] as const)("%s and %s: AND is %s, OR is %s, in any order", (a, b, both, either) => {
	expect([and([a, b]), and([b, a])]).toEqual([both, both]);
	expect([or([a, b]), or([b, a])]).toEqual([either, either]);
});

test("De Morgan holds of what is not known, too", () => {
	for (const a of TRUTHS) for (const b of TRUTHS) expect(not(and([a, b]))).toBe(or([not(a), not(b)]));
});

const leaf = (metric: string): ThresholdCondition => ({
	...{ type: "threshold", metric, operator: "greater_than", threshold: 5, timeframe: "5m" },
});
const random: fc.Arbitrary<{ conditions: Condition[]; logic: "AND" | "OR"; values: (number | null)[] }> = fc
	.record({
		values: fc.array(fc.option(fc.integer({ min: 0, max: 10 })), { minLength: 4, maxLength: 4 }),
		operators: fc.array(fc.constantFrom(...OPERATORS), { minLength: 4, maxLength: 4 }),
		logic: fc.constantFrom("AND" as const, "OR" as const),
		inner: fc.constantFrom("AND" as const, "OR" as const),
		negate: fc.boolean(),
	})
	.map(({ values, operators, logic, inner, negate }) => {
		const [a, b, c, d] = operators.map((operator, i) => ({ ...leaf(String(i)), operator })) as [
			Condition,
			Condition,
			Condition,
			Condition,
		];
		const nested: Condition = {
			type: "compound",
			logic: inner,
			sub_conditions: [b, { type: "compound", logic: "NOT", sub_conditions: [c] }],
		};
		return {
			values,
			logic,
			conditions: [a, negate ? { type: "compound", logic: "NOT", sub_conditions: [nested] } : nested, d],
		};
	});
const look =
	(values: readonly (number | null)[]) =>
	(one: Condition): LeafSeen => {
		const { metric, operator, threshold } = one as ThresholdCondition;
		const value = values[Number(metric)] ?? null;
		const breach = value === null ? null : satisfies(value, operator, threshold);
		return { breach, hold: breach, value, threshold, operator };
	};

test("what is decided stays decided, whatever the unknown turns out to be", () => {
	fc.assert(
		fc.property(random, fc.integer({ min: 0, max: 10 }), ({ conditions, logic, values }, filler) => {
			const { breach } = judge(conditions, logic, look(values));
			const filled = judge(conditions, logic, look(values.map((value) => value ?? filler))).breach;
			expect(filled).not.toBeNull();
			if (breach !== null) expect(filled).toBe(breach);
		}),
		{ seed: 5, numRuns: 500 },
	);
});

test("the value that is told of a breach satisfies the operator that is told with it", () => {
	fc.assert(
		fc.property(random, ({ conditions, logic, values }) => {
			const { breach, decider } = judge(conditions, logic, look(values));
			if (breach !== true) return;
			expect(satisfies(decider.value!, decider.operator, decider.threshold!)).toBe(true);
		}),
		{ seed: 5, numRuns: 500 },
	);
});

test("a recovery threshold holds what fires, and under NOT has no effect", () => {
	const holds = (): LeafSeen => ({ breach: false, hold: true, value: 4, threshold: 5, operator: "greater_than" });
	expect(judge([leaf("a")], "AND", holds)).toMatchObject({ breach: false, hold: true });
	const negated: Condition = { type: "compound", logic: "NOT", sub_conditions: [leaf("a")] };
	expect(judge([negated], "AND", holds)).toMatchObject({ breach: true, hold: true });
});
