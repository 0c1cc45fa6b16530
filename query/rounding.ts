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

function isNumber(value: number | null | undefined): value is number {
	return typeof value === "number" && Number.isFinite(value);
}
