/** A point of a series where it is drawn: `y` null breaks the line. */
export type Placed = readonly [x: number, y: number | null];

/**
 * Points that make the same picture: of those that fall into one column of a point's width, the first, the lowest, the
 * highest and the last are kept, and one break if there is any. `points` are ordered by x.
 */
export function thin(points: readonly Placed[], columnWidth: number): readonly Placed[] {
	const kept: Placed[] = [];
	for (let from = 0; from < points.length; ) {
		const column = Math.floor(points[from]![0] / columnWidth);
		let to = from + 1;
		while (to < points.length && Math.floor(points[to]![0] / columnWidth) === column) to++;
		kept.push(...(to - from <= 5 ? points.slice(from, to) : extremes(points, from, to)));
		from = to;
	}
	return kept;
}

function extremes(points: readonly Placed[], from: number, to: number): Placed[] {
	let lowest: number | undefined;
	let highest: number | undefined;
	let gap: number | undefined;
	for (let at = from; at < to; at++) {
		const y = points[at]![1];
		if (y === null) gap ??= at;
		else {
			if (lowest === undefined || y < points[lowest]![1]!) lowest = at;
			if (highest === undefined || y > points[highest]![1]!) highest = at;
		}
	}
	const chosen = new Set([from, lowest, highest, gap, to - 1].filter((at) => at !== undefined));
	return [...chosen].sort((a, b) => a - b).map((at) => points[at]!);
}
