/** The last total of a series, milliseconds since the epoch. */
interface Total {
	ts: number;
	value: number;
}

/** Series whose totals are remembered; beyond it all is forgotten, which costs each one increase. */
const MAX_SERIES = 200_000;

/**
 * Increases of running totals as they come by, for viewers: the loader, which knows all stored totals, gives late ones their due
 * place; here a total that is not newer than the last adds nothing. The first of a series gives none.
 */
export class Running {
	readonly #totals = new Map<bigint, Total>();

	/** @returns undefined when there is none to tell */
	increase(high: number, low: number, ts: number, value: number): number | undefined {
		const key = (BigInt(high) << 32n) | BigInt(low);
		const before = this.#totals.get(key);
		if (!before) {
			if (this.#totals.size >= MAX_SERIES) this.#totals.clear();
			this.#totals.set(key, { ts, value });
			return undefined;
		}
		if (ts <= before.ts) return undefined;
		const increase = value >= before.value ? value - before.value : value;
		before.ts = ts;
		before.value = value;
		return increase;
	}

	/** What came by meanwhile was not seen: the next totals are the first again. */
	forget(): void {
		this.#totals.clear();
	}
}
