import { RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import { isStorable } from "../parse/text.ts";
import type { Cursor } from "./cursor.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;
/** Members of an object whose names are compared with each other; a larger one goes through `JSON.parse`. */
const MOST_MEMBERS = 32;

/** What the text of a valid document lacks of being what `JSON.stringify` would make of it. */
const PLAIN = 0;
const SPACED = 1;
const OTHER = 2;

/**
 * A JSON value that is stored as text, exactly as `JSON.stringify(JSON.parse(text))` gives it. Most clients send it that way
 * already, or with blanks between the tokens; anything else (names that come twice or are integers, other spellings of a number
 * or a character) is parsed and printed.
 */
export class DocumentScanner {
	readonly #cursor: Cursor;
	/** Hashes of the names of the objects that the cursor is in. */
	readonly #names = new Int32Array(MOST_MEMBERS * (RECORD_LIMITS.depth + 1));
	#form = PLAIN;
	#scratch = new Uint8Array(1_024);
	#scratchView = new DataView(this.#scratch.buffer);
	/** The text, as UTF-8. */
	source: DataView = this.#scratchView;
	from = 0;
	to = 0;

	constructor(cursor: Cursor) {
		this.#cursor = cursor;
	}

	/**
	 * Reads the next value: `source`, `from` and `to`.
	 * @param depth how many objects and arrays may be in each other, this one included
	 * @returns false when it is no JSON or may not be stored
	 */
	read(depth: number): boolean {
		const cursor = this.#cursor;
		cursor.peek();
		const from = cursor.at;
		this.#form = PLAIN;
		if (!this.#value(depth, 0)) return false;
		if (this.#form === OTHER) return this.#printed(from, cursor.at, depth);
		this.source = cursor.view;
		this.from = from;
		this.to = cursor.at;
		if (this.#form === SPACED) this.#squeeze(cursor.bytes, from, cursor.at);
		return this.to - this.from <= RECORD_LIMITS.documentBytes;
	}

	/** Skips the next value. @returns false when it is no JSON, or too deep */
	skip(depth: number): boolean {
		const cursor = this.#cursor;
		cursor.peek();
		const from = cursor.at;
		this.#form = PLAIN;
		if (!this.#value(depth, 0)) return false;
		return this.#form !== OTHER || this.#parsed(from, cursor.at) !== undefined;
	}

	#value(left: number, names: number): boolean {
		const cursor = this.#cursor;
		switch (this.#peek()) {
			case QUOTE:
				return this.#string();
			case OPEN_BRACE:
				return left > 0 && this.#object(left - 1, names);
			case OPEN_BRACKET: {
				if (left === 0) return false;
				cursor.at++;
				if (this.#take(CLOSE_BRACKET)) return true;
				do if (!this.#value(left - 1, names)) return false;
				while (this.#take(COMMA));
				return this.#take(CLOSE_BRACKET);
			}
			case 0x74:
				return cursor.word("true");
			case 0x66:
				return cursor.word("false");
			case 0x6e:
				return cursor.word("null");
			default:
				return this.#number();
		}
	}

	/** @param names where this object's names begin in `#names` */
	#object(left: number, names: number): boolean {
		const cursor = this.#cursor;
		const hashes = this.#names;
		let count = 0;
		cursor.at++;
		if (this.#take(CLOSE_BRACE)) return true;
		do {
			if (this.#peek() !== QUOTE) return false;
			const from = cursor.at + 1;
			if (!this.#string()) return false;
			const { bytes } = cursor;
			let hash = FNV_OFFSET;
			for (let at = from; at < cursor.at - 1; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
			// Integers come first in an object, whatever the order in which they were sent.
			if (bytes[from]! >= 0x30 && bytes[from]! <= 0x39) this.#form = OTHER;
			if (count === MOST_MEMBERS) this.#form = OTHER;
			else {
				for (let i = 0; i < count; i++) if (hashes[names + i] === hash) this.#form = OTHER;
				hashes[names + count++] = hash;
			}
			if (!this.#take(COLON) || !this.#value(left, names + MOST_MEMBERS)) return false;
		} while (this.#take(COMMA));
		return this.#take(CLOSE_BRACE);
	}

	/** Skips white space and says what is there, noting that there was some. */
	#peek(): number {
		const cursor = this.#cursor;
		const { at } = cursor;
		const byte = cursor.peek();
		if (cursor.at !== at && this.#form === PLAIN) this.#form = SPACED;
		return byte;
	}

	#take(byte: number): boolean {
		if (this.#peek() !== byte) return false;
		this.#cursor.at++;
		return true;
	}

	/** A string whose escapes are those that `JSON.stringify` makes, or another one. */
	#string(): boolean {
		const cursor = this.#cursor;
		const { bytes, end } = cursor;
		let at = cursor.at + 1;
		while (at < end) {
			const byte = bytes[at]!;
			if (byte === QUOTE) {
				cursor.at = at + 1;
				return true;
			}
			if (byte < 0x20) return false;
			if (byte === BACKSLASH) {
				at++;
				switch (bytes[at]) {
					case QUOTE:
					case BACKSLASH:
					case 0x62:
					case 0x66:
					case 0x6e:
					case 0x72:
					case 0x74:
						break;
					default:
						// Whether it is an escape at all, `JSON.parse` tells.
						this.#form = OTHER;
				}
			}
			at++;
		}
		return false;
	}

	#number(): boolean {
		const cursor = this.#cursor;
		const from = cursor.at;
		if (!cursor.decimal()) return false;
		const { bytes, at: to, number } = cursor;
		const magnitude = Math.abs(number);
		// Up to 15 digits come out of a double as they went in; small ones come out with an exponent.
		if (to - from > 15 || (magnitude < 1e-6 && (magnitude !== 0 || to - from > 1))) {
			this.#form = OTHER;
			return true;
		}
		let point = -1;
		for (let at = from; at < to; at++) {
			const byte = bytes[at]!;
			if (byte === 0x2e) point = at;
			else if ((byte | 0x20) === 0x65) this.#form = OTHER;
		}
		if (point !== -1 && bytes[to - 1] === 0x30) this.#form = OTHER;
		return true;
	}

	/** Leaves out the white space between the tokens. */
	#squeeze(bytes: Uint8Array, from: number, to: number): void {
		this.#room(to - from);
		const scratch = this.#scratch;
		let length = 0;
		let inString = false;
		for (let at = from; at < to; at++) {
			const byte = bytes[at]!;
			if (byte <= 0x20 && !inString) continue;
			scratch[length++] = byte;
			if (byte === QUOTE) inString = !inString;
			else if (byte === BACKSLASH && inString) scratch[length++] = bytes[++at]!;
		}
		this.from = 0;
		this.to = length;
	}

	#printed(from: number, to: number, depth: number): boolean {
		const value = this.#parsed(from, to);
		if (value === undefined || !isStorable(value, depth)) return false;
		const text = Buffer.from(JSON.stringify(value));
		this.#room(text.length);
		this.#scratch.set(text);
		this.from = 0;
		this.to = text.length;
		return text.length <= RECORD_LIMITS.documentBytes;
	}

	/** Undefined when it is no JSON, or so long that it is unlikely to be stored: that is for the plain path to tell. */
	#parsed(from: number, to: number): unknown {
		if (to - from > RECORD_LIMITS.documentBytes) return undefined;
		try {
			return JSON.parse(this.#cursor.bytes.toString("utf8", from, to));
		} catch {
			return undefined;
		}
	}

	#room(size: number): void {
		if (size > this.#scratch.length) {
			this.#scratch = new Uint8Array(Math.max(size, this.#scratch.length * 2));
			this.#scratchView = new DataView(this.#scratch.buffer);
		}
		this.source = this.#scratchView;
	}
}
