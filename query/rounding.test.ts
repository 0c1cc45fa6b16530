import { expect, test } from "vitest";
import { availabilityPercent, milliseconds, percentOf, ratio, significant, whole } from "./rounding.ts";

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
