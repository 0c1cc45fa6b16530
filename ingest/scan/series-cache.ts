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

// A class for one hidden shape: it is read once a record.
export class Entry {
	readonly project: string;
	readonly series: Series;
	/** Where each part stands in the arena, its size and hash. */
	readonly at = new Int32Array(PART_COUNT);
	readonly size = new Int32Array(PART_COUNT);
	readonly hash = new Int32Array(PART_COUNT);
	/** The series that came after this one the last time. */
	next: Entry | undefined;

	constructor(project: string, series: Series) {
		this.project = project;
		this.series = series;
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
		const entry = new Entry(project, series);
		const arena = new Uint8Array(this.arena.buffer);
		for (let part = 0; part < PART_COUNT; part++) {
			const from = identity.from[part]!;
			const to = identity.to[part]!;
			entry.at[part] = this.#used;
			entry.size[part] = to - from;
			entry.hash[part] = identity.hash[part]!;
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

	#isSame(entry: Entry, body: DataView, { from, to, hash }: Identity): boolean {
		for (let part = 0; part < PART_COUNT; part++) {
			if (entry.hash[part] !== hash[part] || entry.size[part] !== to[part]! - from[part]!) return false;
		}
		for (let part = 0; part < PART_COUNT; part++) {
			if (!sameBytes(this.arena, entry.at[part]!, body, from[part]!, entry.size[part]!)) return false;
		}
		return true;
	}
}
