import { expect, it } from "vitest";
import { matchesPattern, patternTrouble } from "./label-pattern.ts";

it.each([
	["db-.*", "db-1", true],
	["db-.*", "xdb-1", false],
	["db", "db-1", false],
	["a|b", "b", true],
	["a|b", "ab", false],
	["", "", true],
	[".*", "", true],
	[".+", "", false],
	["a.b", "a\nb", true],
	["(?i)PROD", "prod", true],
	["[^a-c]{2}\\d+", "zz12", true],
	["\\p{Greek}+", "αβγ", true],
	["api-(?:eu|us)-\\d", "api-eu-4", true],
	["^api$", "api", true],
])("%j matches the whole of %j: %j", (expression, text, expected) => {
	expect(patternTrouble(expression)).toBeUndefined();
	expect(matchesPattern(expression, text)).toBe(expected);
	// A second time, from what is kept.
	expect(matchesPattern(expression, text)).toBe(expected);
});

it.each(["*x", "(a", "(?=a)b", "(a)\\1", "(x{1000}){1000}", "[z-a]", "((a|b|c|d){1,999})"])(
	"%j cannot be used, and why is said",
	(expression) => {
		expect(patternTrouble(expression)).toMatch(/\w/);
		expect(patternTrouble(expression)).not.toContain("?s");
	},
);

it("no expression that can be used takes more than its share: steps grow with the text, not with its choices", () => {
	for (const expression of ["(a+)+b", "(a|aa)+$b", "(.*a){20}b", "(a?){100}a{100}b"]) {
		expect(patternTrouble(expression)).toBeUndefined();
		// Backtracking would not come to an end in the lifetime of this test.
		expect(matchesPattern(expression, "a".repeat(1_000))).toBe(false);
	}
});
