import { Unescaped } from "./unescaped.ts";

/**
 * Reads JSON tokens from bytes without making objects, as far as the usual input goes. Every method that meets something
 * unusual (half of a surrogate pair, a nested value, a mistake) returns false, and the caller falls back to `JSON.parse`, which
 * then decides; so the cursor accepts a subset of JSON and never anything else.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;
const POWERS_OF_TEN = Array.from({ length: 23 }, (_, i) => 10 ** i);
/** Decimal digits that a double holds exactly. */
const EXACT_DIGITS = 15;

export class Cursor {
	bytes: Buffer = Buffer.alloc(0);
	#view: DataView = new DataView(new ArrayBuffer(0));
	at = 0;
	end = 0;
	/** Whether a line feed is white space; between the tokens of an NDJSON record it is not. */
	multiline = true;
	/** What the last token was: the number, or the text between `from` and `to` and its hash. */
	number = 0;
	from = 0;
	to = 0;
	hash = 0;
	/** What `from` and `to` of the last `text` are places in: the body, or a copy of that text without its escapes. */
	source: DataView = this.#view;
	readonly #unescaped = new Unescaped();

	reset(bytes: Buffer): void {
		this.bytes = bytes;
		this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
		this.at = 0;
		this.end = bytes.length;
	}

	/** A view of the bytes, for {@link sameBytes}. */
	get view(): DataView {
		return this.#view;
	}

