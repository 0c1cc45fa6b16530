import { Temporal } from "temporal-polyfill";
import { type Granularity, tierOf } from "../../schema/granularity.ts";

/** A stretch of buckets of one length, so that SQL can compute the bucket of a time by arithmetic. Epoch seconds. */
export interface Run {
	readonly start: number;
	readonly step: number;
	readonly end: number;
}

/** The buckets that cover a window: aligned in a zone, none across a clock change except whole days. */
export interface Buckets {
	readonly granularity: Granularity;
	/** Epoch seconds, ascending; the first is at or before the start of the window. */
	readonly starts: readonly number[];
	/** Where the last one would end, at or after the end of the window. */
	readonly end: number;
	readonly runs: readonly Run[];
	/** Present: not buckets beside each other but windows that overlap; then `starts` are all their edges. */
	readonly trailing?: Trailing | undefined;
}

/** Windows of one length that end at evenly spaced instants; each goes by its end. Epoch seconds and seconds. */
export interface Trailing {
	/** End of the first window. */
	readonly first: number;
	readonly step: number;
	readonly count: number;
	readonly length: number;
}

/** The windows as buckets. Their edges are whole minutes, so that no tier has to be read half. */
export function trailingBuckets(trailing: Trailing): Buckets {
	const { first, step, count, length } = trailing;
	const ends = Array.from({ length: count }, (_, i) => first + i * step);
	const starts = [...new Set([...ends.map((end) => end - length), ...ends])].sort((a, b) => a - b);
	return { granularity: "1m", starts, end: ends.at(-1)!, runs: [], trailing };
}

/** Start of the bucket that holds an instant, in milliseconds since the epoch. */
export function alignDown(at_ms: number, granularity: Granularity, timezone: string): number {
	const at = zoned(at_ms, timezone);
	if (granularity === "1d") return at.startOfDay().epochMilliseconds;
	const step_ms = tierOf(granularity).step_seconds * 1_000;
	const offset_ms = at.offsetNanoseconds / 1e6;
	const aligned = Math.floor((at_ms + offset_ms) / step_ms) * step_ms - offset_ms;
	if (zoned(aligned, timezone).offsetNanoseconds === at.offsetNanoseconds) return aligned;
	// The clock changed inside the bucket: it begins at the change.
	return zoned(aligned, timezone).getTimeZoneTransition("next")!.epochMilliseconds;
}

/** Buckets over `[start, end)`; `end` must be after `start`. At most `limit` + 1 are made. */
export function bucketsOver(
	start_ms: number,
	end_ms: number,
	granularity: Granularity,
	timezone: string,
	limit = 1e6,
): Buckets {
	const starts: number[] = [];
	const step = tierOf(granularity).step_seconds;
	let at = alignDown(start_ms, granularity, timezone) / 1_000;
	while (at * 1_000 < end_ms && starts.length <= limit) {
		const segmentEnd = granularity === "1d" ? Number.NEGATIVE_INFINITY : nextChange(at, end_ms, timezone);
		if (segmentEnd === Number.NEGATIVE_INFINITY) {
			starts.push(at);
			at =
				zoned(at * 1_000, timezone)
					.startOfDay()
					.add({ days: 1 })
					.startOfDay().epochMilliseconds / 1_000;
			continue;
		}
		// Within one offset the boundaries are evenly spaced; the first bucket after a change may be shorter.
		const offset = zoned(at * 1_000, timezone).offsetNanoseconds / 1e9;
		while (at < segmentEnd && at * 1_000 < end_ms && starts.length <= limit) {
			starts.push(at);
			at = Math.min(segmentEnd, (Math.floor((at + offset) / step) + 1) * step - offset);
		}
	}
	return { granularity, starts, end: at, runs: toRuns(starts, at) };
}

/** The next change of the zone's offset in epoch seconds; infinity when there is none before the end. */
function nextChange(at: number, end_ms: number, timezone: string): number {
	const next = zoned(at * 1_000, timezone).getTimeZoneTransition("next");
	return next === null || next.epochMilliseconds >= end_ms + 86_400_000
		? Number.POSITIVE_INFINITY
		: next.epochMilliseconds / 1_000;
}

/** Joins neighbouring buckets of the same length. */
function toRuns(starts: readonly number[], end: number): Run[] {
	const runs: { start: number; step: number; end: number }[] = [];
	for (const [i, start] of starts.entries()) {
		const bucketEnd = starts[i + 1] ?? end;
		const last = runs.at(-1);
		if (last && last.step === bucketEnd - start) last.end = bucketEnd;
		else runs.push({ start, step: bucketEnd - start, end: bucketEnd });
	}
	return runs;
}

function zoned(at_ms: number, timezone: string): Temporal.ZonedDateTime {
	return Temporal.Instant.fromEpochMilliseconds(at_ms).toZonedDateTimeISO(timezone);
}
