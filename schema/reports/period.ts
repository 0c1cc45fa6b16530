/** Which time a report is about. Pure; milliseconds since the epoch. */
import { Temporal } from "temporal-polyfill";
import { nextOccurrence, type Schedule } from "../schedule.ts";
import type { ReportTimeframe } from "../wire/index.ts";

const DAYS = { "24h": 1, "7d": 7, "30d": 30 } as const;
const DAY_MS = 86_400_000;
/** Times between runs that are looked at: those of a week of days, and one over the end of it. */
const GAPS = 8;

export interface ReportPeriod {
	readonly start: number;
	/** Not included. */
	readonly end: number;
	/** First and last day, both included; of an hour its two instants. */
	readonly text: string;
}

/** The complete days before the day of an instant, in a zone; of `1h` the complete hour before. */
export function reportPeriod(timeframe: ReportTimeframe, as_of: number, timezone: string): ReportPeriod {
	const at = Temporal.Instant.fromEpochMilliseconds(as_of).toZonedDateTimeISO(timezone);
	if (timeframe === "1h") {
		const end = at.round({ smallestUnit: "hour", roundingMode: "floor" }).epochMilliseconds;
		const start = end - 3_600_000;
		return { start, end, text: `${new Date(start).toISOString()} to ${new Date(end).toISOString()}` };
	}
	const today = at.toPlainDate();
	const first = today.subtract({ days: DAYS[timeframe] });
	const midnight = (day: Temporal.PlainDate) => day.toZonedDateTime(timezone).epochMilliseconds;
	return { start: midnight(first), end: midnight(today), text: `${first} to ${today.subtract({ days: 1 })}` };
}

/** As much time before: the days of the calendar, or the hour. */
export function periodBefore(timeframe: ReportTimeframe, { start }: ReportPeriod, timezone: string): ReportPeriod {
	return reportPeriod(timeframe, start, timezone);
}

/** How the period before is called. */
export const BEFORE_NAMES = {
	"1h": "hour before",
	"24h": "day before",
	"7d": "week before",
	"30d": "30 days before",
} as const satisfies Record<ReportTimeframe, string>;

/** What a report is about that does not say so: the shortest time from one run to the next, whenever it is asked. */
export function usualTimeframe(schedule: Schedule | null, now: number): ReportTimeframe {
	// On a clock that is never changed, or the shortest would be that over a change.
	const steady = schedule && { ...schedule, timezone: "UTC" };
	const gaps: number[] = [];
	for (let at = steady ? nextOccurrence(steady, now) : undefined; at !== undefined && gaps.length < GAPS; ) {
		const next: number | undefined = nextOccurrence(steady!, at);
		if (next !== undefined) gaps.push(next - at);
		at = next;
	}
	if (gaps.length === 0) return "7d";
	const apart = Math.min(...gaps);
	if (apart <= DAY_MS / 8) return "1h";
	return apart <= 1.5 * DAY_MS ? "24h" : apart <= 10 * DAY_MS ? "7d" : "30d";
}
