import { epochMs, type TimeBounds } from "../parse/time.ts";
import type { Cursor } from "./cursor.ts";

const QUOTE = 0x22;
const COLON = 0x3a;

/** Reads the next value as a time within the bounds, into `cursor.number`, milliseconds since the epoch. */
export function scanTimestamp(cursor: Cursor, bounds: TimeBounds): boolean {
	if (cursor.peek() === QUOTE) {
		if (!cursor.string() || !rfc3339(cursor)) return false;
	} else {
		if (!cursor.decimal()) return false;
		cursor.number = epochMs(cursor.number);
	}
	return cursor.number >= bounds.oldest && cursor.number <= bounds.newest;
}

/** `2026-01-31T12:00:00Z`, with or without three digits of fraction; other forms are for the plain path. */
function rfc3339(cursor: Cursor): boolean {
	const { bytes, from, to } = cursor;
	const length = to - from;
	if ((length !== 20 && length !== 24) || bytes[to - 1] !== 0x5a || bytes[from + 10] !== 0x54) return false;
	if (bytes[from + 4] !== 0x2d || bytes[from + 7] !== 0x2d) return false;
	if (bytes[from + 13] !== COLON || bytes[from + 16] !== COLON) return false;
	if (length === 24 && bytes[from + 19] !== 0x2e) return false;
	const month = cursor.digits(from + 5, 2);
	const day = cursor.digits(from + 8, 2);
	const hour = cursor.digits(from + 11, 2);
	const minute = cursor.digits(from + 14, 2);
	const second = cursor.digits(from + 17, 2);
	const milli = length === 24 ? cursor.digits(from + 20, 3) : 0;
	if (!(month >= 1 && month <= 12 && day >= 1 && day <= 28 && hour < 24 && minute < 60 && second < 60)) return false;
	const days = daysSinceEpoch(cursor.digits(from, 4), month, day);
	cursor.number = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + milli;
	return !Number.isNaN(cursor.number);
}

/**
 * Of a date that exists; counted from 1 March, so that a leap day is the last of its year. `Date.UTC` is a call out of the
 * compiled code, which is felt here. https://howardhinnant.github.io/date_algorithms.html#days_from_civil
 */
function daysSinceEpoch(year: number, month: number, day: number): number {
	const years = month <= 2 ? year - 1 : year;
	const months = (month + 9) % 12;
	const leapDays = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
	return years * 365 + leapDays + Math.floor((153 * months + 2) / 5) + day - 1 - 719_468;
}
