/** part / whole; null where one of the two is not known, or the whole is 0. */
export function quotient(part: number | null | undefined, whole: number | null | undefined): number | null {
	return typeof part !== "number" || typeof whole !== "number" || whole === 0 ? null : part / whole;
}

/** Null of nothing. */
export function meanOf(values: readonly number[]): number | null {
	return quotient(
		values.reduce((sum, value) => sum + value, 0),
		values.length,
	);
}
