/** Up to when everything that was acknowledged can be queried: what must not judge half a minute asks for it. */
import type { Journal } from "./journal/journal.ts";

export class Watermark {
	readonly #journal: Pick<Journal, "sealed" | "active">;
	readonly #clock: () => number;
	/** When the first commit of a segment became durable; not known of segments of an earlier process. */
	readonly #first = new Map<number, number>();

	constructor(journal: Pick<Journal, "sealed" | "active">, clock: () => number) {
		this.#journal = journal;
		this.#clock = clock;
	}

	/** A commit is durable, and none of its requests is answered yet. */
	committed(segment: number): void {
		if (!this.#first.has(segment)) this.#first.set(segment, this.#clock());
	}

	/** Milliseconds since the epoch; 0 while records of an earlier process wait, whose time nobody knows. */
	storedThrough(): number {
		const { sealed, active } = this.#journal;
		const oldest = sealed[0] ?? active;
		for (const segment of this.#first.keys())
			if (oldest === undefined || segment < oldest.seq) this.#first.delete(segment);
		if (oldest === undefined) return this.#clock();
		// An active segment without a commit holds nothing that anybody was promised.
		return this.#first.get(oldest.seq) ?? (sealed.length > 0 ? 0 : this.#clock());
	}
}
