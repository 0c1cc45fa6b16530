/** Shares the width of a page among the columns of a table. Pure. */

export interface Wish {
	/** So that nothing is broken into lines. */
	readonly natural: number;
	/** So that no word is. */
	readonly least: number;
}

/**
 * Columns that get less than they wish for are all equally wide, those that wish for little get it; what is left over is
 * shared in proportion. Undefined when even the least does not fit.
 */
export function shareWidth(wishes: readonly Wish[], width: number): number[] | undefined {
	const total = sum(wishes.map(({ natural }) => natural));
	if (total <= width)
		return wishes.map(({ natural }) => (total > 0 ? (natural / total) * width : width / wishes.length));
	if (sum(wishes.map(({ least }) => least)) > width) return undefined;
	const capped = (cap: number) => wishes.map(({ natural, least }) => Math.max(least, Math.min(natural, cap)));
	let [low, high] = [0, width];
	for (let step = 0; step < 40; step++) {
		const middle = (low + high) / 2;
		if (sum(capped(middle)) <= width) low = middle;
		else high = middle;
	}
	return capped(low);
}

/**
 * Parts columns into groups that fit beside each other, each group beginning with the first column, which says what a
 * row is about. A column that is too wide alone is as wide as there is room.
 */
export function groupColumns(wishes: readonly Wish[], width: number): number[][] {
	const [first, ...others] = wishes.keys();
	if (first === undefined) return [];
	const groups: number[][] = [[first]];
	let used = wishes[first]!.least;
	for (const column of others) {
		const group = groups.at(-1)!;
		if (group.length > 1 && used + wishes[column]!.least > width) {
			groups.push([first, column]);
			used = wishes[first]!.least + wishes[column]!.least;
		} else {
			group.push(column);
			used += wishes[column]!.least;
		}
	}
	return groups;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
