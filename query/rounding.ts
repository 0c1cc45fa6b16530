/** Rounding at the edge only: everything before is computed with what was stored. */

/** Ratios: four decimals. */
export function ratio(value: number | null | undefined): number | null {
	return decimals(value, 4);
}

/** Percent of a ratio: one decimal. */
export function percentOf(value: number | null | undefined): number | null {
	return value === null || value === undefined ? null : decimals(value * 100, 1);
}

/** Percent of an availability: two decimals as in the documents, where one would make 99.97 a round 100. */
export function availabilityPercent(value: number | null | undefined): number | null {
	return value === null || value === undefined ? null : decimals(value * 100, 2);
}

/** Whole milliseconds from 10 on, four significant digits below. */
export function milliseconds(value: number | null | undefined): number | null {
	if (!isNumber(value)) return null;
	return value >= 10 ? Math.round(value) : significant(value);
}

/** Four significant digits: rates, bandwidth, prices of one. */
export function significant(value: number | null | undefined): number | null {
	return isNumber(value) ? Number(value.toPrecision(4)) : null;
}

/** A number of decimals. */
export function decimals(value: number | null | undefined, digits: number): number | null {
	return isNumber(value) ? Number(value.toFixed(digits)) : null;
}

/** Whole things. */
export function whole(value: number | null | undefined): number | null {
	return isNumber(value) ? Math.round(value) : null;
}

/**
 * Parts of a whole, rounded so that they add up to it: every part is rounded down, and what is left goes to those that lost most
 * (of equal losses to the larger part, then to the first). No parts of nothing: a sum of 0 gives zeros.
 * @param total what the parts add up to, such as 1 or 100
 * @param digits decimals of each part
 */
export function largestRemainder(parts: readonly number[], total: number, digits: number): number[] {
	const sum = parts.reduce((a, b) => a + b, 0);
	if (!(sum > 0)) return parts.map(() => 0);
	const units = Math.round(total * 10 ** digits);
	const exact = parts.map((part) => (part / sum) * units);
	// A part that is whole but for the error of the division must not lose a unit.
	const floors = exact.map((value) => Math.floor(value + 1e-9));
	const left = units - floors.reduce((a, b) => a + b, 0);
	const byLoss = exact
		.map((value, i) => ({ i, loss: Number((value - floors[i]!).toFixed(9)) }))
		.sort((a, b) => b.loss - a.loss || parts[b.i]! - parts[a.i]! || a.i - b.i);
	const winners = new Set(byLoss.slice(0, left).map(({ i }) => i));
	return floors.map((floor, i) => Number(((floor + (winners.has(i) ? 1 : 0)) / 10 ** digits).toFixed(digits)));
}

function isNumber(value: number | null | undefined): value is number {
	return typeof value === "number" && Number.isFinite(value);
}
