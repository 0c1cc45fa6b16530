import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { groupingAccuracy } from "./accuracy.ts";
import { parseCsv } from "./csv.ts";

describe("CSV", () => {
	test("reads back what was written with quotes wherever they are needed", () => {
		const cell = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r\n", " ", "ö") });
		const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 });
		const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
		fc.assert(
			fc.property(table, fc.constantFrom("\n", "\r\n"), fc.boolean(), (rows, lineEnd, ends) => {
				const text = rows.map((row) => row.map(quoted).join(",")).join(lineEnd) + (ends ? lineEnd : "");
				expect(parseCsv(text)).toEqual(rows);
			}),
			{ seed: 3 },
		);
	});

	test("says where a quote is not closed", () => {
		expect(() => parseCsv('a,b\n1,"2')).toThrow(/character 7/);
	});
});

describe("grouping accuracy", () => {
	test.each([
		["abab", "1212", 1],
		["abab", "1111", 0],
		["aabb", "1233", 0.5],
		["aabbc", "11112", 0.2],
		["", "", 1],
	])("of %s found as %s is %d", (truth, found, accuracy) => {
		expect(groupingAccuracy([...truth], [...found])).toBe(accuracy);
	});
});
