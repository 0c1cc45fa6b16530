/**
 * What is usual for a series: the value expected in each hour of the season, its robust scale, and how far a day of this series
 * usually strays from both.
 */
import {
	DAILY,
	DAY,
	HOUR,
	type Offset,
	offsetOver,
	type Season,
	seasonOf,
	slotOf,
	WEEK,
	WEEKLY,
} from "./anomaly-season.ts";
import { lowerBound, median, medianOfSorted, quantileOfSorted } from "./robust.ts";

/** Seconds of a bucket. */
export const BUCKET = 300;

/** Buckets of one series in the order of time: start in epoch seconds, and a finite value. Empty buckets are left out. */
export interface History {
	readonly t: ArrayLike<number>;
	readonly values: ArrayLike<number>;
}

/**
 * Where `expected` comes from: the median of the same hour of the week over four weeks; with less history the same hour of a week
 * or of a day, carried along with the level of the latest season.
 */
export type AnomalyMethod = "hour_of_week" | "seasonal_week" | "seasonal_day";

/** Seconds of history that a baseline is made of. */
export const HISTORY = 4 * WEEK;
/** Standard deviations of a normal distribution in one median absolute deviation. */
const MAD = 1.4826;
/** The scale is never below this share of the expected value. */
const FLOOR = 0.01;
/** No deviation counts for more scales than this, so that one value of a series that never moved does not outweigh all others. */
const Z_MOST = 1_000;

/** Buckets that deviations are averaged over; each finds what the other misses, a spike or something that stays. */
export const SPANS: readonly number[] = [1, 12];
/** In an average no deviation counts for more: an average that one value can carry says nothing about the others. */
const CLIP = 8;
/** The scale of an hour is never below this share of the scale of all hours; of a few dozen values it is not known better. */
const POOLED = 0.5;
/** One day in so many may stray further than is usual. So an earlier incident does not make the rule deaf. */
const DAYS = 10;

/** A model of one season. */
interface Model {
	readonly method: AnomalyMethod;
	readonly season: Season;
	/** By slot; NaN where fewer than two seasons have a value. */
	readonly expected: Float64Array;
	/** By slot; 0 where nothing ever moved. */
	readonly scale: Float64Array;
	/** Of each value, NaN where no other season has this hour. */
	readonly residuals: Float64Array;
	/** Median size of the residuals. */
	readonly error: number;
}

/** Good for buckets that start within an hour of `at`. */
export interface Baseline {
	readonly method: AnomalyMethod;
	/** Epoch seconds; only what lies before it was looked at. */
	readonly at: number;
	/** Null where the hour has no history. */
	readonly expectedAt: (t: number) => { readonly expected: number; readonly scale: number } | null;
	/** Signed scales off what is expected; null where the hour has no history. */
	readonly zAt: (t: number, value: number) => number | null;
	/** For each of the spans: the average deviation that a usual day does not exceed. */
	readonly usual: readonly number[];
}

/**
 * The baseline as of an instant, from the four weeks before it. O(n log n) in the history; it holds for an hour, so that a minute's
 * evaluation costs a few divisions.
 * @param at epoch seconds on a full hour
 * @returns null when less than two full seasons are known
 */
export function baselineOf(history: History, at: number, timezone: string): Baseline | null {
	const first = lowerBound(history.t, at - HISTORY);
	const end = lowerBound(history.t, at);
	const from = history.t[first];
	if (end <= first || from === undefined) return null;
	const t = Float64Array.from({ length: end - first }, (_, i) => history.t[first + i]!);
	// In units of the greatest value no difference overflows; a power of two divides without rounding.
	let greatest = 0;
	for (let i = first; i < end; i++) greatest = Math.max(greatest, Math.abs(history.values[i]!));
	const unit = greatest === 0 ? 1 : 2 ** Math.min(1_023, Math.floor(Math.log2(greatest)));
	const values = Float64Array.from({ length: end - first }, (_, i) => history.values[first + i]! / unit);
	const offset = offsetOver(from - HOUR, at + 2 * HOUR, timezone);

	const model = modelOf({ t, values }, at, offset);
	if (!model) return null;
	const z = (slot: number, residual: number) => scaled(residual, model.scale[slot]!);
	const slotAt = (time: number) => slotOf(model.season, time, offset);
	const deviations = model.residuals.map((residual, i) => (Number.isNaN(residual) ? 0 : z(slotAt(t[i]!), residual)));
	return {
		method: model.method,
		at,
		expectedAt: (time) => {
			const slot = slotAt(time);
			const expected = model.expected[slot]!;
			if (Number.isNaN(expected)) return null;
			return { expected: finite(expected * unit), scale: finite(model.scale[slot]! * unit) };
		},
		zAt: (time, value) => {
			const slot = slotAt(time);
			const expected = model.expected[slot]!;
			return Number.isNaN(expected) ? null : z(slot, finite(value / unit) - expected);
		},
		usual: SPANS.map((span) => usualOf(t, deviations, span, at)),
	};
}

