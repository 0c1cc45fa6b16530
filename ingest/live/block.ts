/**
 * Columns of a block of points, in place: no object per row, as `decodeBlock` makes, since with somebody watching every point
 * comes by here.
 */
import { NativeFormatError } from "../native/decode.ts";

/** A text a row, each distinct one once. */
export interface Texts {
	readonly keys: readonly string[];
	/** Per row its place in `keys`. */
	readonly rows: Uint8Array | Uint16Array | Uint32Array;
}

export interface PointColumns {
	readonly count: number;
	readonly project: Texts;
	readonly name: Texts;
	/** Undefined in a block of running totals. */
	readonly kind: Texts | undefined;
	/** Halves of the series ids: low, high, low, high, … */
	readonly ids: Uint32Array;
	/** Halves of the times, likewise. */
	readonly times: Uint32Array;
	readonly values: Float64Array;
}

/** @param bytes a block of `points` or `cumulative` */
export function readPoints(bytes: Buffer): PointColumns {
	const cursor = new Cursor(bytes);
	const columnCount = cursor.varint();
	const count = cursor.varint();
	const found: Record<string, Texts | ArrayBuffer> = {};
	for (let i = 0; i < columnCount; i++) {
		const name = cursor.text();
		const type = cursor.text();
		found[name] = type === "LowCardinality(String)" ? cursor.texts() : cursor.copy(count * (type === "Bool" ? 1 : 8));
	}
	if (cursor.at !== bytes.length) throw new NativeFormatError(`${bytes.length - cursor.at} bytes after the points`);
	return {
		...{ count, project: found.project as Texts, name: found.name as Texts, kind: found.kind as Texts | undefined },
		ids: new Uint32Array(found.series_id as ArrayBuffer),
		times: new Uint32Array(found.ts as ArrayBuffer),
		values: new Float64Array(found.value as ArrayBuffer),
	};
}

/** The first two columns of a block of `events`: enough to tell that nobody watches what is in it. */
export function readEventNames(bytes: Buffer): { readonly project: Texts; readonly event: Texts } {
	const cursor = new Cursor(bytes);
	cursor.varint();
	cursor.varint();
	const column = () => {
		cursor.text();
		cursor.text();
		return cursor.texts();
	};
	return { project: column(), event: column() };
}

class Cursor {
	readonly #bytes: Buffer;
	at = 0;

	constructor(bytes: Buffer) {
		this.#bytes = bytes;
	}

	varint(): number {
		let value = 0;
		for (let factor = 1; ; factor *= 128) {
			const byte = this.#bytes[this.at++]!;
			value += (byte & 0x7f) * factor;
			if (byte < 0x80) return value;
		}
	}

	text(): string {
		const length = this.varint();
		this.at += length;
		return this.#bytes.toString("utf8", this.at - length, this.at);
	}

	/** To memory of its own: typed arrays want to begin at a multiple of their width. */
	copy(length: number): ArrayBuffer {
		const own = new ArrayBuffer(length);
		this.#bytes.copy(new Uint8Array(own), 0, this.at, this.at + length);
		this.at += length;
		return own;
	}

	/** The body of a column of type `LowCardinality(String)`. */
	texts(): Texts {
		// The version of the dictionary.
		this.at += 8;
		const width = 1 << (this.#uint64() & 0xff);
		const keys = Array.from({ length: this.#uint64() }, () => this.text());
		const own = this.copy(this.#uint64() * width);
		return {
			keys,
			rows: width === 1 ? new Uint8Array(own) : width === 2 ? new Uint16Array(own) : new Uint32Array(own),
		};
	}

	#uint64(): number {
		this.at += 8;
		return Number(this.#bytes.readBigUInt64LE(this.at - 8));
	}
}
