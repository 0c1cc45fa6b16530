/** Patterns with `*` and `?` in time linear in the text, whatever the pattern: a viewer's query must not stall the process. */
import type { PatternPart } from "./ast.ts";

/** Whether a unit of a lowered text belongs to words: as the tokenizer of the text index has it, all beyond ASCII included. */
export function isWordUnit(unit: number): boolean {
	return unit >= 0x80 || (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39);
}

export interface WildcardOptions {
	/**
	 * `whole`: the pattern is the whole text, wildcards stand for anything. `words`: it stands somewhere in a lowered text,
	 * wildcards stand for characters of words.
	 */
	readonly within: "whole" | "words";
	/** Of `words`: no character of a word may stand before, or after. */
	readonly before?: boolean;
	readonly after?: boolean;
}

/**
 * All ways to match advance together, a bit for each place in the pattern (Shift-And, Baeza-Yates and Gonnet 1992); a star is a
 * place that stays. Work for a character: one step for 32 places of the pattern.
 */
export function wildcards(parts: readonly PatternPart[], options: WildcardOptions): (text: string) => boolean {
	const { within, before = false, after = false } = options;
	const inWords = within === "words";
	const length = parts.reduce((sum, part) => sum + (part === "*" ? 0 : part === "?" ? 1 : [...part.literal].length), 0);
	const size = (length >> 5) + 1;
	const bits = () => new Uint32Array(size);
	const set = (mask: Uint32Array, place: number) => {
		mask[place >> 5]! |= 1 << (place & 31);
	};
	/** Places that any wildcard's character passes, and places that stay for one. */
	const [passes, stays] = [bits(), bits()];
	const literals = new Map<number, Uint32Array>();
	let place = 0;
	for (const part of parts) {
		if (part === "*") set(stays, place);
		else if (part === "?") set(passes, place++);
		else {
			for (const character of part.literal) {
				const code = character.codePointAt(0)!;
				if (!literals.has(code)) literals.set(code, bits());
				set(literals.get(code)!, place++);
			}
		}
	}
	const needed = parts.reduce((longest, part) => {
		return typeof part !== "string" && part.literal.length > longest.length ? part.literal : longest;
	}, "");
	const [end, endBit] = [length >> 5, 1 << (length & 31)];

	return (text) => {
		if (!text.includes(needed)) return false;
		const active = bits();
		let wasWord = false;
		for (let at = 0; at < text.length; ) {
			const code = text.codePointAt(at)!;
			const isWord = inWords && isWordUnit(code);
			if (inWords ? !before || !wasWord : at === 0) active[0]! |= 1;
			if (inWords && (active[end]! & endBit) !== 0 && (!after || !isWord)) return true;
			const isWild = !inWords || isWord;
			const literal = literals.get(code);
			let carry = 0;
			let any = 0;
			for (let i = 0; i < size; i++) {
				const now = active[i]!;
				const passing = now & ((literal ? literal[i]! : 0) | (isWild ? passes[i]! : 0));
				const next = (passing << 1) | carry | (isWild ? now & stays[i]! : 0);
				carry = passing >>> 31;
				active[i] = next;
				any |= next;
			}
			if (!inWords && any === 0) return false;
			wasWord = isWord;
			at += code > 0xffff ? 2 : 1;
		}
		if (inWords ? !before || !wasWord : text.length === 0) active[0]! |= 1;
		return (active[end]! & endBit) !== 0;
	};
}