/** The average deviation over the span of buckets that ends with the i-th value; a bucket without a value deviates by nothing. */
export function averageDeviation(t: ArrayLike<number>, z: ArrayLike<number>, i: number, span: number): number {
	if (span === 1) return Math.abs(z[i]!);
	let sum = 0;
	for (let j = i; j >= 0 && t[j]! > t[i]! - span * BUCKET; j--) {
		sum += Math.max(-CLIP, Math.min(CLIP, z[j]!));
	}
	return Math.abs(sum) / span;
}

function scaled(residual: number, scale: number): number {
	if (residual === 0) return 0;
	return Math.max(-Z_MOST, Math.min(Z_MOST, residual / scale));
}

function finite(value: number): number {
	return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
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

/** The same hour of four weeks; with less, of the season that foretells the known values better. */
function modelOf(history: { t: Float64Array; values: Float64Array }, at: number, offset: Offset): Model | null {
	const known = at - history.t[0]!;
	// The oldest of the buckets may be missing.
	if (known > HISTORY - HOUR) return learn(history, at, offset, WEEKLY, "hour_of_week");
	const daily = known >= 2 * DAY ? learn(history, at, offset, DAILY, "seasonal_day") : null;
	const weekly = known >= 2 * WEEK ? learn(history, at, offset, WEEKLY, "seasonal_week") : null;
	return weekly && daily && weekly.error < daily.error ? weekly : daily;
}

/**
 * Every value is foretold from the other seasons only. Were its own season among them, two seasons would seem to agree better than
 * they do, and the third would look strange.
 */
function learn(
	{ t, values }: { t: Float64Array; values: Float64Array },
	at: number,
	offset: Offset,
	season: Season,
	method: AnomalyMethod,
): Model {
	const members: number[][] = Array.from({ length: season.slots }, () => []);
	const seasons = t.map((time) => seasonOf(season, time, offset));
	const slots = t.map((time) => slotOf(season, time, offset));
	for (let i = 0; i < t.length; i++) members[slots[i]!]!.push(i);

	const expected = new Float64Array(season.slots).fill(Number.NaN);
	const residuals = new Float64Array(t.length).fill(Number.NaN);
	for (const [slot, found] of members.entries()) {
		found.sort((a, b) => values[a]! - values[b]!);
		const present = new Set(found.map((i) => seasons[i]!));
		if (present.size < 2) continue;
		expected[slot] = medianOfSorted(found.map((i) => values[i]!));
		for (const left of present) {
			const others = medianOfSorted(found.filter((i) => seasons[i] !== left).map((i) => values[i]!));
			for (const i of found) if (seasons[i] === left) residuals[i] = values[i]! - others;
		}
	}
	if (method !== "hour_of_week") {
		const level = carryLevel(t, residuals, season, at);
		for (let slot = 0; slot < season.slots; slot++) expected[slot]! += level;
	}
	const sizes = residuals.filter((residual) => !Number.isNaN(residual)).map(Math.abs);
	const error = median(sizes);
	const highest = expected.reduce((most, value) => Math.max(most, Number.isNaN(value) ? 0 : Math.abs(value)), 0);
	const mean = sizes.length === 0 ? 0 : sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
	const scale = expected.map((value, slot) => {
		const own = MAD * median(Float64Array.from(members[slot]!, (i) => Math.abs(residuals[i]!)));
		const least = Math.max(own, FLOOR * Math.abs(value), POOLED * MAD * error);
		return least > 0 ? least : Math.max(mean, FLOOR * highest);
	});
	return { method, season, expected, scale, residuals, error };
}

/**
 * Takes the level of the season before from each residual, hour by hour, and returns the level of the season before `at`: the
 * median of its hours' medians. It is avg(past period) + avg(current season) − mean(past seasons), in medians.
 */
function carryLevel(t: Float64Array, residuals: Float64Array, season: Season, at: number): number {
	const hours: { readonly hour: number; readonly middle: number }[] = [];
	const latest: number[] = [];
	let oldest = 0;
	const levelBefore = (hour: number) => {
		for (; oldest < hours.length && hours[oldest]!.hour < hour - season.slots; oldest++) {
			latest.splice(lowerBound(latest, hours[oldest]!.middle), 1);
		}
		// Less than half a season says more about its hours than about its level.
		return 2 * latest.length < season.slots ? 0 : medianOfSorted(latest);
	};
	for (let i = 0, end = 0; i < t.length; i = end) {
		const hour = Math.floor(t[i]! / HOUR);
		while (end < t.length && t[end]! < (hour + 1) * HOUR) end++;
		const known = residuals.slice(i, end).filter((residual) => !Number.isNaN(residual));
		const level = levelBefore(hour);
		for (let j = i; j < end; j++) residuals[j]! -= level;
		if (known.length === 0) continue;
		const middle = median(known);
		hours.push({ hour, middle });
		latest.splice(lowerBound(latest, middle), 0, middle);
	}
	return levelBefore(Math.floor(at / HOUR));
}
