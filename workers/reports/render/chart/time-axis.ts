/** Where the ticks of a time axis stand: at round times of the report's zone, also across clock changes. */
import { Temporal } from "temporal-polyfill";

export interface Tick {
	/** Milliseconds since the epoch. */
	readonly at: number;
	readonly text: string;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type Unit = "second" | "minute" | "hour" | "day" | "month" | "year";
const STEPS: readonly (readonly [unit: Unit, every: number, length: number])[] = [
	...[1, 2, 5, 10, 15, 30].map((every) => ["second", every, every * 1000] as const),
	...[1, 2, 5, 10, 15, 30].map((every) => ["minute", every, every * MINUTE] as const),
	...[1, 2, 3, 6, 12].map((every) => ["hour", every, every * HOUR] as const),
	...[1, 2, 7, 14].map((every) => ["day", every, every * DAY] as const),
	...[1, 2, 3, 6].map((every) => ["month", every, every * 30.4 * DAY] as const),
	...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].map((every) => ["year", every, every * 365.2 * DAY] as const),
];

/**
 * At most about `most` round local times from `start` to `end`, both milliseconds since the epoch and both included.
 * Ticks of less than a day count from local midnight, so that a day of 23 or 25 hours has its ticks at the same hours.
 */
export function timeTicks(start: number, end: number, timezone: string, most: number): Tick[] {
	const [unit, every] = STEPS.find(([, , length]) => (end - start) / length <= most) ?? STEPS.at(-1)!;
	const first = Temporal.Instant.fromEpochMilliseconds(start).toZonedDateTimeISO(timezone).toPlainDateTime();
	const ticks: Tick[] = [];
	for (let local = floor(first, unit, every); ; local = local.add({ [`${unit}s`]: every })) {
		const at = local.toZonedDateTime(timezone).epochMilliseconds;
		if (at > end) return ticks;
		// In the hour that a spring clock skips two local times are one instant.
		if (at >= start && at !== ticks.at(-1)?.at) ticks.push({ at, text: label(local, unit, ticks.length === 0) });
	}
}

function floor(local: Temporal.PlainDateTime, unit: Unit, every: number): Temporal.PlainDateTime {
	const day = local.with({ hour: 0, minute: 0, second: 0, millisecond: 0, microsecond: 0, nanosecond: 0 });
	if (unit === "year") return day.with({ year: Math.max(1, Math.floor(local.year / every) * every), month: 1, day: 1 });
	if (unit === "month") return day.with({ month: Math.floor((local.month - 1) / every) * every + 1, day: 1 });
	if (unit === "day") return every % 7 === 0 ? day.subtract({ days: day.dayOfWeek - 1 }) : day;
	const seconds = (local.hour * 60 + local.minute) * 60 + local.second;
	const step = every * { second: 1, minute: 60, hour: 3600 }[unit];
	return day.add({ seconds: Math.floor(seconds / step) * step });
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The first tick, and each at which the larger unit turns, says the larger unit. */
function label(local: Temporal.PlainDateTime, unit: Unit, first: boolean): string {
	const month = MONTHS[local.month - 1]!;
	const year = String(local.year);
	if (unit === "year") return year;
	if (unit === "month") return first || local.month === 1 ? `${month} ${year}` : month;
	const day = `${local.day} ${month}`;
	if (unit === "day") return day;
	const midnight = local.hour === 0 && local.minute === 0 && local.second === 0;
	if (midnight) return day;
	const time = local.toPlainTime().toString({ smallestUnit: unit === "second" ? "second" : "minute" });
	return time;
}
