import type { Series } from "../series.ts";
import { sameBytes } from "./cursor.ts";

/** The parts of a record that name its series, and what each is multiplied with so that equal texts in two parts differ. */
export const PARTS = { name: 0, tags: 1, kind: 2, unit: 3 } as const;
export type Part = (typeof PARTS)[keyof typeof PARTS];
const PART_COUNT = 4;
const FACTORS = [3, 9, 33, 65] as const;

/** Where the parts of a record stand in a body, with their hashes. A part that is absent has `from` = `to`. */
export class Identity {
	readonly from = new Int32Array(PART_COUNT);
	readonly to = new Int32Array(PART_COUNT);
	readonly hash = new Int32Array(PART_COUNT);

	clear(): void {
		for (let part = 0; part < PART_COUNT; part++) {
			this.from[part] = 0;
			this.to[part] = 0;
			this.hash[part] = 0;
		}
	}

	/** Of all parts, whatever their order in the record. */
	total(): number {
		let total = 0;
		for (let part = 0; part < PART_COUNT; part++) total = (total + Math.imul(this.hash[part]!, FACTORS[part]!)) | 0;
		return total;
	}
}

/** What is kept of a part in {@link SeriesCache.meta}: behind the entry's place, one of each for every part. */
export const AT = 0;
export const SIZE = PART_COUNT;
export const HASH = 2 * PART_COUNT;
const META = 3 * PART_COUNT;

// A class for one hidden shape: it is read once a record. Its numbers are in one array for all entries, in the order in which
// the series were first sent, so that the processor fetches the next before it is asked for.
export class Entry {
	readonly project: string;
	readonly series: Series;
	/** Its place in {@link SeriesCache.meta}. */
	readonly place: number;
	/** The series that came after this one the last time. */
	next: Entry | undefined;

	constructor(project: string, series: Series, place: number) {
		this.project = project;
		this.series = series;
		this.place = place;
	}
}

/** Beyond this the cache starts anew; what is in use comes back at once. */
const ARENA_BYTES = 32 * 1024 * 1024;
const SLOTS = 1 << 18;

/** Finds a series by the bytes that name it in a body, so that a known one costs a hash and a comparison. */
export class SeriesCache {
	readonly #slots = new Int32Array(SLOTS).fill(-1);
	#entries: Entry[] = [];
	#used = 0;
	/** Where each part of each entry stands in the arena, its size and its hash. */
	meta = new Int32Array(1_024 * META);
	/** The texts of all entries. */
	arena: DataView = new DataView(new ArrayBuffer(1024 * 1024));

	/** The series of exactly these bytes, in this project. */
	find(project: string, body: DataView, identity: Identity): Entry | undefined {
		const slots = this.#slots;
		for (let slot = identity.total() & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
			const index = slots[slot]!;
			if (index === -1) return undefined;
			const entry = this.#entries[index]!;
			if (entry.project === project && this.#isSame(entry, body, identity)) return entry;
		}
	}

	add(project: string, body: Buffer, identity: Identity, series: Series): Entry {
		let size = 0;
		for (let part = 0; part < PART_COUNT; part++) size += identity.to[part]! - identity.from[part]!;
		if (this.#used + size > ARENA_BYTES || this.#entries.length * 2 >= SLOTS) {
			this.#slots.fill(-1);
			this.#entries = [];
			this.#used = 0;
		}
		this.#room(size);
		const place = this.#entries.length * META;
		if (place === this.meta.length) {
			const grown = new Int32Array(this.meta.length * 2);
			grown.set(this.meta);
			this.meta = grown;
		}
		const entry = new Entry(project, series, place);
		const arena = new Uint8Array(this.arena.buffer);
		for (let part = 0; part < PART_COUNT; part++) {
			const from = identity.from[part]!;
			const to = identity.to[part]!;
			this.meta[place + AT + part] = this.#used;
			this.meta[place + SIZE + part] = to - from;
			this.meta[place + HASH + part] = identity.hash[part]!;
			arena.set(body.subarray(from, to), this.#used);
			this.#used += to - from;
		}
		let slot = identity.total() & (SLOTS - 1);
		while (this.#slots[slot] !== -1) slot = (slot + 1) & (SLOTS - 1);
		this.#slots[slot] = this.#entries.push(entry) - 1;
		return entry;
	}

	#room(size: number): void {
		const needed = this.#used + size;
		if (needed <= this.arena.byteLength) return;
		const grown = new Uint8Array(Math.max(this.arena.byteLength * 2, needed));
		grown.set(new Uint8Array(this.arena.buffer));
		this.arena = new DataView(grown.buffer);
	}

	#isSame({ place }: Entry, body: DataView, { from, to, hash }: Identity): boolean {
		const { meta } = this;
		for (let part = 0; part < PART_COUNT; part++) {
			if (meta[place + HASH + part] !== hash[part] || meta[place + SIZE + part] !== to[part]! - from[part]!)
				return false;
		}
		for (let part = 0; part < PART_COUNT; part++) {
			const size = meta[place + SIZE + part]!;
			if (!sameBytes(this.arena, meta[place + AT + part]!, body, from[part]!, size)) return false;
		}
		return true;
	}
}
