/** What each hour of a season foretells: learned from the other seasons, so that every known value is a test of it. */

import { lowerBound, median, medianOfSorted } from "./robust.ts";
import { DAILY, DAY, HOUR, type Offset, type Season, seasonOf, slotOf, WEEK, WEEKLY } from "./season.ts";

/**
 * Where `expected` comes from: the median of the same hour of the week over four weeks; with less history the same hour of a week
 * or of a day, or that at the level of the latest season, whichever is nearer.
 */
export type AnomalyMethod = "hour_of_week" | "seasonal_week" | "seasonal_day";

/** Seconds of history that a model is made of. */
export const HISTORY = 4 * WEEK;
/** Standard deviations of a normal distribution in one median absolute deviation. */
const MAD = 1.4826;
/** The scale of an hour is never below this share of the scale of all hours; of a few dozen values it is not known better. */
const POOLED = 0.5;

export interface Columns {
	readonly t: Float64Array;
	readonly values: Float64Array;
}

export interface Model {
	readonly method: AnomalyMethod;
	readonly season: Season;
	/** Median by slot; NaN where fewer than two seasons have a value. */
	readonly medians: Float64Array;
	/** How far the latest season lies above all of them. */
	readonly level: number;
	/** By slot, without the floor that depends on the value expected; 0 where nothing ever moved. */
	readonly scales: Float64Array;
	/** Of each known value, off what the other seasons foretell; NaN where no other season has the hour. */
	readonly residuals: Float64Array;
	/** Mean size of the residuals, and how many there are. */
	readonly error: number;
	readonly foretold: number;
}

/** Of two residuals the smaller: what is usual at either level is usual. Otherwise the end of half a bad day would be an anomaly too. */
export function nearer(residual: number, level: number): number {
	return Math.abs(residual - level) < Math.abs(residual) ? residual - level : residual;
}

/** The same hour of four weeks; with less, of the season that foretells the known values better. Null with less than two seasons. */
export function modelOf(history: Columns, at: number, offset: Offset): Model | null {
	const known = at - history.t[0]!;
	const weeks = new Set(Array.from(history.t, (t) => Math.floor((at - 1 - t) / WEEK)));
	// The oldest of the buckets may be missing.
	if (weeks.size === 4 && known > HISTORY - HOUR) return learn(history, at, offset, WEEKLY, "hour_of_week");
	const daily = known >= 2 * DAY ? learn(history, at, offset, DAILY, "seasonal_day") : null;
	const weekly = known >= 2 * WEEK ? learn(history, at, offset, WEEKLY, "seasonal_week") : null;
	const isWeekly = weekly && daily && 2 * weekly.foretold > daily.foretold && weekly.error < daily.error;
	return isWeekly ? weekly : daily;
}

/**
 * Every value is foretold from the other seasons only. Were its own season among them, two seasons would seem to agree better than
 * they do, and the third would look strange.
 */
function learn({ t, values }: Columns, at: number, offset: Offset, season: Season, method: AnomalyMethod): Model {
	const members: number[][] = Array.from({ length: season.slots }, () => []);
	for (let i = 0; i < t.length; i++) members[slotOf(season, t[i]!, offset)]!.push(i);
	const seasons = t.map((time) => seasonOf(season, time, offset));

	const medians = new Float64Array(season.slots).fill(Number.NaN);
	const residuals = new Float64Array(t.length).fill(Number.NaN);
	for (const [slot, found] of members.entries()) {
		found.sort((a, b) => values[a]! - values[b]!);
		const present = new Set(found.map((i) => seasons[i]!));
		if (present.size < 2) continue;
		medians[slot] = medianOfSorted(found.map((i) => values[i]!));
		for (const left of present) {
			const others = medianOfSorted(found.filter((i) => seasons[i] !== left).map((i) => values[i]!));
			for (const i of found) if (seasons[i] === left) residuals[i] = values[i]! - others;
		}
	}
	const level = method === "hour_of_week" ? 0 : carryLevel(t, residuals, season, at);
	const sizes = residuals.filter((residual) => !Number.isNaN(residual)).map(Math.abs);
	const pooled = POOLED * median(sizes);
	const scales = medians.map((_, slot) => {
		const known = Float64Array.from(members[slot]!, (i) => Math.abs(residuals[i]!)).filter(
			(size) => !Number.isNaN(size),
		);
		return MAD * Math.max(median(known), pooled);
	});
	const error = sizes.length === 0 ? 0 : sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
	return { method, season, medians, level, scales, residuals, error, foretold: sizes.length };
}

/**
 * Makes each residual the nearer of two: off the hour's median, or off it at the level of the season before. Returns the level of the
 * season before `at`: the median of its hours' medians. Expected is then avg(past period) + avg(current season) − mean(past seasons),
 * in medians.
 */
function carryLevel(t: Float64Array, residuals: Float64Array, season: Season, at: number): number {
	const hours: { readonly hour: number; readonly middle: number }[] = [];
	/** Of the last season, ascending. */
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
		for (let j = i; j < end; j++) residuals[j] = nearer(residuals[j]!, level);
		if (known.length === 0) continue;
		const middle = median(known);
		hours.push({ hour, middle });
		latest.splice(lowerBound(latest, middle), 0, middle);
	}
	return levelBefore(Math.floor(at / HOUR));
}
