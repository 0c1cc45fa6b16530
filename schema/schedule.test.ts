import fc from "fast-check";
import { Temporal } from "temporal-polyfill";
import { describe, expect, test } from "vitest";
import {
	checkSchedule,
	cronOf,
	lastOccurrence,
	nextOccurrence,
	occurrencesBetween,
	ScheduleError,
} from "./schedule.ts";

const iso = (ms: number | undefined) =>
	ms === undefined ? undefined : new Date(ms).toISOString().replace(".000Z", "Z");
const ms = Date.parse;

test.each([
	// The document's own example, created on a Saturday; it prints the Tuesday.
	["0 9 * * 1", "UTC", "2025-09-20T10:45:00Z", "2025-09-22T09:00:00Z"],
	["0 9 * * 1", "UTC", "2025-09-22T08:59:59.999Z", "2025-09-22T09:00:00Z"],
	["0 9 * * 1", "UTC", "2025-09-22T09:00:00Z", "2025-09-29T09:00:00Z"],
	["0 9 * * MON", "Asia/Kathmandu", "2025-09-20T10:45:00Z", "2025-09-22T03:15:00Z"],
	["@monthly", "Asia/Kathmandu", "2026-01-31T18:14:59Z", "2026-01-31T18:15:00Z"],
	["0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"],
	["0 9 L * *", "UTC", "2026-02-01T00:00:00Z", "2026-02-28T09:00:00Z"],
	// Clocks go forward over 2:30: the first minute after the change.
	["30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z"],
	["30 2 * * *", "America/New_York", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
	// Over a whole hour of them: once.
	["*/10 2 * * *", "America/New_York", "2026-03-08T06:59:00Z", "2026-03-08T07:00:00Z"],
	["*/10 2 * * *", "America/New_York", "2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"],
	["0 8 * * 0", "America/New_York", "2026-03-08T04:45:00Z", "2026-03-08T12:00:00Z"],
	// Clocks go back over 1:30: the first of the two.
	["30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z"],
	["30 1 * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
	["*/20 * * * *", "America/New_York", "2026-11-01T05:40:00Z", "2026-11-01T07:00:00Z"],
	["30 1 * * *", "America/New_York", "2026-11-01T06:10:00Z", "2026-11-02T06:30:00Z"],
	// By half an hour.
	["15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z"],
	["45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-04T14:45:00Z"],
	["45 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
	// Midnight is left out, and a whole day.
	["0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-23T22:00:00Z"],
	["0 12 * * *", "Pacific/Apia", "2011-12-29T23:00:00Z", "2011-12-30T10:00:00Z"],
])("%s in %s after %s is %s", (cron, timezone, after, expected) => {
	expect(iso(nextOccurrence({ cron, timezone }, ms(after)))).toBe(expected);
});

test.each([
	[{ frequency: "weekly", day: "monday", time: "09:00" }, "0 9 * * 1"],
	[{ frequency: "weekly", day: "Sunday", time: "23:59" }, "59 23 * * 0"],
	[{ frequency: "daily", time: "00:05" }, "5 0 * * *"],
	[{ frequency: "hourly", time: "00:30" }, "30 * * * *"],
	[{ frequency: "monthly", time: "06:00" }, "0 6 1 * *"],
	[{ frequency: "monthly", day: "last", time: "06:00" }, "0 6 L * *"],
	[{ frequency: "quarterly", day: 15, time: "06:00" }, "0 6 15 1,4,7,10 *"],
] as const)("%j is %s", (plan, cron) => {
	expect(cronOf(plan)).toBe(cron);
});

test.each([
	"* * * * * *",
	"*/30 * * * * *",
	"0 0 30 2 *",
	"0 0 31 4 *",
	"61 * * * *",
	"0 9 * *",
	"",
	"? * * * *",
	"every monday",
	"2026-01-01T00:00:00",
])("%j is no schedule", (cron) => {
	expect(() => checkSchedule({ cron, timezone: "UTC" }, ms("2026-01-01T00:00:00Z"))).toThrow(ScheduleError);
});

test.each([
	[{ frequency: "weekly", day: "someday", time: "09:00" }],
	[{ frequency: "daily", day: "monday", time: "09:00" }],
	[{ frequency: "monthly", day: 31, time: "09:00" }],
] as const)("%j has a day that it cannot have", (plan) => {
	expect(() => cronOf(plan)).toThrow(ScheduleError);
});

const ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"];

describe.each(ZONES)("in %s, over every change of the clocks", (timezone) => {
	test("each day's time comes once, in order, at the wall clock's own time or at the change that leaves it out", () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 0, max: 23 }),
				fc.integer({ min: 0, max: 59 }),
				fc.integer({ min: ms("2024-01-01"), max: ms("2027-01-01") }),
				(hour, minute, start) => {
					const schedule = { cron: `${minute} ${hour} * * *`, timezone };
					let clock = start;
					const days: string[] = [];
					// A virtual clock that goes through 210 days, so through one change at least.
					for (let i = 0; i < 210; i++) {
						const next = nextOccurrence(schedule, clock)!;
						expect(next).toBeGreaterThan(clock);
						const at = Temporal.Instant.fromEpochMilliseconds(next).toZonedDateTimeISO(timezone);
						const isOnTime = at.hour === hour && at.minute === minute;
						const isChange = at.subtract({ minutes: 1 }).offset !== at.offset;
						expect(isOnTime || isChange).toBe(true);
						days.push(at.toPlainDate().toString());
						clock = next;
					}
					expect(new Set(days).size).toBe(210);
					const [first, last] = [days[0]!, days.at(-1)!].map((day) => Temporal.PlainDate.from(day)) as [
						Temporal.PlainDate,
						Temporal.PlainDate,
					];
					expect(first.until(last).days).toBe(209);
				},
			),
			{ numRuns: 4, seed: 6 },
		);
	});

	test("a clock that stops anywhere finds the same occurrences: none is lost, none comes twice", () => {
		fc.assert(
			fc.property(
				fc.constantFrom("*/15 * * * *", "0 */2 * * *", "30 1,2 * * *", "5 2 * * 0"),
				fc.integer({ min: ms("2026-01-01"), max: ms("2026-12-01") }),
				fc.array(fc.integer({ min: 1, max: 40 * 3_600_000 }), { minLength: 2, maxLength: 6 }),
				(cron, start, pauses) => {
					const schedule = { cron, timezone };
					const end = start + pauses.reduce((a, b) => a + b, 0);
					const all: number[] = [];
					for (let at = nextOccurrence(schedule, start)!; at <= end; at = nextOccurrence(schedule, at)!) all.push(at);
					let clock = start;
					for (const pause of pauses) {
						const until = clock + pause;
						const due = all.filter((at) => at > clock && at <= until);
						expect(lastOccurrence(schedule, clock, until)).toBe(due.at(-1));
						if (due.length > 0) expect(occurrencesBetween(schedule, clock, due.at(-1)!, 10_000)).toBe(due.length - 1);
						clock = until;
					}
				},
			),
			{ numRuns: 15, seed: 7 },
		);
	});
});
