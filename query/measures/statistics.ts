/** Statistics that need no distribution of their data: a test for a shift, and a robust trend. */

/** Value at the middle of a list; of two in the middle their mean. NaN of nothing. */
export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const half = sorted.length >> 1;
	return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/**
 * Two-sided p of the Mann–Whitney U test that two samples come from one distribution: normal approximation, corrected for ties
 * and continuity. 1 when a sample is empty or all values are equal: nothing was shown.
 */
export function mannWhitneyP(a: readonly number[], b: readonly number[]): number {
	const all = [...a.map((value) => ({ value, first: true })), ...b.map((value) => ({ value, first: false }))].sort(
		(x, y) => x.value - y.value,
	);
	const n = all.length;
	let rankSum = 0;
	let ties = 0;
	for (let from = 0; from < n; ) {
		let to = from;
		while (to < n && all[to]!.value === all[from]!.value) to++;
		// Equal values share the mean of the ranks from + 1 to `to`.
		const rank = (from + 1 + to) / 2;
		for (let i = from; i < to; i++) if (all[i]!.first) rankSum += rank;
		ties += (to - from) ** 3 - (to - from);
		from = to;
	}
	const product = a.length * b.length;
	const variance = (product / 12) * (n + 1 - ties / (n * (n - 1)));
	if (!(variance > 0)) return 1;
	const distance = Math.abs(rankSum - (a.length * (a.length + 1)) / 2 - product / 2);
	const z = Math.max(0, distance - 0.5) / Math.sqrt(variance);
	return Math.min(1, erfc(z / Math.SQRT2));
}

/**
 * Cliff's delta: how much more often a value of `a` is above one of `b` than below, −1 to 1. Null when a sample is empty.
 * Quadratic: for samples of some hundreds.
 */
export function cliffsDelta(a: readonly number[], b: readonly number[]): number | null {
	if (a.length === 0 || b.length === 0) return null;
	let sum = 0;
	for (const x of a) for (const y of b) sum += Math.sign(x - y);
	return sum / (a.length * b.length);
}

/** Complementary error function for x ≥ 0, relative error below 1.2e-7 (Numerical Recipes, Chebyshev fit). */
function erfc(x: number): number {
	const t = 1 / (1 + x / 2);
	const fit = [
		-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
		0.17087277,
	];
	return t * Math.exp(-x * x + fit.reduceRight((sum, c) => sum * t + c, 0));
}

export interface Line {
	readonly slope: number;
	readonly intercept: number;
}

export interface Trend extends Line {
	/** Share of the variance that the line explains; below 0 when the mean explains more. */
	readonly r_squared: number;
	/** Lines of the lowest and the highest slope of the confidence interval of 95 %. */
	readonly low: Line;
	readonly high: Line;
}

/** z of a two-sided interval of 95 %. */
const Z95 = 1.959964;

/**
 * Theil–Sen: the median of the slopes between all pairs, which a quarter of outliers does not move; interval by Sen (1968).
 * Undefined for less than two points or for points of one x.
 */
export function theilSen(points: readonly (readonly [x: number, y: number])[]): Trend | undefined {
	const slopes: number[] = [];
	for (const [i, [x, y]] of points.entries()) {
		for (const [u, v] of points.slice(i + 1)) if (u !== x) slopes.push((v - y) / (u - x));
	}
	if (slopes.length === 0) return undefined;
	slopes.sort((a, b) => a - b);
	const n = points.length;
	const spread = Z95 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
	const at = (index: number) => slopes[Math.min(Math.max(index, 0), slopes.length - 1)]!;
	const through = (slope: number): Line => ({ slope, intercept: median(points.map(([x, y]) => y - slope * x)) });
	const line = through(median(slopes));
	const mean = points.reduce((sum, [, y]) => sum + y, 0) / n;
	const total = points.reduce((sum, [, y]) => sum + (y - mean) ** 2, 0);
	const rest = points.reduce((sum, [x, y]) => sum + (y - line.intercept - line.slope * x) ** 2, 0);
	return {
		...line,
		r_squared: total > 0 ? 1 - rest / total : 0,
		low: through(at(Math.round((slopes.length - spread) / 2) - 1)),
		high: through(at(Math.round((slopes.length + spread) / 2))),
	};
}
