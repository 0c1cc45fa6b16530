/**
 * Running totals to increases. The increase belongs to the later of two neighbouring totals; a drop means that the counter
 * was reset, and then the new total is the increase; the first total of a series gives none.
 */

/** A running total at a time in milliseconds. */
export interface Total {
	readonly ts: number;
	readonly value: number;
}

/**
 * What to add to the stored increases when totals arrive, in any order and also between stored ones. A late total splits an
 * increase that was given to its successor; the difference is given back as a correction at the successor's time, so sums
 * over any bucket come out as if everything had arrived in order.
 *
 * @param before the last stored total before all of `added`, if any
 * @param stored stored totals at or after the first of `added`, by time
 * @param added new totals, in any order; one at the time of a stored total is a repetition and gives nothing
 */
export function increases(before: Total | undefined, stored: readonly Total[], added: readonly Total[]): Total[] {
	const storedTimes = new Set(stored.map(({ ts }) => ts));
	const fresh = new Map<number, Total>();
	for (const total of added) if (!storedTimes.has(total.ts)) fresh.set(total.ts, total);
	const merged = [...stored, ...fresh.values()].sort((a, b) => a.ts - b.ts);
	const result: Total[] = [];
	let previousStored = before;
	let previous = before;
	for (const total of merged) {
		const now = increase(previous, total);
		if (fresh.has(total.ts)) {
			if (now !== undefined) result.push({ ts: total.ts, value: now });
		} else {
			const correction = (now ?? 0) - (increase(previousStored, total) ?? 0);
			if (correction !== 0) result.push({ ts: total.ts, value: correction });
			previousStored = total;
		}
		previous = total;
	}
	return result;
}

function increase(previous: Total | undefined, total: Total): number | undefined {
	if (previous === undefined) return undefined;
	return total.value >= previous.value ? total.value - previous.value : total.value;
}
