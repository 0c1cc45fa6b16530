/** Bytes above which calling `set` costs less than copying words. */
const LONG_TEXT = 512;

/** A byte buffer that grows; the ground of every Native column. Integers are little-endian, lengths LEB128 varints. */
export class ByteWriter {
	bytes: Buffer;
	length = 0;
	#view: DataView;

	constructor(capacity = 1_024) {
		this.bytes = Buffer.allocUnsafeSlow(capacity);
		this.#view = new DataView(this.bytes.buffer);
	}

	/** Makes room for `more` bytes; after it `bytes` may be another buffer. */
	reserve(more: number): void {
		const needed = this.length + more;
		if (needed <= this.bytes.length) return;
		const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
		this.bytes.copy(grown, 0, 0, this.length);
		this.bytes = grown;
		this.#view = new DataView(grown.buffer);
	}

	uint8(value: number): void {
		this.reserve(1);
		this.bytes[this.length++] = value;
	}

	uint32(value: number): void {
		this.reserve(4);
		this.length = this.bytes.writeUInt32LE(value >>> 0, this.length);
	}

	/** A non-negative integer below 2^53 as UInt64. */
	uint64(value: number): void {
		this.reserve(8);
		this.bytes.writeUInt32LE(value >>> 0, this.length);
		this.bytes.writeUInt32LE(Math.floor(value / 2 ** 32), this.length + 4);
		this.length += 8;
	}

	varint(value: number): void {
		this.reserve(8);
		let rest = value;
		while (rest >= 0x80) {
			this.bytes[this.length++] = (rest & 0x7f) | 0x80;
			rest = Math.floor(rest / 128);
		}
		this.bytes[this.length++] = rest;
	}

	/** Length and UTF-8 bytes. Written in place for the length that ASCII would have, and moved when it was not ASCII. */
	string(text: string): void {
		const most = text.length * 3;
		this.reserve(most + 10);
		const guess = varintSize(text.length);
		const start = this.length + guess;
		const size = this.bytes.utf8Write(text, start, most);
		const actual = varintSize(size);
		if (actual !== guess) this.bytes.copyWithin(this.length + actual, start, start + size);
		this.varint(size);
		this.length += size;
	}

	/** Length and these bytes. For the short texts that most are, a loop over words costs less than calling `set`. */
	stringView(source: DataView, from: number, to: number): void {
		const size = to - from;
		this.reserve(size + 8);
		let rest = size;
		let at = this.length;
		const { bytes } = this;
		while (rest >= 0x80) {
			bytes[at++] = (rest & 0x7f) | 0x80;
			rest >>>= 7;
		}
		bytes[at++] = rest;
		this.length = at + size;
		const view = this.#view;
		if (size > LONG_TEXT) bytes.set(new Uint8Array(source.buffer, source.byteOffset + from, size), at);
		else if (size < 4) for (let i = 0; i < size; i++) bytes[at + i] = source.getUint8(from + i);
		else {
			const last = size - 4;
			for (let i = 0; i < last; i += 4) view.setInt32(at + i, source.getInt32(from + i, true), true);
			view.setInt32(at + last, source.getInt32(from + last, true), true);
		}
	}

	/** Calls back with the bytes of each text from a place on. @returns the place behind the last */
	each(start: number, use: (bytes: Buffer, from: number, to: number) => void): number {
		const { bytes, length } = this;
		let at = start;
		while (at < length) {
			let size = 0;
			for (let factor = 1; ; factor *= 128) {
				const byte = bytes[at++]!;
				size += (byte & 0x7f) * factor;
				if (byte < 0x80) break;
			}
			use(bytes, at, at + size);
			at += size;
		}
		return at;
	}

	raw(source: Uint8Array, from = 0, to = source.length): void {
		this.reserve(to - from);
		this.bytes.set(from === 0 && to === source.length ? source : source.subarray(from, to), this.length);
		this.length += to - from;
	}

	view(): Buffer {
		return this.bytes.subarray(0, this.length);
	}
}

/** Bytes a varint takes. */
export function varintSize(value: number): number {
	let size = 1;
	for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
	return size;
}

declare global {
	interface Buffer {
		/** Of Node's Buffer, absent from its types: `write` without looking at the encoding. */
		utf8Write(text: string, offset?: number, length?: number): number;
	}
}
