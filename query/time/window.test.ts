import { expect, test } from "vitest";
import { ApiError } from "../../http/errors.ts";
import { parseInstant } from "./instant.ts";
import { resolveGrid, resolveWindow, type WindowQuery } from "./window.ts";

const now = Date.parse("2026-11-18T15:07:23.456Z");
const rules = { timeframes: ["1h", "24h", "7d", "30d"], defaultTimeframe: "24h", now } as const;
const iso = (ms: number) => new Date(ms).toISOString();
const refusal = (act: () => unknown) => {
	try {
		act();
	} catch (error) {
		if (error instanceof ApiError) return { status: error.status, ...(error.extra.details as object) };
		throw error;
	}
	throw new Error("was not refused");
};

test.each([
	["2026-11-18T15:00:00Z", "UTC", "2026-11-18T15:00:00.000Z"],
	["2026-11-18T15:00:00.1234+05:45", "UTC", "2026-11-18T09:15:00.123Z"],
	["2026-11-18T15:00:00 05:45", "UTC", "2026-11-18T09:15:00.000Z"],
	["2026-11-18t15:00z", "UTC", "2026-11-18T15:00:00.000Z"],
	["2026-11-18", "America/New_York", "2026-11-18T05:00:00.000Z"],
	["2026-11-18T12:30:00", "Asia/Kathmandu", "2026-11-18T06:45:00.000Z"],
	["1795014000", "UTC", "2026-11-18T15:00:00.000Z"],
	["1795014000.5", "UTC", "2026-11-18T15:00:00.500Z"],
	["1795014000123", "UTC", "2026-11-18T15:00:00.123Z"],
	["1795014000123456", "UTC", "2026-11-18T15:00:00.123Z"],
	["1795014000123456789", "UTC", "2026-11-18T15:00:00.123Z"],
])("%s in %s is %s", (text, timezone, expected) => {
	expect(iso(parseInstant(text, timezone)!)).toBe(expected);
});

test.each([
	"",
	"now",
	"2026-02-30T00:00:00Z",
	"2026-13-01",
	"-5",
	"1e9",
	"9999-01-01T00:00:00Z",
	"0001-01-01",
	"2026-11-18T25:00:00Z",
])("%j is no time", (text) => {
	expect(parseInstant(text, "UTC")).toBeUndefined();
});

test("a rolling window starts at the bucket boundary at or before as_of − timeframe and ends at as_of", () => {
	const grid = resolveGrid({ timeframe: "24h", granularity: "1h" }, rules);
	expect([iso(grid.start), iso(grid.end), grid.buckets.starts.length]).toEqual([
		"2026-11-17T15:00:00.000Z",
		"2026-11-18T15:07:23.456Z",
		25,
	]);
	const days = resolveGrid({ timeframe: "7d", granularity: "1d", timezone: "Asia/Kathmandu" }, rules);
	expect([iso(days.start), days.buckets.starts.length]).toEqual(["2026-11-10T18:15:00.000Z", 8]);
	const exact = resolveGrid({ timeframe: "24h", granularity: "1h", as_of: "2026-11-18T15:00:00Z" }, rules);
	expect([iso(exact.start), exact.buckets.starts.length]).toEqual(["2026-11-17T15:00:00.000Z", 24]);
});

test("without granularity a window starts at exactly as_of − timeframe", () => {
	const window = resolveWindow({ timeframe: "1h" }, rules);
	expect([iso(window.start), iso(window.end)]).toEqual(["2026-11-18T14:07:23.456Z", "2026-11-18T15:07:23.456Z"]);
});

test("start and end are taken as they are, but never beyond as_of", () => {
	const grid = resolveGrid({ start: "2026-11-18T10:20:00Z", end: "2026-11-19", granularity: "1h" }, rules);
	expect([iso(grid.start), iso(grid.end), grid.timeframe]).toEqual(["2026-11-18T10:20:00.000Z", iso(now), "custom"]);
	expect(iso(grid.buckets.starts[0]! * 1_000)).toBe("2026-11-18T10:00:00.000Z");
});

test.each([
	["1h", "1m"],
	["24h", "1m"],
	["7d", "15m"],
	["30d", "1h"],
] as const)("auto over %s is %s", (timeframe, granularity) => {
	const grid = resolveGrid({ timeframe, granularity: "auto" }, rules);
	expect(grid.buckets.granularity).toBe(granularity);
	expect(grid.buckets.starts.length).toBeLessThanOrEqual(1_501);
});

test("7 days of minutes are answered, 30 are refused with what is possible", () => {
	expect(resolveGrid({ timeframe: "7d", granularity: "1m" }, rules).buckets.starts.length).toBe(10_081);
	expect(refusal(() => resolveGrid({ timeframe: "30d", granularity: "1m" }, rules))).toMatchObject({
		status: 400,
		parameter: "granularity",
		provided: "1m",
		valid_options: ["5m", "15m", "1h", "1d"],
		allowed_pairs: { "1h": ["1m", "5m", "15m", "1h", "1d"], "30d": ["5m", "15m", "1h", "1d"] },
	});
});

test.each<[WindowQuery & { granularity?: string }, string]>([
	[{ timeframe: "2h" }, "timeframe"],
	[{ timeframe: "6h" }, "timeframe"],
	[{ granularity: "2m" }, "granularity"],
	[{ timezone: "Mars/Base" }, "timezone"],
	[{ timezone: "+05:30" }, "timezone"],
	[{ as_of: "yesterday" }, "as_of"],
	[{ start: "2026-11-18T16:00:00Z" }, "start"],
	[{ start: "2026-11-18T10:00:00Z", end: "2026-11-18T10:00:00Z" }, "start"],
	[{ start: "2026-11-18T10:00:00Z", timeframe: "1h" }, "timeframe"],
	[{ end: "never" }, "end"],
])("%j is refused by its parameter", (query, parameter) => {
	expect(refusal(() => resolveGrid(query, rules))).toMatchObject({ status: 400, parameter });
});
