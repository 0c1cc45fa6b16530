/** Order statistics. */

/** 0 of nothing. */
export function median(values: Float64Array): number {
	return medianOfSorted(values.slice().sort());
}

export function medianOfSorted(sorted: ArrayLike<number>): number {
	return quantileOfSorted(sorted, 0.5);
}

/** Linear between the two nearest; 0 of nothing. */
export function quantileOfSorted(sorted: ArrayLike<number>, level: number): number {
	if (sorted.length === 0) return 0;
	const position = level * (sorted.length - 1);
	const below = Math.floor(position);
	const low = sorted[below]!;
	const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
	return low === high ? low : low + (high - low) * (position - below);
}

/** Index of the first element that is at least `value`, in an ascending list. */
export function lowerBound(ascending: ArrayLike<number>, value: number): number {
	let low = 0;
	let high = ascending.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (ascending[middle]! < value) low = middle + 1;
		else high = middle;
	}
	return low;
}
