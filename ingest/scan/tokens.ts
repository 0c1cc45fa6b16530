import { DictionaryPlace } from "../native/columns.ts";
import { type Cursor, sameBytes } from "./cursor.ts";

/** Beyond this the cache is full; what is in use comes back at once after it was emptied. */
const MOST = 4_096;
const SLOTS = 4 * MOST;
/** Longer texts, in bytes, are for the plain path. */
const LONGEST = 256;

/** A short text that comes again and again: a member's name, an event's name, a level. */
export class Token {
	readonly bytes: DataView;
	readonly size: number;
	readonly hash: number;
	/** What the text means to whoever keeps the cache; see {@link Meaning}. */
	readonly code: number;
	/** Its places in the dictionaries of up to two columns. */
	readonly place: DictionaryPlace;
	readonly secondPlace: DictionaryPlace;
	/** The token that came after this one the last time. */
	next: Token | undefined = undefined;
	/** The record in which it was seen last. */
	record = 0;

	constructor(bytes: DataView, hash: number, code: number, text: string) {
		this.bytes = bytes;
		this.size = bytes.byteLength;
		this.hash = hash;
		this.code = code;
		this.place = new DictionaryPlace(text);
		this.secondPlace = new DictionaryPlace(text);
	}
}

/** What a text means, asked once a text: the text to store and a number, or undefined when it is not for the scanner. */
export type Meaning = (text: string) => { readonly text: string; readonly code: number } | undefined;

/** Finds tokens by their bytes in a body: by comparison with a guess, else by hash. Only strings without escapes. */
export class TokenCache {
	readonly #meaning: Meaning;
	readonly #slots = new Int32Array(SLOTS).fill(-1);
	#tokens: Token[] = [];

	constructor(meaning: Meaning) {
		this.#meaning = meaning;
	}

	/** Makes room for new texts, if there is little. Tokens that are held elsewhere stay good guesses. */
	refresh(): void {
		if (this.#tokens.length < MOST / 2) return;
		this.#tokens = [];
		this.#slots.fill(-1);
	}

	/** The next string of the body, if it is one that means something. */
	read(cursor: Cursor, guess: Token | undefined): Token | undefined {
		if (guess !== undefined && cursor.guessed(guess.bytes, 0, guess.size, true)) return guess;
		if (!cursor.string()) return undefined;
		const size = cursor.to - cursor.from;
		const slots = this.#slots;
		let slot = (cursor.hash ^ (cursor.hash >>> 15)) & (SLOTS - 1);
		for (; slots[slot] !== -1; slot = (slot + 1) & (SLOTS - 1)) {
			const token = this.#tokens[slots[slot]!]!;
			if (token.hash !== cursor.hash || token.size !== size) continue;
			if (sameBytes(token.bytes, 0, cursor.view, cursor.from, size)) return token;
		}
		return this.#add(cursor, slot);
	}

	#add({ bytes, from, to, hash }: Cursor, slot: number): Token | undefined {
		if (this.#tokens.length === MOST || to - from > LONGEST) return undefined;
		const copy = Uint8Array.prototype.slice.call(bytes, from, to);
		const meaning = this.#meaning(Buffer.from(copy.buffer).toString());
		if (!meaning) return undefined;
		const token = new Token(new DataView(copy.buffer), hash, meaning.code, meaning.text);
		this.#slots[slot] = this.#tokens.push(token) - 1;
		return token;
	}
}
