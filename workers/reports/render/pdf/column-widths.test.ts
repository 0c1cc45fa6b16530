import fc from "fast-check";
import { expect, test } from "vitest";
import { groupColumns, shareWidth } from "./column-widths.ts";

const wishes = fc.array(
	fc
		.record({ least: fc.integer({ min: 5, max: 106 }), more: fc.integer({ min: 0, max: 400 }) })
		.map(({ least, more }) => ({ least, natural: least + more })),
	{ minLength: 1, maxLength: 20 },
);

test("columns fill the width, and none gets less than its longest word needs", () => {
	fc.assert(
		fc.property(wishes, (given) => {
			const widths = shareWidth(given, 500);
			const least = given.reduce((sum, wish) => sum + wish.least, 0);
			expect(widths === undefined).toBe(least > 500);
			if (widths === undefined) return;
			expect(widths.reduce((sum, width) => sum + width, 0)).toBeCloseTo(500, 3);
			for (const [index, width] of widths.entries()) expect(width).toBeGreaterThanOrEqual(given[index]!.least - 1e-6);
		}),
		{ seed: 6 },
	);
});

test("columns that do not fit are parted into groups, each beginning with the first, every other in one of them", () => {
	fc.assert(
		fc.property(wishes, (given) => {
			const groups = groupColumns(given, 500);
			expect(groups.every((group) => group[0] === 0)).toBe(true);
			expect([0, ...groups.flatMap((group) => group.slice(1))]).toEqual([...given.keys()]);
			for (const group of groups) {
				if (group.length > 2)
					expect(group.reduce((sum, column) => sum + given[column]!.least, 0)).toBeLessThanOrEqual(500);
			}
		}),
		{ seed: 6 },
	);
});
