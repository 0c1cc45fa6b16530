import { expect, test } from "vitest";
import { STANDARDS } from "../../schema/wire/index.ts";
import { CHECKS, CONTROLS, verdict } from "./controls.ts";
import { testedAll } from "./finding.ts";
import { resolvePeriod } from "./period.ts";

test("every standard has controls, each with an id of its own, and every check is of one", () => {
	for (const standard of STANDARDS) {
		const controls = CONTROLS.filter((control) => control.standard === standard);
		expect(controls.some(({ check }) => check === null)).toBe(true);
		expect(controls.some(({ check }) => check !== null)).toBe(true);
	}
	expect(new Set(CONTROLS.map(({ control_id }) => control_id)).size).toBe(CONTROLS.length);
	expect(new Set(CONTROLS.flatMap(({ check }) => check ?? []))).toEqual(new Set(CHECKS));
});

test("a standard is satisfied only when all of its controls passed", () => {
	expect(verdict(["pass", "pass"])).toBe(true);
	expect(verdict(["pass", "not_tested"])).toBeNull();
	expect(verdict(["pass", "manual"])).toBeNull();
	expect(verdict(["fail", "not_tested", "manual"])).toBe(false);
	expect(verdict([])).toBeNull();
});

test("nothing passes that was not looked at", () => {
	const of = { what: "keys", exceptions: [], evidence: [] };
	expect(testedAll({ ...of, population: 3, tested: 0 }).status).toBe("not_tested");
	expect(testedAll({ ...of, population: 3, tested: 1 }).status).toBe("pass");
	expect(testedAll({ ...of, population: 3, tested: 1, exceptions: ["one"] })).toMatchObject({
		...{ status: "fail", exceptions: 1, exception_sample: ["one"] },
	});
	const content = Array.from({ length: 1_500 }, (_, i) => i);
	const [evidence] = testedAll({
		...{ ...of, population: 1, tested: 1 },
		evidence: [{ kind: "k", title: "t", content }],
	}).evidence;
	expect(evidence).toMatchObject({ title: "t (the first 1000 of 1500)", content: content.slice(0, 1_000) });
});

test.each([
	["quarter", "UTC", "2026-11-22T07:00:00Z", "2026-10-01T00:00:00Z", "2026-11-22T07:00:00Z"],
	["month", "Asia/Kathmandu", "2026-11-30T18:30:00Z", "2026-11-30T18:15:00Z", "2026-11-30T18:30:00Z"],
	["year", "America/New_York", "2026-01-01T04:00:00Z", "2025-01-01T05:00:00Z", "2026-01-01T04:00:00Z"],
	["previous_quarter", "America/New_York", "2026-05-01T00:00:00Z", "2026-01-01T05:00:00Z", "2026-04-01T04:00:00Z"],
	["previous_month", "Australia/Lord_Howe", "2026-04-20T00:00:00Z", "2026-02-28T13:00:00Z", "2026-03-31T13:00:00Z"],
	["previous_year", "UTC", "2026-11-22T07:00:00Z", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"],
	["90d", "UTC", "2026-11-22T07:00:00Z", "2026-08-24T07:00:00Z", "2026-11-22T07:00:00Z"],
	// The whole of what has just ended, not the empty one that begins.
	["quarter", "UTC", "2026-10-01T00:00:00Z", "2026-07-01T00:00:00Z", "2026-10-01T00:00:00Z"],
])("the %s in %s at %s", (timeframe, timezone, as_of, start, end) => {
	const found = resolvePeriod({ timeframe, timezone, as_of }, Date.parse(as_of));
	expect([found.start, found.end].map((ms) => new Date(ms).toISOString())).toEqual(
		[start, end].map((text) => text.replace("Z", ".000Z")),
	);
});