	/** Skips white space and returns the byte there, or -1 at the end. */
	peek(): number {
		const { bytes, end } = this;
		let { at } = this;
		while (at < end) {
			const byte = bytes[at]!;
			if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0d && byte !== 0x09 && (byte !== 0x0a || !this.multiline))) {
				this.at = at;
				return byte;
			}
			at++;
		}
		this.at = at;
		return -1;
	}

	/** Skips white space and the byte, if it is the one that is next. */
	take(byte: number): boolean {
		if (this.peek() !== byte) return false;
		this.at++;
		return true;
	}

	/** A string without escapes: `from`, `to` and `hash`. */
	string(): boolean {
		if (this.peek() !== QUOTE) return false;
		const { bytes, end } = this;
		let at = this.at + 1;
		this.from = at;
		let hash = FNV_OFFSET;
		while (at < end) {
			const byte = bytes[at]!;
			if (byte === QUOTE) {
				this.to = at;
				this.hash = hash;
				this.at = at + 1;
				return true;
			}
			if (byte === BACKSLASH || byte < 0x20) return false;
			hash = Math.imul(hash ^ byte, FNV_PRIME);
			at++;
		}
		return false;
	}

	/** A string with any escapes: `source`, `from` and `to`. Not for half of a surrogate pair, which is no UTF-8. */
	text(): boolean {
		if (this.peek() !== QUOTE) return false;
		const { bytes, end } = this;
		const view = this.#view;
		let at = this.at + 1;
		const from = at;
		// Four bytes at a time: the lowest byte that is marked in `hits` is a quote, a backslash or a control character.
		for (const last = end - 4; at <= last; at += 4) {
			const word = view.getInt32(at, true);
			const quotes = word ^ 0x22222222;
			const escapes = word ^ 0x5c5c5c5c;
			const hits =
				(((quotes - 0x01010101) & ~quotes) | ((escapes - 0x01010101) & ~escapes) | ((word - 0x20202020) & ~word)) &
				0x80808080;
			if (hits !== 0) {
				at += (31 - Math.clz32(hits & -hits)) >> 3;
				break;
			}
		}
		while (at < end) {
			const byte = bytes[at]!;
			if (byte === QUOTE) {
				this.source = view;
				this.from = from;
				this.to = at;
				this.at = at + 1;
				return true;
			}
			if (byte === BACKSLASH) return this.#escaped(from);
			if (byte < 0x20) return false;
			at++;
		}
		return false;
	}

	#escaped(from: number): boolean {
		const unescaped = this.#unescaped;
		const next = unescaped.read(this.bytes, from, this.end);
		if (next === -1) return false;
		this.source = unescaped.view;
		this.from = 0;
		this.to = unescaped.length;
		this.at = next;
		return true;
	}

	/** Whether the last token is this text, which is ASCII. */
	is(text: string): boolean {
		const { from, to, bytes } = this;
		if (to - from !== text.length) return false;
		for (let i = 0; i < text.length; i++) if (bytes[from + i] !== text.charCodeAt(i)) return false;
		return true;
	}

	/** Whether this word is next, as `true`; skips it. */
	word(text: string): boolean {
		const { bytes, at } = this;
		for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
		this.at = at + text.length;
		return true;
	}

	/** An object without nested values and escapes, as text: `from`, `to` (braces included) and `hash`. Not checked further. */
	flatObject(): boolean {
		if (this.peek() !== 0x7b) return false;
		const { bytes, end } = this;
		let at = this.at;
		this.from = at++;
		let hash = FNV_OFFSET;
		let inString = false;
		while (at < end) {
			const byte = bytes[at++]!;
			hash = Math.imul(hash ^ byte, FNV_PRIME);
			if (byte === QUOTE) inString = !inString;
			else if (byte === BACKSLASH) return false;
			else if (!inString) {
				if (byte === 0x7d) {
					this.to = at;
					this.hash = hash;
					this.at = at;
					return true;
				}
				if (byte === 0x7b || byte === 0x5b) return false;
			}
		}
		return false;
	}

	/**
	 * A token whose bytes are guessed: moves behind it when they are there, and sets `from` and `to`. Comparing words takes a
	 * fraction of the time of reading, checking and hashing every byte.
	 * @param guess where the text starts in `source`
	 */
	guessed(source: DataView, guess: number, size: number, quoted: boolean): boolean {
		// Nothing is there, whatever comes: a series without tags is no guess for tags.
		if (size === 0 && !quoted) return false;
		this.peek();
		const from = quoted ? this.at + 1 : this.at;
		const to = from + size;
		if (to >= this.end) return false;
		if (quoted && (this.bytes[from - 1] !== QUOTE || this.bytes[to] !== QUOTE)) return false;
		if (!sameBytes(this.#view, from, source, guess, size)) return false;
		this.from = from;
		this.to = to;
		this.at = quoted ? to + 1 : to;
		return true;
	}

	/** A number, correctly rounded. */
	decimal(): boolean {
		this.peek();
		const { bytes, end } = this;
		const start = this.at;
		let { at } = this;
		const negative = bytes[at] === 0x2d;
		if (negative) at++;
		const first = at;
		let mantissa = 0;
		let digit = at < end ? bytes[at]! - 0x30 : -1;
		while (digit >= 0 && digit <= 9) {
			mantissa = mantissa * 10 + digit;
			at++;
			digit = at < end ? bytes[at]! - 0x30 : -1;
		}
		const whole = at - first;
		if (whole === 0 || (whole > 1 && bytes[first] === 0x30)) return false;
		let fraction = 0;
		if (at < end && bytes[at] === 0x2e) {
			const point = ++at;
			digit = at < end ? bytes[at]! - 0x30 : -1;
			while (digit >= 0 && digit <= 9) {
				mantissa = mantissa * 10 + digit;
				at++;
				digit = at < end ? bytes[at]! - 0x30 : -1;
			}
			fraction = at - point;
			if (fraction === 0) return false;
		}
		const hasExponent = at < end && (bytes[at]! | 0x20) === 0x65;
		if (hasExponent) {
			at = this.#exponent(at + 1);
			if (at === -1) return false;
		}
		this.at = at;
		if (whole + fraction <= EXACT_DIGITS && !hasExponent) {
			// Both are exact, so one division rounds once, as parsing the text would.
			const value = fraction === 0 ? mantissa : mantissa / POWERS_OF_TEN[fraction]!;
			this.number = negative ? -value : value;
		} else this.number = Number(bytes.latin1Slice(start, at));
		return Number.isFinite(this.number);
	}

	/** @returns where the exponent ends whose sign or first digit is at a place, or -1 */
	#exponent(from: number): number {
		const { bytes } = this;
		let at = bytes[from] === 0x2b || bytes[from] === 0x2d ? from + 1 : from;
		const first = at;
		for (; at < this.end; at++) {
			const digit = bytes[at]! - 0x30;
			if (digit < 0 || digit > 9) break;
		}
		return at === first ? -1 : at;
	}

	/** Two or four decimal digits at a place; NaN when they are not. */
	digits(at: number, count: number): number {
		let value = 0;
		for (let i = 0; i < count; i++) {
			const digit = this.bytes[at + i]! - 0x30;
			if (digit < 0 || digit > 9) return Number.NaN;
			value = value * 10 + digit;
		}
		return value;
	}
}

/** Compares four bytes at a time; Buffer.compare costs more to call than so few bytes cost to compare. */
export function sameBytes(a: DataView, aFrom: number, b: DataView, bFrom: number, size: number): boolean {
	if (size < 4) {
		for (let i = 0; i < size; i++) if (a.getUint8(aFrom + i) !== b.getUint8(bFrom + i)) return false;
		return true;
	}
	const last = size - 4;
	for (let i = 0; i < last; i += 4) {
		if (a.getInt32(aFrom + i, true) !== b.getInt32(bFrom + i, true)) return false;
	}
	return a.getInt32(aFrom + last, true) === b.getInt32(bFrom + last, true);
}

declare global {
	interface Buffer {
		/** Of Node's Buffer, absent from its types. */
		latin1Slice(start: number, end: number): string;
	}
}
