/** What is usual for a series: the value expected in each hour, its robust scale, and how far a day of this series strays from both. */
import { type AnomalyMethod, HISTORY, type Model, modelOf, nearer } from "./model.ts";
import { lowerBound, quantileOfSorted } from "./robust.ts";
import { DAY, HOUR, type Offset, offsetOver, slotOf } from "./season.ts";

/** Seconds of a bucket. */
export const BUCKET = 300;

/** Buckets of one series in the order of time: start in epoch seconds, and a finite value. Empty buckets are left out. */
export interface History {
	readonly t: ArrayLike<number>;
	readonly values: ArrayLike<number>;
}

/** The scale is never below this share of the expected value. */
const FLOOR = 0.01;
/** No deviation counts for more scales than this, so that one value of a series that never moved does not outweigh all others. */
const Z_MOST = 1_000;
/** Buckets that deviations are averaged over; each finds what the other misses, a spike or something that stays. */
export const SPANS: readonly number[] = [1, 12];
/** In an average no deviation counts for more: an average that one value can carry says nothing about the others. */
const CLIP = 8;
/** One day in so many may stray further than is usual. So an earlier incident does not make the rule deaf. */
const DAYS = 10;

export interface Deviation {
	readonly expected: number;
	readonly scale: number;
	/** (value − expected) / scale, −1,000 to 1,000. */
	readonly z: number;
}

/** Good for buckets that start within an hour of `at`. */
export interface Baseline {
	readonly method: AnomalyMethod;
	/** Epoch seconds; only what lies before it was looked at. */
	readonly at: number;
	/** Null where the hour has no history. */
	readonly deviation: (t: number, value: number) => Deviation | null;
	/** For each of the spans: the average deviation that a usual day does not exceed. */
	readonly usual: readonly number[];
}

/**
 * The baseline as of an instant, from the four weeks before it. O(n log n) in the history; it holds for an hour, so that a minute's
 * evaluation costs a few divisions.
 * @param at epoch seconds on a full hour
 * @param timezone IANA name; its clock says which hour a bucket lies in
 * @returns null when less than two full seasons are known
 */
export function baselineOf(history: History, at: number, timezone: string): Baseline | null {
	const first = lowerBound(history.t, at - HISTORY);
	const end = lowerBound(history.t, at);
	const from = history.t[first];
	if (end <= first || from === undefined) return null;
	// In units of the greatest value no difference overflows; a power of two divides without rounding.
	let greatest = 0;
	for (let i = first; i < end; i++) greatest = Math.max(greatest, Math.abs(history.values[i]!));
	const unit = greatest === 0 ? 1 : 2 ** Math.min(1_023, Math.floor(Math.log2(greatest)));
	const t = Float64Array.from({ length: end - first }, (_, i) => history.t[first + i]!);
	const values = Float64Array.from(t, (_, i) => history.values[first + i]! / unit);
	const offset = offsetOver(from - HOUR, at + 2 * HOUR, timezone);
	const model = modelOf({ t, values }, at, offset);
	if (!model) return null;

	const { medians, residuals, season, method } = model;
	// Where 0 is expected and nothing ever moved: what other hours move by on average, or 1 % of their height.
	const heights = medians.filter((height) => !Number.isNaN(height)).map(Math.abs);
	const still = Math.max(model.error, FLOOR * heights.reduce((most, height) => Math.max(most, height), 0));
	const past = residuals.map((residual, i) =>
		Number.isNaN(residual)
			? 0
			: deviate(model.scales[slotOf(season, t[i]!, offset)]!, still, values[i]! - residual, residual).z,
	);
	const usual = SPANS.map((span) => usualOf(t, past, span, at));
	return { method, at, deviation: deviationBy(model, { still, unit, offset }), usual };
}

/** A function of its own, since what a closure stands beside lives as long as it does: a baseline is kept, its history is not. */
function deviationBy(
	{ season, medians, scales, level }: Model,
	{ still, unit, offset }: { still: number; unit: number; offset: Offset },
): Baseline["deviation"] {
	return (t, value) => {
		const slot = slotOf(season, t, offset);
		const median = medians[slot]!;
		if (Number.isNaN(median)) return null;
		const off = finite(value / unit) - median;
		const residual = nearer(off, level);
		const found = deviate(scales[slot]!, still, residual === off ? median : median + level, residual);
		return { expected: finite(found.expected * unit), scale: finite(found.scale * unit), z: found.z };
	};
}

function deviate(slotScale: number, still: number, expected: number, residual: number): Deviation {
	const scale = Math.max(slotScale, FLOOR * Math.abs(expected)) || still;
	return { expected, scale, z: residual === 0 ? 0 : Math.max(-Z_MOST, Math.min(Z_MOST, residual / scale)) };
}

/** The average deviation over the span of buckets that ends with the i-th value; a bucket without a value deviates by nothing. */
export function averageDeviation(t: ArrayLike<number>, z: ArrayLike<number>, i: number, span: number): number {
	if (span === 1) return Math.abs(z[i]!);
	let sum = 0;
	for (let j = i; j >= 0 && t[j]! > t[i]! - span * BUCKET; j--) sum += Math.max(-CLIP, Math.min(CLIP, z[j]!));
	return Math.abs(sum) / span;
}

/**
 * The days' greatest average deviations, at the quantile that one day in ten exceeds. Of few days the highest seen is still far from
 * the highest to come, hence a margin of 1 / days (as with conformal prediction, which reads ranks of n as ranks of n + 1).
 */
function usualOf(t: Float64Array, z: Float64Array, span: number, at: number): number {
	const greatest = new Map<number, number>();
	for (let i = 0; i < t.length; i++) {
		const day = Math.floor((at - 1 - t[i]!) / DAY);
		greatest.set(day, Math.max(greatest.get(day) ?? 0, averageDeviation(t, z, i, span)));
	}
	const ascending = Float64Array.from(greatest.values()).sort();
	return quantileOfSorted(ascending, 1 - 1 / DAYS) * (1 + 1 / ascending.length);
}

function finite(value: number): number {
	return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
}
