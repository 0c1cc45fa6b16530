const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What follows the backslash, and the byte it stands for; 0 for anything else. */
const SIMPLE = new Uint8Array(256);
for (const [name, byte] of ['""', "\\\\", "//", "b\b", "f\f", "n\n", "r\r", "t\t"]) {
	SIMPLE[name!.charCodeAt(0)] = byte!.charCodeAt(0);
}

/** A string of a JSON text without its escapes, as UTF-8. */
export class Unescaped {
	#bytes = new Uint8Array(1_024);
	view = new DataView(this.#bytes.buffer);
	length = 0;

	/** @returns the place after the closing quote, or -1 for what is no string or has half of a surrogate pair */
	read(source: Uint8Array, from: number, end: number): number {
		let bytes = this.#bytes;
		let length = 0;
		let at = from;
		while (at < end) {
			// Of one escape come at most 4 bytes.
			if (length + 4 > bytes.length) bytes = this.#grow();
			const byte = source[at++]!;
			if (byte === QUOTE) {
				this.length = length;
				return at;
			}
			if (byte < 0x20) return -1;
			if (byte !== BACKSLASH) {
				bytes[length++] = byte;
				continue;
			}
			const name = source[at++] ?? 0;
			const simple = SIMPLE[name]!;
			if (simple !== 0) {
				bytes[length++] = simple;
				continue;
			}
			if (name !== 0x75) return -1;
			let code = hex(source, at);
			at += 4;
			if (code >= 0xd800 && code < 0xe000) {
				const low = source[at] === BACKSLASH && source[at + 1] === 0x75 ? hex(source, at + 2) : -1;
				if (code >= 0xdc00 || low < 0xdc00 || low > 0xdfff) return -1;
				code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
				at += 6;
			}
			if (code < 0) return -1;
			length = this.#utf8(code, length);
		}
		return -1;
	}

	#utf8(code: number, length: number): number {
		const bytes = this.#bytes;
		let at = length;
		if (code < 0x80) bytes[at++] = code;
		else {
			if (code < 0x800) bytes[at++] = 0xc0 | (code >> 6);
			else {
				if (code < 0x10000) bytes[at++] = 0xe0 | (code >> 12);
				else {
					bytes[at++] = 0xf0 | (code >> 18);
					bytes[at++] = 0x80 | ((code >> 12) & 0x3f);
				}
				bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
			}
			bytes[at++] = 0x80 | (code & 0x3f);
		}
		return at;
	}

	#grow(): Uint8Array<ArrayBuffer> {
		const grown = new Uint8Array(this.#bytes.length * 2);
		grown.set(this.#bytes);
		this.#bytes = grown;
		this.view = new DataView(grown.buffer);
		return grown;
	}
}

/** Four hexadecimal digits at a place; -1 when they are not, or the bytes end. */
function hex(source: Uint8Array, at: number): number {
	let code = 0;
	for (let i = 0; i < 4; i++) {
		const byte = source[at + i] ?? 0;
		const letter = (byte | 0x20) - 0x61;
		const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : letter >= 0 && letter < 6 ? letter + 10 : -1;
		if (digit === -1) return -1;
		code = code * 16 + digit;
	}
	return code;
}
