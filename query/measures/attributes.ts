/** Attributes of events as SQL over a row of `events`. Names are of the program, never of a request. */

/** Nullable(Float64): a number, also one that was sent as text; null when absent. */
export function numberOf(name: string): string {
	return `if(mapContains(numbers, '${name}'), numbers['${name}'], toFloat64OrNull(strings['${name}']))`;
}

/** String: a text, also an id that was sent as a number; `''` when absent. */
export function textOf(name: string): string {
	return `if(mapContains(strings, '${name}') OR NOT mapContains(numbers, '${name}'), strings['${name}'], toString(numbers['${name}']))`;
}
