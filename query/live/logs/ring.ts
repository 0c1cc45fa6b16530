import type { LiveLog } from "../../../schema/live/frames.ts";

/** What went by: a line, or a place where nobody knows what did. */
export type Passed = { readonly seq: number; readonly place: string } & (
	| { readonly log: LiveLog }
	| { readonly lost: number | null; readonly reason: string }
);

/** Lines of one project that are kept for readers who come back, and their bytes. */
export const MAX_LINES = 5_000;
const MAX_BYTES = 4 * 1024 * 1024;

/** The last that went by, counted without holes. */
export class Ring {
	readonly #passed: Passed[] = [];
	#bytes = 0;
	/** Of the last one; 0 before the first. */
	seq = 0;

	push(passed: Passed): void {
		this.seq = passed.seq;
		this.#passed.push(passed);
		this.#bytes += sizeOf(passed);
		let over = 0;
		while (this.#passed.length - over > MAX_LINES || this.#bytes > MAX_BYTES)
			this.#bytes -= sizeOf(this.#passed[over++]!);
		if (over > 0) this.#passed.splice(0, over);
	}

	/** What went by after that; undefined when that is too long ago, or has not been. */
	after(seq: number): readonly Passed[] | undefined {
		const first = this.#passed[0]?.seq ?? this.seq + 1;
		if (seq < first - 1 || seq > this.seq) return undefined;
		return this.#passed.slice(seq + 1 - first);
	}

	all(): readonly Passed[] {
		return this.#passed;
	}
}

function sizeOf(passed: Passed): number {
	return "log" in passed ? passed.log.message.length + passed.log.context.length + 200 : 200;
}
