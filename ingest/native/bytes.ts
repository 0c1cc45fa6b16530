/** A byte buffer that grows; the ground of every Native column. Integers are little-endian, lengths LEB128 varints. */
export class ByteWriter {
	bytes: Buffer;
	length = 0;

	constructor(capacity = 1_024) {
		this.bytes = Buffer.allocUnsafeSlow(capacity);
	}

	/** Makes room for `more` bytes; after it `bytes` may be another buffer. */
	reserve(more: number): void {
		const needed = this.length + more;
		if (needed <= this.bytes.length) return;
		const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
		this.bytes.copy(grown, 0, 0, this.length);
		this.bytes = grown;
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

	/** Length and these bytes. */
	stringBytes(source: Uint8Array, from: number, to: number): void {
		this.varint(to - from);
		this.raw(source, from, to);
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
