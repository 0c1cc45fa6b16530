/**
 * Takes out of a log message what changes from line to line: numbers, ids, addresses, paths, times, values of `key=value`.
 * One pass over UTF-8 bytes without making a text, since every line takes it; tokens become texts only for a shape that
 * nobody has seen.
 *
 * A word is a run of letters, digits and the characters that join ids, hosts, versions and paths. It is masked when it has a
 * digit, is a path, an address or a literal. Masks with nothing but punctuation between them are one, also over white space:
 * lists have any length.
 *
 * One long file on purpose: with its constants and hashes imported from files of their own a line takes half as much again
 * (0.34 → 0.51 µs), since V8 does not fold what is bound in another module.
 */
import { MASK, REST, WILDCARD } from "../../schema/log-patterns.ts";

/** A message goes on behind these, but its pattern does not. */
const MOST_BYTES = 1_024;
const MOST_TOKENS = 64;
/** No byte takes part in more than one piece, and a token has one more at most: that it was cut. */
const MOST_PIECES = MOST_BYTES + MOST_TOKENS;

// What a byte is.
const LETTER = 1;
const DIGIT = 2;
const JOINER = 4;
const SPACE = 8;
const SLASH = 16;
const OPENER = 32;
const CLOSER = 64;
const QUOTED = 128;
/** A digit of a hexadecimal number, decimal or not. */
const HEX = 256;
/** What a URL in a text does not go on over. */
const VALUE_END = SPACE | OPENER | CLOSER | QUOTED;
const WORD = LETTER | DIGIT | JOINER;
const CLASS = new Uint16Array(256);
for (let byte = 0; byte < 256; byte++) {
	const c = String.fromCharCode(byte);
	if (byte <= 0x20) CLASS[byte] = SPACE;
	else if (/[A-Za-z]/.test(c) || byte >= 0x80) CLASS[byte] = LETTER;
	else if (/\d/.test(c)) CLASS[byte] = DIGIT;
	else if ("/\\".includes(c)) CLASS[byte] = JOINER | SLASH;
	else if ("_-.@$+%~".includes(c)) CLASS[byte] = JOINER;
	else if ("([{<".includes(c)) CLASS[byte] = OPENER;
	else if (")]}>".includes(c)) CLASS[byte] = CLOSER;
	else if ("\"'`".includes(c)) CLASS[byte] = QUOTED;
	if (/[\dA-Fa-f]/.test(c)) CLASS[byte]! |= HEX;
}

const LINE_FEED = 0x0a;
const DOT = 0x2e;
const SLASH_BYTE = 0x2f;
const COLON = 0x3a;
const LESS = 0x3c;
const GREATER = 0x3e;
const QUESTION = 0x3f;
const AT = 0x40;
const TILDE = 0x7e;

/** Two hashes of a text, polynomials of its bytes modulo 2^32: those of parts make that of the whole, whatever is put between. */
const HIGH_BASE = 0x01000193;
const LOW_BASE = 0x5bd1e995;
const HIGH_POWERS = powersOf(HIGH_BASE);
const LOW_POWERS = powersOf(LOW_BASE);

function powersOf(base: number): Int32Array {
	const powers = new Int32Array(MOST_BYTES + 1).fill(1);
	for (let i = 1; i < powers.length; i++) powers[i] = Math.imul(powers[i - 1]!, base);
	return powers;
}

export interface TokenHash {
	readonly high: number;
	readonly low: number;
}

/** The hashes that {@link Masker} gives a token of this text. */
export function tokenHash(token: string): TokenHash {
	let high = 0;
	let low = 0;
	for (const byte of Buffer.from(token)) {
		high = (Math.imul(high, HIGH_BASE) + byte) | 0;
		low = (Math.imul(low, LOW_BASE) + byte) | 0;
	}
	return { high, low };
}

const MASK_HASH = tokenHash(MASK);

/** What follows a number and changes with its size. */
const UNITS = words(
	"B KB MB GB TB PB KiB MiB GiB TiB kB bytes byte ns us ms s sec secs second seconds min mins minute minutes h hour hours day days",
);
/** Parts of dates, beside a number. */
const DATES = words(
	"Mon Tue Wed Thu Fri Sat Sun Monday Tuesday Wednesday Thursday Friday Saturday Sunday Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec January February March April June July August September October November December",
);
const LITERALS = words("true false null True False");
/**
 * Whether a word may be one of these, by some bits of its hash: hardly any other is. To ask by its size and its first letter costs
 * more, since nobody can guess the answer, least of all the processor.
 */
