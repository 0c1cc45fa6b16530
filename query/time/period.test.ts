import { describe, expect, test } from "vitest";
import { periodAt, precedingSpan, resolvePeriod } from "./period.ts";

const iso = (ms: number) => new Date(ms).toISOString().replace(".000Z", "Z");
const at = (text: string, timezone = "UTC") => ({ end: Date.parse(text), as_of: Date.parse(text), timezone });

describe("a calendar period to date", () => {
	test.each([
		["today", "UTC", "2026-11-18T00:00:00Z", "2026-11-17T00:00:00Z", "2026-11-17T15:00:00Z"],
		["week", "UTC", "2026-11-16T00:00:00Z", "2026-11-09T00:00:00Z", "2026-11-11T15:00:00Z"],
		["month", "UTC", "2026-11-01T00:00:00Z", "2026-10-01T00:00:00Z", "2026-10-18T15:00:00Z"],
		["year", "UTC", "2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2025-11-18T15:00:00Z"],
		["day", "Asia/Kathmandu", "2026-11-17T18:15:00Z", "2026-11-16T18:15:00Z", "2026-11-17T15:00:00Z"],
	] as const)("%s in %s", (timeframe, timezone, start, previous, cut) => {
		const period = periodAt(timeframe, at("2026-11-18T15:00:00Z", timezone));
		expect([period.start, period.previous.start, period.previous.end].map(iso)).toEqual([start, previous, cut]);
	});

	test("a day in which the clock changes is as long as it is", () => {
		const { whole, previousWhole } = periodAt("day", at("2026-11-02T12:00:00Z", "America/New_York"));
		expect(whole.end - whole.start).toBe(24 * 3_600_000);
		expect(previousWhole.end - previousWhole.start).toBe(25 * 3_600_000);
	});

	test("the month before is cut at its own end", () => {
		const { previous, previousWhole } = periodAt("month", at("2026-03-31T12:00:00Z"));
		expect(previous).toEqual(previousWhole);
	});

	test("midnight belongs to the day that ends there", () => {
		expect(iso(periodAt("today", at("2026-11-18T00:00:00Z")).start)).toBe("2026-11-17T00:00:00Z");
	});
});

test("start and end make a window that is compared with the one of its length before", () => {
	const rules = { timeframes: ["today"], defaultTimeframe: "today", now: Date.parse("2026-11-18T15:00:00Z") } as const;
	const period = resolvePeriod({ start: "2026-11-10", end: "2026-11-12" }, rules);
	expect(period.previous).toEqual(precedingSpan(period));
	expect(iso(period.previous.start)).toBe("2026-11-08T00:00:00Z");
});

test("a timeframe of another route is refused with those of this one", () => {
	const rules = { timeframes: ["today", "week"], defaultTimeframe: "today", now: 0 } as const;
	expect(() => resolvePeriod({ timeframe: "24h" }, rules)).toThrow(
		expect.objectContaining({
			status: 400,
			extra: expect.objectContaining({
				details: expect.objectContaining({ provided: "24h", valid_options: ["today", "week"] }),
			}),
		}),
	);
});
