import type { Series } from "../series.ts";

/** Where the parts of a record that name its series stand in a body. A part that is absent has `from` = `to`. */
export interface IdentitySpans {
	nameFrom: number;
	nameTo: number;
	tagsFrom: number;
	tagsTo: number;
	kindFrom: number;
	kindTo: number;
	unitFrom: number;
	unitTo: number;
}

// A class for one hidden shape: it is read once a record.
class Entry {
	readonly project: string;
	readonly series: Series;
	readonly nameBytes: number;
	readonly tagsBytes: number;
	readonly kindBytes: number;
	readonly unitBytes: number;
	/** Where its text stands in the arena. */
	readonly at: number;

	constructor(project: string, series: Series, spans: IdentitySpans, at: number) {
		this.project = project;
		this.series = series;
		this.nameBytes = spans.nameTo - spans.nameFrom;
		this.tagsBytes = spans.tagsTo - spans.tagsFrom;
		this.kindBytes = spans.kindTo - spans.kindFrom;
		this.unitBytes = spans.unitTo - spans.unitFrom;
		this.at = at;
	}
}

/** Beyond this the cache starts anew; what is in use comes back at once. */
const ARENA_BYTES = 32 * 1024 * 1024;
const SLOTS = 1 << 18;

/** Finds a series by the bytes that name it in a body, so that a known one costs a hash and a comparison. */
export class SeriesCache {
	readonly #slots = new Int32Array(SLOTS).fill(-1);
	#entries: Entry[] = [];
	#arena = Buffer.allocUnsafeSlow(1024 * 1024);
	#used = 0;

	/** The series of exactly these bytes, in this project. */
	find(project: string, bytes: Buffer, spans: IdentitySpans, hash: number): Series | undefined {
		const slots = this.#slots;
		for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
			const index = slots[slot]!;
			if (index === -1) return undefined;
			const entry = this.#entries[index]!;
			if (entry.project === project && this.#isSame(entry, bytes, spans)) return entry.series;
		}
	}

	add(project: string, bytes: Buffer, spans: IdentitySpans, hash: number, series: Series): void {
		const entry = new Entry(project, series, spans, this.#used);
		const size = entry.nameBytes + entry.tagsBytes + entry.kindBytes + entry.unitBytes;
		if (this.#used + size > ARENA_BYTES || this.#entries.length * 2 >= SLOTS) {
			this.#slots.fill(-1);
			this.#entries = [];
			this.#used = 0;
			this.add(project, bytes, spans, hash, series);
			return;
		}
		this.#copy(bytes, spans.nameFrom, spans.nameTo);
		this.#copy(bytes, spans.tagsFrom, spans.tagsTo);
		this.#copy(bytes, spans.kindFrom, spans.kindTo);
		this.#copy(bytes, spans.unitFrom, spans.unitTo);
		let slot = hash & (SLOTS - 1);
		while (this.#slots[slot] !== -1) slot = (slot + 1) & (SLOTS - 1);
		this.#slots[slot] = this.#entries.push(entry) - 1;
	}

	#copy(bytes: Buffer, from: number, to: number): void {
		const size = to - from;
		if (this.#used + size > this.#arena.length) {
			const grown = Buffer.allocUnsafeSlow(Math.max(this.#arena.length * 2, this.#used + size));
			this.#arena.copy(grown, 0, 0, this.#used);
			this.#arena = grown;
		}
		bytes.copy(this.#arena, this.#used, from, to);
		this.#used += size;
	}

	#isSame(entry: Entry, bytes: Buffer, spans: IdentitySpans): boolean {
		if (entry.nameBytes !== spans.nameTo - spans.nameFrom || entry.tagsBytes !== spans.tagsTo - spans.tagsFrom)
			return false;
		if (entry.kindBytes !== spans.kindTo - spans.kindFrom || entry.unitBytes !== spans.unitTo - spans.unitFrom)
			return false;
		let { at } = entry;
		if (!same(this.#arena, at, bytes, spans.nameFrom, entry.nameBytes)) return false;
		at += entry.nameBytes;
		if (!same(this.#arena, at, bytes, spans.tagsFrom, entry.tagsBytes)) return false;
		at += entry.tagsBytes;
		if (!same(this.#arena, at, bytes, spans.kindFrom, entry.kindBytes)) return false;
		return same(this.#arena, at + entry.kindBytes, bytes, spans.unitFrom, entry.unitBytes);
	}
}

/** Buffer.compare costs more to call than these few bytes cost to compare. */
function same(a: Buffer, aFrom: number, b: Buffer, bFrom: number, size: number): boolean {
	for (let i = 0; i < size; i++) if (a[aFrom + i] !== b[bFrom + i]) return false;
	return true;
}
