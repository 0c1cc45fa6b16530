/** What the clock on the wall shows: which hour of its day or week a bucket lies in, and in which day or week. */
import { Temporal } from "temporal-polyfill";

export const HOUR = 3_600;
export const DAY = 24 * HOUR;
export const WEEK = 7 * DAY;

/** A season and its hours; a bucket is compared with others of the same hour. */
export interface Season {
	readonly seconds: number;
	readonly slots: number;
}

export const DAILY: Season = { seconds: DAY, slots: 24 };
export const WEEKLY: Season = { seconds: WEEK, slots: 168 };

/** Seconds that the zone is ahead of UTC, by epoch seconds. */
export type Offset = (t: number) => number;

/** The zone's offset over `[start, end)`: looked up once, and once more for each change of the clock inside. */
export function offsetOver(start: number, end: number, timezone: string): Offset {
	const changes: { readonly at: number; readonly offset: number }[] = [];
	let at = start;
	for (;;) {
		const zoned = Temporal.Instant.fromEpochMilliseconds(at * 1_000).toZonedDateTimeISO(timezone);
		changes.push({ at, offset: zoned.offsetNanoseconds / 1e9 });
		const next = zoned.getTimeZoneTransition("next");
		if (next === null || next.epochMilliseconds >= end * 1_000) break;
		at = next.epochMilliseconds / 1_000;
	}
	const first = changes[0]!;
	if (changes.length === 1) return () => first.offset;
	return (t) => (changes.findLast((change) => change.at <= t) ?? first).offset;
}

/** The hour of the season, counted from midnight (of Thursday, as the epoch begins). */
export function slotOf(season: Season, t: number, offset: Offset): number {
	return Math.floor((t + offset(t)) / HOUR) % season.slots;
}

/** The number of the day, or week, since the epoch. */
export function seasonOf(season: Season, t: number, offset: Offset): number {
	return Math.floor((t + offset(t)) / season.seconds);
}
