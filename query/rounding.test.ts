import fc from "fast-check";
import { expect, test } from "vitest";
import {
	availabilityPercent,
	largestRemainder,
	milliseconds,
	percentOf,
	ratio,
	significant,
	whole,
} from "./rounding.ts";

test("rounding is at the edge and by kind; what is not a number is null", () => {
	expect([ratio(0.00444), ratio(1 / 3), percentOf(0.4523), availabilityPercent(0.99968)]).toEqual([
		0.0044, 0.3333, 45.2, 99.97,
	]);
	expect([milliseconds(9.87654), milliseconds(10.4), milliseconds(0), significant(0.0061111), whole(2.5)]).toEqual([
		9.877, 10, 0, 0.006111, 3,
	]);
	for (const round of [ratio, percentOf, availabilityPercent, milliseconds, significant, whole]) {
		expect([round(null), round(undefined), round(Number.NaN), round(Number.POSITIVE_INFINITY)]).toEqual([
			null,
			null,
			null,
			null,
		]);
	}
});

test("parts of a whole add up to it, and none is further than a unit from its exact share", () => {
	expect(largestRemainder([1, 1, 1], 100, 1)).toEqual([33.4, 33.3, 33.3]);
	expect(largestRemainder([1, 2, 3], 1, 4)).toEqual([0.1667, 0.3333, 0.5]);
	expect(largestRemainder([0, 0], 100, 1)).toEqual([0, 0]);
	expect(largestRemainder([], 100, 1)).toEqual([]);
	fc.assert(
		fc.property(fc.array(fc.nat(10_000), { minLength: 1 }), fc.constantFrom(0, 1, 2, 4), (parts, digits) => {
			const sum = parts.reduce((a, b) => a + b, 0);
			fc.pre(sum > 0);
			const rounded = largestRemainder(parts, 100, digits);
			expect(rounded.reduce((a, b) => a + b, 0)).toBeCloseTo(100, 6);
			for (const [i, part] of rounded.entries()) {
				expect(Math.abs(part - (100 * parts[i]!) / sum)).toBeLessThan(1.000001 / 10 ** digits);
			}
		}),
		{ seed: 1 },
	);
});
