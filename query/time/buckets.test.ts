import fc from "fast-check";
import { expect, test } from "vitest";
import { GRANULARITIES, tierOf } from "../../schema/granularity.ts";
import { isTimezone } from "../../schema/timezone.ts";
import { alignDown, bucketsOver } from "./buckets.ts";

const ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"];
const ms = (text: string) => Date.parse(text);
const iso = (seconds: number) => new Date(seconds * 1_000).toISOString();

/** Wall clock in a zone by Intl, independent of the code under test. */
function wall(at_ms: number, timeZone: string): { day: string; secondOfDay: number } {
	const parts = Object.fromEntries(
		new Intl.DateTimeFormat("en-CA", {
			timeZone,
			hourCycle: "h23",
			year: "numeric",
			month: "2-digit",
			day: "2-digit",
			hour: "2-digit",
			minute: "2-digit",
			second: "2-digit",
		})
			.formatToParts(at_ms)
			.map((part) => [part.type, part.value]),
	);
	return {
		day: `${parts.year}-${parts.month}-${parts.day}`,
		secondOfDay: Number(parts.hour) * 3_600 + Number(parts.minute) * 60 + Number(parts.second),
	};
}

const window = fc.record({
	start: fc.integer({ min: ms("2025-01-01"), max: ms("2027-12-31") }),
	length: fc.integer({ min: 1, max: 20 * 86_400_000 }),
	granularity: fc.constantFrom(...GRANULARITIES),
	zone: fc.constantFrom(...ZONES),
});

test("buckets cover the window without gap or overlap, and begin where the wall clock does", () => {
	fc.assert(
		fc.property(window, ({ start, length, granularity, zone }) => {
			const end = start + Math.min(length, tierOf(granularity).step_seconds * 400_000);
			const buckets = bucketsOver(start, end, granularity, zone);
			expect(buckets.starts[0]! * 1_000).toBeLessThanOrEqual(start);
			expect((buckets.starts[1] ?? buckets.end) * 1_000).toBeGreaterThan(start);
			expect(buckets.starts.at(-1)! * 1_000).toBeLessThan(end);
			expect(buckets.end * 1_000).toBeGreaterThanOrEqual(end);
			expect(buckets.starts[0]! * 1_000).toBe(alignDown(start, granularity, zone));
			const step = tierOf(granularity).step_seconds;
			for (const [i, at] of buckets.starts.entries()) {
				const next = buckets.starts[i + 1] ?? buckets.end;
				const here = wall(at * 1_000, zone);
				const last = wall(next * 1_000 - 1, zone);
				if (granularity === "1d") {
					expect(here.secondOfDay).toBe(0);
					expect(last.day).toBe(here.day);
					expect(wall(next * 1_000, zone).day).not.toBe(here.day);
				} else {
					expect(next - at).toBeGreaterThan(0);
					expect(next - at).toBeLessThanOrEqual(step);
					expect(Math.floor(last.secondOfDay / step)).toBe(Math.floor(here.secondOfDay / step));
				}
			}
		}),
		{ numRuns: 60 },
	);
});

test("runs compute the same bucket as the list does", () => {
	fc.assert(
		fc.property(window, fc.nat(), ({ start, length, granularity, zone }, pick) => {
			const buckets = bucketsOver(start, start + length, granularity, zone);
			const at = Math.floor(start / 1_000) + (pick % Math.ceil(length / 1_000));
			const run = buckets.runs.find((r) => at < r.end)!;
			const byRun = run.start + Math.floor((at - run.start) / run.step) * run.step;
			expect(byRun).toBe(buckets.starts.findLast((s) => s <= at));
		}),
		{ numRuns: 60 },
	);
});

test("a day of clock change has 23 or 25 hours, all other days one run", () => {
	const spring = bucketsOver(ms("2026-03-07T05:00Z"), ms("2026-03-10T04:00Z"), "1d", "America/New_York");
	expect(spring.starts.map(iso)).toEqual([
		"2026-03-07T05:00:00.000Z",
		"2026-03-08T05:00:00.000Z",
		"2026-03-09T04:00:00.000Z",
	]);
	const autumn = bucketsOver(ms("2026-11-01T04:00Z"), ms("2026-11-02T05:00Z"), "1h", "America/New_York");
	expect(autumn.starts).toHaveLength(25);
	expect(autumn.runs).toHaveLength(1);
	expect(bucketsOver(ms("2026-05-01T00:00Z"), ms("2026-05-20T00:00Z"), "1d", "Asia/Kathmandu").runs).toHaveLength(1);
});

test("where the clock moves by half an hour, the hour of the change is split there", () => {
	// Lord Howe goes from +11 to +10:30 on 2026-04-05 at 02:00, to 01:30.
	const hours = bucketsOver(ms("2026-04-04T13:00Z"), ms("2026-04-04T17:30Z"), "1h", "Australia/Lord_Howe");
	expect(hours.starts.map(iso)).toEqual([
		"2026-04-04T13:00:00.000Z",
		"2026-04-04T14:00:00.000Z",
		"2026-04-04T15:00:00.000Z",
		"2026-04-04T15:30:00.000Z",
		"2026-04-04T16:30:00.000Z",
	]);
});

test("zones are those of the IANA database", () => {
	expect(["UTC", "Europe/Berlin", "Asia/Kathmandu"].every(isTimezone)).toBe(true);
	expect(["", "Mars/Base", "+05:30", "utc; DROP"].some(isTimezone)).toBe(false);
});
