/**
 * Which event_ids may have been seen in the last 7 days: a Bloom filter, so that an id which was surely not costs no look-up.
 * It never says "new" of an id that was seen; of one or two in a hundred new ones it says "maybe", and ClickHouse is asked.
 */

const DAY_MS = 86_400_000;
const REMEMBERED_MS = 7 * DAY_MS;
/** All bits of an id are in one block, a cache line: memory is waited for once, not once a bit. */
const BLOCK_BITS = 512;
const BLOCK_WORDS = BLOCK_BITS / 32;
const PROBES = 4;
/** Between the bits of a hash that choose one probe and the next. */
const PROBE_SHIFT = 7;
const FACTOR_1 = 0x01000193;
const FACTOR_2 = 0x5bd1e995;
/** Ids for which so many bits give an answer that is wrong less than twice in a hundred times. */
const BITS_PER_ID = 10;

interface Generation {
	readonly words: Uint32Array;
	count: number;
	/** When the next generation took over, milliseconds since the epoch: no id is younger. */
	until: number;
}

export interface SeenIdsOptions {
	/** Milliseconds since the epoch. */
	readonly clock: () => number;
	/** Bits of a generation, a power of two. */
	readonly bits?: number;
	readonly generations?: number;
}

export class SeenIds {
	readonly #clock: () => number;
	readonly #bits: number;
	/** Of the number of a block. */
	readonly #mask: number;
	readonly #capacity: number;
	readonly #most: number;
	/** Youngest first. */
	#generations: Generation[];
	/** Until then an id that was seen may be missing here. */
	#incompleteUntil = Number.POSITIVE_INFINITY;
	#project: string | undefined;
	#start1 = 0;
	#start2 = 0;

	constructor({ clock, bits = 2 ** 27, generations = 6 }: SeenIdsOptions) {
		this.#clock = clock;
		this.#bits = bits;
		this.#mask = bits / BLOCK_BITS - 1;
		this.#capacity = Math.floor(bits / BITS_PER_ID);
		this.#most = generations;
		this.#generations = [this.#generation()];
	}

	/** Whether an id that is not here was surely not seen. False until {@link complete}, and after too many ids in 7 days. */
	get isComplete(): boolean {
		return this.#clock() >= this.#incompleteUntil;
	}

	/** Everything that is stored has been added. */
	complete(): void {
		if (this.#incompleteUntil === Number.POSITIVE_INFINITY) this.#incompleteUntil = Number.NEGATIVE_INFINITY;
	}

	/** Adds an id. @returns whether it may have been added before */
	add(project: string, id: string): boolean {
		const bytes = Buffer.from(id);
		return this.addBytes(project, bytes, 0, bytes.length);
	}

	/** The same of an id that stands in bytes, as UTF-8. */
	addBytes(project: string, bytes: Uint8Array, from: number, to: number): boolean {
		if (project !== this.#project) this.#start(project);
		// In variables, as integers: a field that ever held a larger number costs more than all the hashing.
		let h1 = this.#start1;
		let h2 = this.#start2;
		for (let i = from; i < to; i++) {
			const byte = bytes[i]!;
			h1 = Math.imul(h1 ^ byte, FACTOR_1);
			h2 = Math.imul(h2 ^ byte, FACTOR_2) ^ (h2 >>> 15);
		}
		return this.#addHashed(mixed(h1), mixed(h2));
	}

	/** Hashes of a project and a zero, which those of its ids begin with. */
	#start(project: string): void {
		let h1 = 0x811c9dc5 | 0;
		let h2 = 0x9747b28c | 0;
		for (const byte of [...Buffer.from(project), 0]) {
			h1 = Math.imul(h1 ^ byte, FACTOR_1);
			h2 = Math.imul(h2 ^ byte, FACTOR_2) ^ (h2 >>> 15);
		}
		this.#project = project;
		this.#start1 = h1;
		this.#start2 = h2;
	}

	/** @param h1 chooses the block @param h2 chooses the bits in it */
	#addHashed(h1: number, h2: number): boolean {
		const block = (h1 & this.#mask) * BLOCK_WORDS;
		let seen = false;
		for (const { words } of this.#generations) {
			let all = true;
			for (let i = 0; i < PROBES && all; i++) {
				const bit = h2 >>> (i * PROBE_SHIFT);
				all = (words[block + ((bit >>> 5) & (BLOCK_WORDS - 1))]! & (1 << (bit & 31))) !== 0;
			}
			seen ||= all;
		}
		if (!seen) this.#insert(block, h2);
		return seen;
	}

	#insert(block: number, h2: number): void {
		let youngest = this.#generations[0]!;
		if (youngest.count === this.#capacity) youngest = this.#rotate();
		const { words } = youngest;
		for (let i = 0; i < PROBES; i++) {
			const bit = h2 >>> (i * PROBE_SHIFT);
			words[block + ((bit >>> 5) & (BLOCK_WORDS - 1))]! |= 1 << (bit & 31);
		}
		youngest.count++;
	}

	#rotate(): Generation {
		const now = this.#clock();
		this.#generations[0]!.until = now;
		this.#generations = this.#generations.filter(({ until }) => until > now - REMEMBERED_MS);
		if (this.#generations.length === this.#most) {
			const { until } = this.#generations.pop()!;
			this.#incompleteUntil = Math.max(this.#incompleteUntil, until + REMEMBERED_MS);
		}
		const youngest = this.#generation();
		this.#generations.unshift(youngest);
		return youngest;
	}

	#generation(): Generation {
		return { words: new Uint32Array(this.#bits / 32), count: 0, until: this.#clock() };
	}
}

/** The finaliser of MurmurHash3: every bit of the hash depends on every bit of the text. */
function mixed(hash: number): number {
	let h = hash ^ (hash >>> 16);
	h = Math.imul(h, 0x85ebca6b);
	h ^= h >>> 13;
	h = Math.imul(h, 0xc2b2ae35);
	return h ^ (h >>> 16);
}
