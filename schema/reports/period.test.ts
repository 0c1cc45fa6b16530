import { describe, expect, test } from "vitest";
import { periodBefore, reportPeriod, usualTimeframe } from "./period.ts";

const HOUR = 3_600_000;
const MONDAY = Date.parse("2026-03-02T00:00:00Z");
const iso = ({ start, end, text }: { start: number; end: number; text: string }) => [
	...[start, end].map((ms) => new Date(ms).toISOString().replace(":00.000Z", "Z")),
	text,
];

describe("the usual timeframe of a schedule", () => {
	// Weeks with a change of the clocks among them.
	test.each([
		["0 9 * * 1-5", "24h"],
		["0 9 * * *", "24h"],
		["0 9,17 * * *", "24h"],
		["0 */4 * * *", "24h"],
		["0 9-17 * * 1-5", "1h"],
		["*/5 * * * *", "1h"],
		["0 9 * * 1", "7d"],
		["0 9 * * 1,4", "7d"],
		["0 9 1 * *", "30d"],
		["0 9 L 1,4,7,10 *", "30d"],
	] as const)("%s is %s whenever in the week it is made, in whatever zone", (cron, timeframe) => {
		const zones = ["UTC", "America/New_York", "Australia/Lord_Howe"];
		const found = Array.from({ length: 14 }, (_, i) =>
			usualTimeframe({ cron, timezone: zones[i % 3]! }, MONDAY + 12 * i * HOUR),
		);
		expect(new Set(found)).toEqual(new Set([timeframe]));
	});

	test("is a week without a schedule", () => {
		expect(usualTimeframe(null, MONDAY)).toBe("7d");
	});
});

test.each([
	["1h", "UTC", "2026-03-10T09:59:59.999Z", "2026-03-10T08:00Z", "2026-03-10T09:00Z"],
	["1h", "UTC", "2026-03-10T09:00:00Z", "2026-03-10T08:00Z", "2026-03-10T09:00Z"],
	["1h", "Asia/Kathmandu", "2026-03-10T09:10:00Z", "2026-03-10T07:15Z", "2026-03-10T08:15Z"],
	["24h", "UTC", "2026-03-10T00:00:00Z", "2026-03-09T00:00Z", "2026-03-10T00:00Z"],
	["24h", "Asia/Kathmandu", "2026-03-10T18:14:59Z", "2026-03-08T18:15Z", "2026-03-09T18:15Z"],
	// A day of 23 hours, and one of 25.
	["24h", "America/New_York", "2026-03-09T12:00:00Z", "2026-03-08T05:00Z", "2026-03-09T04:00Z"],
	["24h", "America/New_York", "2026-11-02T12:00:00Z", "2026-11-01T04:00Z", "2026-11-02T05:00Z"],
	["7d", "America/New_York", "2026-03-10T12:00:00Z", "2026-03-03T05:00Z", "2026-03-10T04:00Z"],
	// By half an hour.
	["7d", "Australia/Lord_Howe", "2026-04-06T00:00:00Z", "2026-03-29T13:00Z", "2026-04-05T13:30Z"],
	["30d", "UTC", "2026-03-31T00:00:00Z", "2026-03-01T00:00Z", "2026-03-31T00:00Z"],
] as const)("of %s in %s at %s is from %s to %s", (timeframe, timezone, as_of, start, end) => {
	expect(iso(reportPeriod(timeframe, Date.parse(as_of), timezone)).slice(0, 2)).toEqual([start, end]);
});

test("names its first and last day, and ends where the one after it begins", () => {
	const zone = "America/New_York";
	const period = reportPeriod("7d", Date.parse("2026-03-16T12:00:00Z"), zone);
	expect(iso(period)).toEqual(["2026-03-09T04:00Z", "2026-03-16T04:00Z", "2026-03-09 to 2026-03-15"]);
	expect(iso(periodBefore("7d", period, zone))).toEqual([
		...["2026-03-02T05:00Z", "2026-03-09T04:00Z", "2026-03-02 to 2026-03-08"],
	]);
	const hour = reportPeriod("1h", MONDAY, zone);
	expect(periodBefore("1h", hour, zone).end).toBe(hour.start);
	expect(hour.text).toBe("2026-03-01T23:00:00.000Z to 2026-03-02T00:00:00.000Z");
});