const KNOWN = new Uint8Array(4_096);
for (const set of [UNITS, DATES, LITERALS]) for (const hash of set.keys()) KNOWN[hash & (KNOWN.length - 1)] = 1;

function mayBeKnown(hash: number): boolean {
	return KNOWN[hash & (KNOWN.length - 1)] !== 0;
}

/** Words of so many letters, all of them hexadecimal digits, are numbers. */
const HEX_LETTERS = 8;

function isPathStart(byte: number): boolean {
	return (CLASS[byte]! & SLASH) !== 0 || byte === DOT || byte === TILDE;
}

function words(list: string): ReadonlyMap<number, Buffer> {
	return new Map(
		list.split(" ").map((word) => {
			const bytes = Buffer.from(word);
			return [tokenHash(word).high, bytes];
		}),
	);
}

const CONSTANT = 0;
const PUNCTUATION = 1;
const MASKED = 2;

/** The pieces of a message, which are good until the next. */
export class Masker {
	/** Of the message without what was taken out; together 64 bits. */
	hashHigh = 0;
	hashLow = 0;
	#bytes: Buffer = Buffer.alloc(0);
	#end = 0;
	#pieces = 0;
	readonly #kind = new Uint8Array(MOST_PIECES);
	readonly #from = new Int32Array(MOST_PIECES);
	readonly #to = new Int32Array(MOST_PIECES);
	readonly #high = new Int32Array(MOST_PIECES);
	readonly #low = new Int32Array(MOST_PIECES);
	#tokens = 0;
	/** Of each token, as {@link tokenHash}. */
	readonly tokenHigh = new Int32Array(MOST_TOKENS + 1);
	readonly tokenLow = new Int32Array(MOST_TOKENS + 1);
	/** The first piece of each token. */
	readonly #first = new Int32Array(MOST_TOKENS + 2);
	/** Whether the last token is nothing but a mask and punctuation. */
	#afterMask = false;

	/** Reads a message, UTF-8. Of several lines only the first that is not empty: what follows is a stack trace, or a dump. */
	read(bytes: Buffer, from: number, to: number): void {
		this.#bytes = bytes;
		this.#pieces = 0;
		this.#tokens = 0;
		this.#afterMask = false;
		const end = to - from > MOST_BYTES ? this.#cutAt(from) : to;
		this.#end = end;
		let isCut = end < to;
		let at = from;
		for (;;) {
			let isLineEnd = false;
			for (; at < end && CLASS[bytes[at]!]! & SPACE; at++) if (bytes[at] === LINE_FEED) isLineEnd = true;
			if (at >= end) break;
			if (this.#tokens === MOST_TOKENS || (isLineEnd && this.#tokens > 0)) {
				isCut = true;
				break;
			}
			at = this.#token(at);
		}
		if (isCut) this.#cutOff();
		this.#first[this.#tokens] = this.#pieces;
		this.#hash();
	}

	/** How many tokens the message has. */
	get length(): number {
		return this.#tokens;
	}

	/** The tokens of the message that was read. */
	tokens(): string[] {
		const tokens: string[] = [];
		for (let token = 0; token < this.#tokens; token++) {
			let text = "";
			for (let piece = this.#first[token]!; piece < this.#first[token + 1]!; piece++) {
				if (this.#kind[piece] === MASKED) text += MASK;
				else text += this.#text(piece);
			}
			// What looks like a mask is one: a template could not tell it from the others.
			tokens.push(text.replaceAll(WILDCARD, MASK).replaceAll(REST, MASK));
		}
		return tokens;
	}

	#text(piece: number): string {
		return this.#bytes.toString("utf8", this.#from[piece]!, this.#to[piece]!);
	}

	/** Where a long message is cut: half a word would be another word. */
	#cutAt(from: number): number {
		const most = from + MOST_BYTES;
		for (let at = most; at > from; at--) if (CLASS[this.#bytes[at]!]! & SPACE) return at;
		return most;
	}

	#token(start: number): number {
		const plain = this.#plainWord(start);
		return plain === start ? this.#mixedToken(start) : plain;
	}

