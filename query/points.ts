/** Buckets of an answer: their times, what is known of a silent one, and percentiles of too few values. */

import type { Signals } from "./measures/signals.ts";
import { HTTP_NAMES, type Traffic } from "./measures/traffic.ts";
import type { Grid } from "./time/window.ts";

/** One bucket of the answer. */
export interface Frame {
	/** Start, epoch seconds: the key of a measure's values. */
	readonly t: number;
	readonly timestamp: string;
	/** Seconds of the window in this bucket, for rates. */
	readonly seconds: number;
	/** The window starts or ends inside. */
	readonly partial: boolean;
	/** It is at its end as of the window's end. */
	readonly over: boolean;
	readonly end_ms: number;
}

export function framesOf(grid: Grid): Frame[] {
	const { starts, end } = grid.buckets;
	return starts.map((t, i) => {
		const from = t * 1_000;
		const to = (starts[i + 1] ?? end) * 1_000;
		return {
			t,
			timestamp: new Date(from).toISOString(),
			seconds: (Math.min(to, grid.end) - Math.max(from, grid.start)) / 1_000,
			partial: from < grid.start || to > grid.end,
			over: to <= grid.end,
			end_ms: to,
		};
	});
}

/**
 * Requests of a bucket. Without one it is 0 where something was there to be heard: between the first request ever and the last
 * of the window, or while hosts of the project reported. Elsewhere it is null: silence proves nothing.
 */
export function requestCount(
	frame: Frame,
	requests: ReadonlyMap<number, Pick<Traffic, "requests">>,
	sent: Signals,
	hosts: ReadonlyMap<number, unknown> | undefined,
): number | null {
	const found = requests.get(frame.t);
	if (found) return found.requests;
	const first = Math.min(...HTTP_NAMES.map((name) => sent.get("metric", name)?.first_seen ?? Number.POSITIVE_INFINITY));
	if (first >= frame.end_ms) return null;
	const last = Math.max(Number.NEGATIVE_INFINITY, ...requests.keys());
	return frame.t < last || hosts?.has(frame.t) ? 0 : null;
}

/** A percentile of a bucket and the number of values it is of. */
export interface Sample {
	readonly field: string;
	readonly level: number;
	readonly n: number;
}

/** `low_sample`: the fields whose percentile is of fewer values than 1 / (1 − level). */
export function lowSample(samples: readonly Sample[]): { low_sample?: string[] } {
	const low = samples.filter(({ level, n }) => n > 0 && n < Math.round(1 / (1 - level))).map(({ field }) => field);
	return low.length > 0 ? { low_sample: low } : {};
}

/** Share of the buckets in which some number is known. */
export function coverageOf(points: readonly Readonly<Record<string, unknown>>[]): number | null {
	if (points.length === 0) return null;
	return (
		points.filter((point) => Object.values(point).some((value) => typeof value === "number")).length / points.length
	);
}
