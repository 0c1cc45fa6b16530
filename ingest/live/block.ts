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
	let at = 0;
	const varint = () => {
		let value = 0;
		for (let factor = 1; ; factor *= 128) {
			const byte = bytes[at++]!;
			value += (byte & 0x7f) * factor;
			if (byte < 0x80) return value;
		}
	};
	const text = () => {
		const length = varint();
		at += length;
		return bytes.toString("utf8", at - length, at);
	};
	const uint64 = () => {
		at += 8;
		return Number(bytes.readBigUInt64LE(at - 8));
	};
	// Copied to their own memory: typed arrays want to begin at a multiple of their width.
	const copy = (length: number) => {
		const own = new ArrayBuffer(length);
		bytes.copy(new Uint8Array(own), 0, at, at + length);
		at += length;
		return own;
	};
	const texts = (): Texts => {
		at += 8;
		const width = 1 << (uint64() & 0xff);
		const keys = Array.from({ length: uint64() }, text);
		const own = copy(uint64() * width);
		return {
			keys,
			rows: width === 1 ? new Uint8Array(own) : width === 2 ? new Uint16Array(own) : new Uint32Array(own),
		};
	};
	const columnCount = varint();
	const count = varint();
	const found: Record<string, Texts | ArrayBuffer> = {};
	for (let i = 0; i < columnCount; i++) {
		const name = text();
		found[name] = text() === "LowCardinality(String)" ? texts() : copy(count * 8);
	}
	if (at !== bytes.length) throw new NativeFormatError(`${bytes.length - at} bytes after the points`);
	return {
		...{ count, project: found.project as Texts, name: found.name as Texts, kind: found.kind as Texts | undefined },
		ids: new Uint32Array(found.series_id as ArrayBuffer),
		times: new Uint32Array(found.ts as ArrayBuffer),
		values: new Float64Array(found.value as ArrayBuffer),
	};
}
