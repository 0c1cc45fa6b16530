/** How long a line is remembered at least, milliseconds: longer than it takes until it is found in ClickHouse. */
export const REMEMBERED_MS = 30_000;

/** Ids of the lines that were heard of lately, so that one that comes twice is known. */
export class Heard {
	readonly #now: () => number;
	#recent = new Set<string>();
	#before = new Set<string>();
	#until: number;

	constructor(now: () => number) {
		this.#now = now;
		this.#until = now() + REMEMBERED_MS;
	}

	/** @returns whether it was not heard of yet */
	add(id: string): boolean {
		const now = this.#now();
		if (now >= this.#until) {
			// Also after a long silence: what was missed in it is looked for from the last lines before it on.
			this.#before = this.#recent;
			this.#recent = new Set();
			this.#until = now + REMEMBERED_MS;
		}
		if (this.#recent.has(id) || this.#before.has(id)) return false;
		this.#recent.add(id);
		return true;
	}
}
