import { Problem } from "./problem.ts";

/** Times a record of one signal may have: milliseconds since the epoch, `oldest` included. */
export interface TimeBounds {
	readonly now: number;
	readonly oldest: number;
	readonly newest: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Not older than the signal's raw retention, at most an hour ahead. */
export function timeBounds(now: number, retention_days: number): TimeBounds {
	return { now, oldest: now - retention_days * DAY_MS, newest: now + HOUR_MS };
}

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:?\d{2})$/;

/** An epoch in s, ms, µs or ns, told apart by size, in milliseconds. */
export function epochMs(value: number): number {
	const size = Math.abs(value);
	if (size < 1e11) return Math.round(value * 1_000);
	if (size < 1e14) return Math.round(value);
	if (size < 1e17) return Math.floor(value / 1e3);
	return Math.floor(value / 1e6);
}

/**
 * A record's timestamp in milliseconds since the epoch; absent is the time of receipt.
 * RFC 3339 text or an epoch number (see {@link epochMs}); sub-millisecond digits are cut.
 */
export function parseTimestamp(value: unknown, bounds: TimeBounds, field = "timestamp"): number | Problem {
	let ms: number;
	if (value === undefined) return bounds.now;
	if (typeof value === "number") ms = epochMs(value);
	else if (typeof value === "string") ms = rfc3339Ms(value);
	else return new Problem(field, "must be RFC 3339 text or an epoch number");
	if (ms >= bounds.oldest && ms <= bounds.newest) return ms;
	return new Problem(field, timeReason(ms, bounds));
}

/** Why a time is not within the bounds, or no time at all. */
export function timeReason(ms: number, bounds: TimeBounds): string {
	if (Number.isNaN(ms)) return "must be RFC 3339 text, as 2026-01-31T12:00:00Z, or an epoch number";
	if (ms > bounds.newest) return "more than 1 hour in the future";
	return `older than the retention of ${Math.round((bounds.now - bounds.oldest) / DAY_MS)} days`;
}

function rfc3339Ms(text: string): number {
	if (!RFC3339.test(text)) return Number.NaN;
	const ms = Date.parse(text);
	// Date.parse rolls 31 February over to March; a date that does not exist is a mistake, not another day.
	const day = Number(text.slice(8, 10));
	if (day > 28 && day > new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate()) {
		return Number.NaN;
	}
	return ms;
}
