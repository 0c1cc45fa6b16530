/**
 * What templates of log messages are, and which of them are one. Ingest adds to such a set as it meets new messages, reading makes
 * one of what several processes stored: both by the same rule, which depends on the set alone and on no order.
 *
 * A template is tokens joined by a space. Ingest has masked what is plainly a value; a token that is a word becomes a wildcard when
 * enough different ones were seen there between the same other tokens. Two words are no proof: "opened" and "closed" are two
 * statements of a program, twenty names in one place are one.
 */

/** Stands in a token for what was taken out of it. */
export const MASK = "<#>";
/** A token of which any stands in its place. */
export const WILDCARD = "<*>";
/** Ends a template of messages that have nothing else in common: the tree was full when they came. */
export const REST = "<…>";

/** Longer messages are dumps: of them no word is compared. */
const MOST_COMPARED = 32;
/** A place where a value was masked varies; that weighs as much as three words. */
const MASK_WEIGHT = 3;

/** Words that have to be seen in one place, between so many constant tokens. Of little context much is needed. */
function wordsNeeded(constants: number): number {
	return 4 + 8 / constants;
}

export type Tokens = readonly string[];

export function textOf(tokens: Tokens): string {
	return tokens.join(" ");
}

export function tokensOf(text: string): Tokens {
	return text.endsWith(REST) ? [text] : text.split(" ");
}

/** The template as it is shown: what was masked and what varies are the same to a reader. */
export function shown(text: string): string {
	return text.replaceAll(MASK, WILDCARD);
}

/** Whether a token says something itself. */
export function isConstant(token: string): boolean {
	return token !== WILDCARD && /[A-Za-z\u0080-\uffff]/.test(token) && token !== REST;
}

/** Whether some message could belong to both. */
export function overlap(a: Tokens, b: Tokens): boolean {
	return a.length === b.length && a.every((token, i) => token === b[i] || token === WILDCARD || b[i] === WILDCARD);
}

/** Templates, with those that follow from them. */
export class TemplateSet {
	readonly #tokens = new Map<string, Tokens>();
	/** Templates with wildcards by their number of tokens, those with most wildcards first, then by their text. */
	readonly #general = new Map<number, { text: string; tokens: Tokens; wildcards: number }[]>();
	/** Hashes of the words seen in a place, by the hash of the place and all that is around it. */
	readonly #places = new Map<number, number[]>();

	get size(): number {
		return this.#tokens.size;
	}

	get all(): ReadonlyMap<string, Tokens> {
		return this.#tokens;
	}

	has(text: string): boolean {
		return this.#tokens.has(text);
	}

	/** Adds a template, and what follows from it. @returns whether a template with a new wildcard did */
	add(tokens: Tokens): boolean {
		const text = textOf(tokens);
		if (this.#tokens.has(text)) return false;
		this.#tokens.set(text, tokens);
		const wildcards = tokens.filter((token) => token === WILDCARD).length;
		if (wildcards > 0) this.#insert({ text, tokens, wildcards });
		if (tokens.length > MOST_COMPARED) return wildcards > 0;
		const constants = tokens.filter(isConstant).length;
		let isNew = wildcards > 0;
		for (let place = 0; place < tokens.length; place++) {
			const token = tokens[place]!;
			const around = isConstant(token) ? constants - 1 : constants;
			if (token === WILDCARD || around === 0) continue;
			const general = tokens.with(place, WILDCARD);
			if (this.#see(place, general, token) >= wordsNeeded(around) && this.add(general)) isNew = true;
		}
		return isNew;
	}

	/** Templates with wildcards of so many tokens, those with most wildcards first. */
	general(length: number): readonly { readonly text: string; readonly tokens: Tokens }[] {
		return this.#general.get(length) ?? [];
	}

	/** The most general template with wildcards that a message of these tokens belongs to. */
	match(tokens: Tokens): string | undefined {
		return this.general(tokens.length).find((general) => covers(general.tokens, tokens))?.text;
	}

	/** @returns the weight of the words seen there */
	#see(place: number, around: Tokens, token: string): number {
		const key = hash(`${place} ${textOf(around)}`);
		const word = hash(token) * 2 + (token.includes(MASK) ? 1 : 0);
		const words = this.#places.get(key) ?? [];
		if (!words.includes(word)) words.push(word);
		this.#places.set(key, words);
		return words.reduce((sum, seen) => sum + (seen % 2 === 1 ? MASK_WEIGHT : 1), 0);
	}

	#insert(template: { text: string; tokens: Tokens; wildcards: number }): void {
		const length = template.tokens.length;
		const others = this.#general.get(length) ?? [];
		others.push(template);
		others.sort((a, b) => b.wildcards - a.wildcards || (a.text < b.text ? -1 : 1));
		this.#general.set(length, others);
	}
}

function covers(general: Tokens, tokens: Tokens): boolean {
	for (let i = 0; i < tokens.length; i++) if (general[i] !== WILDCARD && general[i] !== tokens[i]) return false;
	return true;
}

/** 52 bits of a text: FNV-1a, and a second hash beside it. */
function hash(text: string): number {
	let high = 0x811c9dc5;
	let low = 5_381;
	for (let i = 0; i < text.length; i++) {
		const code = text.charCodeAt(i);
		high = Math.imul(high ^ code, 0x01000193);
		low = (Math.imul(low, 33) + code) | 0;
	}
	return (high >>> 0) * 0x100000 + ((low ^ (low >>> 12)) & 0xfffff);
}

/**
 * Which templates are one: those to which one message could belong, given all of them and what follows from them. So a line is counted under
 * the same pattern whichever process took it, and whatever that one had seen before.
 * @returns for each template the template of its group: constant where all of the group are
 */
export function unify(templates: Iterable<string>): Map<string, string> {
	const set = new TemplateSet();
	const asked = [...templates];
	for (const text of asked) set.add(tokensOf(text));
	const groups = new Groups();
	const byLength = new Map<number, Tokens[]>();
	for (const tokens of set.all.values()) {
		const others = byLength.get(tokens.length) ?? [];
		if (others.push(tokens) === 1) byLength.set(tokens.length, others);
	}
	for (const sameLength of byLength.values()) {
		for (const general of sameLength) {
			if (!general.includes(WILDCARD)) continue;
			for (const other of sameLength) if (overlap(general, other)) groups.join(textOf(general), textOf(other));
		}
	}
	const template = new Map<string, Tokens>();
	for (const [text, tokens] of set.all) {
		const root = groups.rootOf(text);
		const before = template.get(root);
		template.set(root, before ? before.map((token, i) => (token === tokens[i] ? token : WILDCARD)) : tokens);
	}
	return new Map(asked.map((text) => [text, textOf(template.get(groups.rootOf(text))!)]));
}

/** Sets that are joined. */
class Groups {
	readonly #parent = new Map<string, string>();

	rootOf(text: string): string {
		let root = text;
		for (let next = this.#parent.get(root); next !== undefined; next = this.#parent.get(root)) root = next;
		if (root !== text) this.#parent.set(text, root);
		return root;
	}

	join(a: string, b: string): void {
		const [one, other] = [this.rootOf(a), this.rootOf(b)];
		if (one !== other) this.#parent.set(one, other);
	}
}