	/** A token of letters alone, as most are. @returns where it ends, or `start` when it is another */
	#plainWord(start: number): number {
		const bytes = this.#bytes;
		const end = this.#end;
		let at = start;
		let high = 0;
		let low = 0;
		let next = SPACE;
		let all = HEX;
		for (; at < end; at++) {
			const byte = bytes[at]!;
			next = CLASS[byte]!;
			if (!(next & LETTER)) break;
			all &= next;
			high = (Math.imul(high, HIGH_BASE) + byte) | 0;
			low = (Math.imul(low, LOW_BASE) + byte) | 0;
		}
		if (at < end && !(next & SPACE)) return start;
		if ((all !== 0 && at - start >= HEX_LETTERS) || this.#isLiteral(high, start, at)) return start;
		const first = this.#pieces;
		this.#push(CONSTANT, start, at, high, low);
		this.#first[this.#tokens++] = first;
		this.#wordToken(first, at);
		return at;
	}

	#mixedToken(start: number): number {
		const bytes = this.#bytes;
		const end = this.#end;
		const first = this.#pieces;
		let constants = 0;
		let masks = 0;
		let at = start;
		while (at < end && !(CLASS[bytes[at]!]! & SPACE)) {
			if (!(CLASS[bytes[at]!]! & WORD) || this.#isEllipsis(at)) {
				at = this.#punctuation(at);
				continue;
			}
			at = this.#word(at);
			const last = this.#pieces - 1;
			if (this.#kind[last] === CONSTANT) constants++;
			else if (this.#kind[last] === MASKED) {
				masks++;
				// Of two masks with punctuation between them, but no bracket or quote, one is left.
				if (last - 1 > first && this.#kind[last - 2] === MASKED && this.#kind[last - 1] === PUNCTUATION) {
					if (this.#count(last - 1, OPENER | CLOSER | QUOTED) === 0) this.#pieces -= 2;
				} else if (last > first && this.#kind[last - 1] === MASKED) this.#pieces--;
			}
		}
		this.#first[this.#tokens++] = first;
		if (masks > 0) {
			if (constants === 0) this.#maskToken(first);
			else this.#afterMask = this.#endsWithMask();
		} else if (constants > 0 && constants + 1 >= this.#pieces - first) this.#wordToken(first, at);
		else this.#afterMask = false;
		return at;
	}

	/** A token that may be a unit or a part of a date. */
	#wordToken(first: number, end: number): void {
		if (!mayBeKnown(this.#high[first]!)) this.#afterMask = false;
		else if (!this.#afterMask || !this.#isUnit(first)) this.#afterMask = this.#isDate(first, end);
	}

	/** Whether a mask, or a mask and punctuation, ends the last token. */
	#endsWithMask(): boolean {
		const last = this.#pieces - 1;
		return this.#kind[last] === MASKED || (this.#kind[last] === PUNCTUATION && this.#kind[last - 1] === MASKED);
	}

	#isEllipsis(at: number): boolean {
		const bytes = this.#bytes;
		return bytes[at] === DOT && (bytes[at + 1] === DOT || (at > 0 && bytes[at - 1] === DOT));
	}

	#punctuation(start: number): number {
		const bytes = this.#bytes;
		const end = this.#end;
		let at = start;
		let high = 0;
		let low = 0;
		do {
			const byte = bytes[at]!;
			high = (Math.imul(high, HIGH_BASE) + byte) | 0;
			low = (Math.imul(low, LOW_BASE) + byte) | 0;
			at++;
		} while (at < end && (!(CLASS[bytes[at]!]! & (WORD | SPACE)) || this.#isEllipsis(at)));
		this.#push(PUNCTUATION, start, at, high, low);
		return at;
	}

	#word(start: number): number {
		const bytes = this.#bytes;
		const end = this.#end;
		let at = start;
		let high = 0;
		let low = 0;
		let seen = 0;
		let all = HEX;
		let slashes = 0;
		let dots = 0;
		let isMail = false;
		while (at < end) {
			const byte = bytes[at]!;
			const kind = CLASS[byte]!;
			if (!(kind & WORD)) break;
			if (kind & JOINER) {
				if (byte === DOT) {
					if (this.#isEllipsis(at)) break;
					dots++;
				} else if (kind & SLASH) slashes++;
				else if (byte === AT && seen & LETTER) isMail = true;
			}
			seen |= kind;
			all &= kind;
			high = (Math.imul(high, HIGH_BASE) + byte) | 0;
			low = (Math.imul(low, LOW_BASE) + byte) | 0;
			at++;
		}
		const next = at < end ? bytes[at] : 0;
		if (next === COLON) {
			const behind = this.#behindColon(start, at, seen, dots);
			if (behind > 0) {
				this.#mask(start, behind);
				return behind;
			}
		}
		const isPath = slashes > 1 || (slashes === 1 && at - start > 1 && isPathStart(bytes[start]!));
		const isHex = all !== 0 && at - start >= HEX_LETTERS;
		if (seen & DIGIT || isPath || (isMail && dots > 0) || isHex || this.#isLiteral(high, start, at)) {
			if (isPath && next === QUESTION) while (at < end && !(CLASS[bytes[at]!]! & (SPACE | QUOTED))) at++;
			// A full stop ends the sentence, not the number.
			else if (bytes[at - 1] === DOT && at - start > 1) at--;
			this.#mask(start, at);
			return at;
		}
		this.#push(seen & LETTER ? CONSTANT : PUNCTUATION, start, at, high, low);
		return at;
	}

	/** Where what goes on behind a colon ends, if it is of one piece: a URL, an address, a host with its port; or 0. */
	#behindColon(start: number, colon: number, seen: number, dots: number): number {
		const bytes = this.#bytes;
		const end = this.#end;
		let at = colon + 1;
		if (at >= end) return 0;
		const next = bytes[at]!;
		if (next === SLASH_BYTE && bytes[at + 1] === SLASH_BYTE) {
			while (at < end && !(CLASS[bytes[at]!]! & VALUE_END)) at++;
			return at;
		}
		// A host is masked alone, and one with its port.
		if (dots > 0 && !(seen & DIGIT) && CLASS[next]! & DIGIT) return colon;
		if (colon - start > 4) return 0;
		// MAC and IPv6: groups of up to four hexadecimal digits, some of which are only letters.
		let groups = 0;
		let size = 0;
		for (at = start; at < end; at++) {
			const byte = bytes[at]!;
			if (byte === COLON) {
				groups++;
				size = 0;
			} else if (!(CLASS[byte]! & HEX) || ++size > 4) break;
		}
		return groups >= 4 && (at >= end || !(CLASS[bytes[at]!]! & WORD)) ? at : 0;
	}

	#isLiteral(hash: number, from: number, to: number): boolean {
		return mayBeKnown(hash) && this.#is(LITERALS, hash, from, to);
	}

	/** The token is a mask with punctuation around it: it may be one with the token before. */
	#maskToken(first: number): void {
		const mask = this.#kind[first] === MASKED ? first : first + 1;
		// "<1 sec" is a time as "2 sec" is, "<1>" something in brackets.
		if (mask > first && this.#to[first]! - this.#from[first]! === 1 && mask + 1 === this.#pieces) {
			const sign = this.#bytes[this.#from[first]!];
			if (sign === LESS || sign === GREATER) this.#drop(first);
		}
		if (this.#afterMask) this.#join(first);
		this.#afterMask = true;
	}

	/** Makes one mask of this one and that at the end of the token before, unless it would tear a bracket or a quote from its other. */
	#join(first: number): void {
		let kept = first - 1;
		while (this.#kind[kept] !== MASKED) kept--;
		let mask = first;
		while (this.#kind[mask] !== MASKED) mask++;
		let open = 0;
		for (let piece = kept + 1; piece < mask; piece++) {
			if (this.#count(piece, QUOTED) > 0) return;
			open += this.#count(piece, piece < first ? CLOSER : OPENER) * (piece < first ? -1 : 1);
		}
		if (open !== 0) return;
		for (let piece = mask; piece < this.#pieces; piece++) this.#move(piece, kept + piece - mask);
		this.#pieces -= mask - kept;
		this.#tokens--;
	}

	#count(piece: number, kind: number): number {
		let count = 0;
		for (let at = this.#from[piece]!; at < this.#to[piece]!; at++) if (CLASS[this.#bytes[at]!]! & kind) count++;
		return count;
	}

	/** "5 KB" and "1 MB", "1 second" and "2 seconds" are of one template. @returns whether the token is a unit, and gone */
	#isUnit(first: number): boolean {
		const high = this.#high[first]!;
		if (this.#kind[first] !== CONSTANT) return false;
		if (!this.#is(UNITS, high, this.#from[first]!, this.#to[first]!) || this.#pieces - first > 2) return false;
		// "5, KB" is a list, "5 KB" a size.
		if (this.#kind[first - 1] !== MASKED) return false;
		this.#drop(first);
		this.#tokens--;
		return true;
	}

	/** A day or a month beside a number becomes a mask. @returns whether it did */
	#isDate(first: number, end: number): boolean {
		const high = this.#high[first]!;
		if (this.#kind[first] !== CONSTANT) return false;
		if (!this.#is(DATES, high, this.#from[first]!, this.#to[first]!) || this.#pieces - first > 2) return false;
		if (!this.#afterMask && !this.#isDateNext(end)) return false;
		this.#set(first, MASKED, this.#from[first]!, this.#to[first]!, MASK_HASH.high, MASK_HASH.low);
		if (this.#afterMask) this.#join(first);
		return true;
	}

	#isDateNext(end: number): boolean {
		const bytes = this.#bytes;
		let at = end;
		while (at < this.#end && CLASS[bytes[at]!]! & SPACE) at++;
		if (at >= this.#end) return false;
		if (CLASS[bytes[at]!]! & DIGIT) return true;
		const start = at;
		let hash = 0;
		while (at < this.#end && CLASS[bytes[at]!]! & LETTER) {
			hash = (Math.imul(hash, HIGH_BASE) + bytes[at++]!) | 0;
		}
		return this.#is(DATES, hash, start, at);
	}

	#is(set: ReadonlyMap<number, Buffer>, hash: number, from: number, to: number): boolean {
		const word = set.get(hash);
		if (word === undefined || word.length !== to - from) return false;
		// A closure would be made of every word that is looked up, found or not.
		for (let i = 0; i < word.length; i++) if (word[i] !== this.#bytes[from + i]) return false;
		return true;
	}

	#mask(from: number, to: number): void {
		this.#push(MASKED, from, to, MASK_HASH.high, MASK_HASH.low);
	}

	#push(kind: number, from: number, to: number, high: number, low: number): void {
		this.#set(this.#pieces++, kind, from, to, high, low);
	}

	#set(piece: number, kind: number, from: number, to: number, high: number, low: number): void {
		this.#kind[piece] = kind;
		this.#from[piece] = from;
		this.#to[piece] = to;
		this.#high[piece] = high;
		this.#low[piece] = low;
	}

	#move(from: number, to: number): void {
		this.#kind[to] = this.#kind[from]!;
		this.#from[to] = this.#from[from]!;
		this.#to[to] = this.#to[from]!;
		this.#high[to] = this.#high[from]!;
		this.#low[to] = this.#low[from]!;
	}

	#drop(piece: number): void {
		for (let next = piece + 1; next < this.#pieces; next++) this.#move(next, next - 1);
		this.#pieces--;
	}

	/** What of a message is left out stands as a mask at its end. */
	#cutOff(): void {
		if (this.#afterMask) {
			while (this.#kind[this.#pieces - 1] !== MASKED) this.#pieces--;
			return;
		}
		this.#first[this.#tokens++] = this.#pieces;
		this.#mask(0, 0);
	}

	#hash(): void {
		let high = 0x811c9dc5 | 0;
		let low = 5_381;
		for (let token = 0, piece = 0; token < this.#tokens; token++) {
			// Most tokens are of one piece.
			let tokenHigh = this.#high[piece]!;
			let tokenLow = this.#low[piece]!;
			piece++;
			for (const end = this.#first[token + 1]!; piece < end; piece++) {
				const size = this.#kind[piece] === MASKED ? MASK.length : this.#to[piece]! - this.#from[piece]!;
				tokenHigh = (Math.imul(tokenHigh, HIGH_POWERS[size]!) + this.#high[piece]!) | 0;
				tokenLow = (Math.imul(tokenLow, LOW_POWERS[size]!) + this.#low[piece]!) | 0;
			}
			this.tokenHigh[token] = tokenHigh;
			this.tokenLow[token] = tokenLow;
			high = Math.imul(high ^ tokenHigh, HIGH_BASE);
			high ^= high >>> 15;
			low = Math.imul(low ^ tokenLow, LOW_BASE);
			low ^= low >>> 13;
		}
		this.hashHigh = high;
		this.hashLow = low;
	}
}
