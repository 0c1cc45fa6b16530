/** When and where people are active, from counts. */
import { Temporal } from "temporal-polyfill";
import { REGIONS, type Region } from "../measures/geography.ts";
import { largestRemainder } from "../rounding.ts";
import type { Window } from "../time/window.ts";
import { calendarDays } from "./usage.ts";

const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] as const;
const MAX_HOURS = 6;
const MAX_DAYS = 3;

/** Hours of the day with more than the mean of all 24 plus their (population) standard deviation, in the order of the day. */
export function peakHours(byHour: ReadonlyMap<number, number>): number[] {
	const counts = Array.from({ length: 24 }, (_, hour) => byHour.get(hour) ?? 0);
	const mean = counts.reduce((sum, n) => sum + n, 0) / 24;
	const deviation = Math.sqrt(counts.reduce((sum, n) => sum + (n - mean) ** 2, 0) / 24);
	return [...counts.entries()]
		.filter(([, n]) => n > mean + deviation)
		.sort(([a, n], [b, m]) => m - n || a - b)
		.slice(0, MAX_HOURS)
		.map(([hour]) => hour)
		.sort((a, b) => a - b);
}

/** Weekdays whose mean over their dates of the window is above the mean of these means, in the order of the week. */
export function peakDays(
	byWeekday: ReadonlyMap<number, number>,
	{ start, end, timezone }: Pick<Window, "start" | "end" | "timezone">,
): string[] {
	const dates = datesByWeekday(start, end, timezone);
	const means = [...dates].map(([weekday, n]) => [weekday, (byWeekday.get(weekday) ?? 0) / n] as const);
	const mean = means.reduce((sum, [, value]) => sum + value, 0) / means.length;
	return means
		.filter(([, value]) => value > mean)
		.sort(([a, x], [b, y]) => y - x || a - b)
		.slice(0, MAX_DAYS)
		.map(([weekday]) => weekday)
		.sort((a, b) => a - b)
		.map((weekday) => WEEKDAYS[weekday - 1]!);
}

/** How many dates of a window fall on each weekday (1 is Monday). */
function datesByWeekday(start: number, end: number, timezone: string): Map<number, number> {
	const first = Temporal.Instant.fromEpochMilliseconds(start).toZonedDateTimeISO(timezone);
	const days = calendarDays({ start, end }, timezone);
	const found = new Map<number, number>();
	for (let i = 0; i < days; i++) {
		const weekday = ((first.dayOfWeek - 1 + i) % 7) + 1;
		found.set(weekday, (found.get(weekday) ?? 0) + 1);
	}
	return found;
}

/** Percent of the active users by region, unknown for those of no known country; null when no country is known. */
export function shares(regions: ReadonlyMap<Region, number>, active: number): Record<string, number> | null {
	const located = REGIONS.map((region) => regions.get(region) ?? 0);
	const sum = located.reduce((all, n) => all + n, 0);
	if (sum === 0) return null;
	const percents = largestRemainder([...located, Math.max(0, active - sum)], 100, 1);
	return Object.fromEntries([...REGIONS, "unknown"].map((region, i) => [region, percents[i]!]));
}
