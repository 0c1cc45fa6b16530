import { hash } from "node:crypto";
import { isConstant, REST, TemplateSet, type Tokens, textOf, tokensOf, WILDCARD } from "../../schema/log-patterns.ts";
import { Masker, tokenHash } from "./mask.ts";

/** What lines of one shape are counted under. Its id is made of the template: every process gives it the same one. */
export class Pattern {
	readonly template: string;
	/** The two halves of the 64-bit id, as signed integers. */
	readonly idHigh: number;
	readonly idLow: number;
	/** The day, since the epoch, of the last batch that holds its row of `log_patterns`; -1 when none does. */
	announced = -1;

	constructor(template: string) {
		const { high, low } = patternId(template);
		this.template = template;
		this.idHigh = high | 0;
		this.idLow = low | 0;
	}
}

/** The first 64 bits of SHA-256 over the template. It is stored with every line: never change it. 0 stands for no pattern. */
export function patternId(template: string): { high: number; low: number } {
	const digest = hash("sha256", template, "buffer");
	const [high, low] = [digest.readUInt32BE(0), digest.readUInt32BE(4)];
	return { high, low: high === 0 && low === 0 ? 1 : low };
}

/** Of a project at a time. */
export const MOST_TEMPLATES = 2_048;

const DAY_S = 86_400;
/** A line may be dated so many days later than it is received. */
const AHEAD_DAYS = 1;

/** Seconds since the epoch that no line received on a day is dated behind. */
export function linesUntil(day: number): number {
	return (day + 1 + AHEAD_DAYS) * DAY_S;
}

/** The day of {@link linesUntil}. */
export function announcedOn(until: number): number {
	return until / DAY_S - 1 - AHEAD_DAYS;
}

export interface MinerOptions {
	/** Templates a project may have at a time; then what is new is put together by its first word. */
	readonly perProject?: number;
}

/** Templates for messages that the tree has no room for, by their first word. */
const MOST_RESTS = 256;
/** So many templates of one beginning, none of them of a more general one: what they say is not all constant. */
const CROWDED = 64;

/**
 * Finds the pattern of each log line. A line whose shape, which is what {@link Masker} leaves of it, was seen before costs that pass and
 * a look-up; a new shape goes down a tree of tokens (Drain: He et al., "Drain: An Online Log Parsing Approach with Fixed Depth
 * Tree", 2017), in which a word becomes a wildcard when {@link TemplateSet} says so.
 */
export class PatternMiner {
	readonly #masker = new Masker();
	readonly #options: Required<MinerOptions>;
	readonly #projects = new Map<string, ProjectPatterns>();

	constructor(options: MinerOptions = {}) {
		this.#options = { perProject: MOST_TEMPLATES, ...options };
	}

	of(project: string): ProjectPatterns {
		let patterns = this.#projects.get(project);
		if (!patterns) {
			patterns = new ProjectPatterns(this.#masker, this.#options.perProject);
			this.#projects.set(project, patterns);
		}
		return patterns;
	}

	/** From now on every pattern is announced once more: rows of theirs were taken away. */
	announceAgain(): void {
		for (const patterns of this.#projects.values()) patterns.announceAgain();
	}
}

export class ProjectPatterns {
	readonly #masker: Masker;
	readonly #most: number;
	readonly #shapes = new ShapeTable();
	#templates = new TemplateSet();
	#general = this.#newGeneral();
	/** By template. */
	#patterns = new Map<string, Pattern>();
	#leaves = new Map<string, Tokens[]>();
	#rests = 0;
	/** The day on which templates that nobody sends any more were last forgotten. */
	#forgot = 0;

	constructor(masker: Masker, most: number) {
		this.#masker = masker;
		this.#most = most;
	}

	/** Templates held. */
	get size(): number {
		return this.#templates.size;
	}

	/** Tells of a template that was announced on a day. */
	know(template: string, day: number): void {
		const isNew = !this.#patterns.has(template);
		const pattern = this.#pattern(template);
		pattern.announced = Math.max(pattern.announced, day);
		if (!template.endsWith(REST)) this.#add(tokensOf(template));
		else if (isNew && template !== REST) this.#rests++;
	}

	/** A day back, not to none: what is in use stays what makes room keeps. */
	announceAgain(): void {
		for (const pattern of this.#patterns.values()) pattern.announced--;
	}

	/**
	 * The pattern of a message, UTF-8.
	 * @param day since the epoch
	 */
	mine(bytes: Buffer, from: number, to: number, day: number): Pattern {
		const masker = this.#masker;
		masker.read(bytes, from, to);
		return this.#shapes.find(masker.hashHigh, masker.hashLow) ?? this.#general.find(masker) ?? this.#meet(day);
	}

	/** The shape that the masker holds is not in the table. */
	#meet(day: number): Pattern {
		const { hashHigh, hashLow } = this.#masker;
		const tokens = this.#masker.tokens();
		if (this.#templates.size >= this.#most && this.#forgot < day) this.#forget(day);
		const pattern = this.#pattern(this.#templateOf(tokens));
		this.#shapes.add(hashHigh, hashLow, pattern);
		return pattern;
	}

	#templateOf(tokens: Tokens): string {
		const text = textOf(tokens);
		const known = this.#templates.match(tokens);
		if (known !== undefined) return known;
		if (this.#templates.has(text)) return text;
		if (this.#templates.size >= this.#most) return this.#rest(tokens);
		const template = this.#amongMany(tokens) ?? tokens;
		this.#add(template);
		// Also when a more general one follows from it: a template that no line names is not there after a restart.
		return textOf(template);
	}

	#add(tokens: Tokens): void {
		if (this.#templates.has(textOf(tokens))) return;
		const isGeneral = this.#templates.add(tokens);
		if (this.#templates.match(tokens) === undefined) {
			for (const { leaf } of leavesOf(tokens)) this.#leaves.set(leaf, [...(this.#leaves.get(leaf) ?? []), tokens]);
		}
		if (!isGeneral) return;
		// Shapes, and templates, that were met before may be of the more general one now.
		this.#shapes.clear();
		this.#general = this.#newGeneral();
		for (const [other, all] of this.#leaves) {
			if (all[0]?.length !== tokens.length) continue;
			const left = all.filter((each) => this.#templates.match(each) === undefined);
			if (left.length > 0) this.#leaves.set(other, left);
			else this.#leaves.delete(other);
		}
	}

	/**
	 * The message with wildcards for the tokens that are hardly ever the same where so many templates are alike otherwise; undefined
	 * when they are not so many, or nothing would be left.
	 */
	#amongMany(tokens: Tokens): Tokens | undefined {
		for (const { leaf, crowded } of leavesOf(tokens)) {
			const others = this.#leaves.get(leaf) ?? [];
			if (others.length < crowded) continue;
			const template = tokens.map((token, i) => {
				const words = new Set(others.map((other) => other[i]));
				return words.size > others.length / 2 ? WILDCARD : token;
			});
			if (template.includes(WILDCARD) && template.some(isConstant)) return template;
		}
		return undefined;
	}

	/** There is no room: messages that begin with the same word are one, as far as there is room for that. */
	#rest(tokens: Tokens): string {
		const template = [...tokens.slice(0, 1).filter(isConstant), REST].join(" ");
		if (this.#patterns.has(template)) return template;
		if (this.#rests >= MOST_RESTS) return REST;
		this.#rests++;
		return template;
	}

	#newGeneral(): GeneralPatterns {
		return new GeneralPatterns(this.#templates, (template) => this.#pattern(template));
	}

	#pattern(template: string): Pattern {
		let pattern = this.#patterns.get(template);
		if (!pattern) {
			pattern = new Pattern(template);
			this.#patterns.set(template, pattern);
		}
		return pattern;
	}

	/** Makes room: what was not sent today or yesterday is met anew, under the same id, should it come again. */
	#forget(day: number): void {
		const kept = [...this.#patterns.values()].filter(({ announced }) => announced >= day - 1);
		this.#templates = new TemplateSet();
		this.#patterns = new Map();
		this.#leaves = new Map();
		this.#rests = 0;
		this.#shapes.clear();
		this.#general = this.#newGeneral();
		this.#forgot = day;
		for (const { template, announced } of kept) this.know(template, announced);
	}
}

/** The leaves of the tree that a template is in, and how many in each are a crowd: those that begin alike, and all of its length. */
function leavesOf(tokens: Tokens): { leaf: string; crowded: number }[] {
	return [
		{ leaf: `${tokens.length} ${tokens[0] ?? ""}`, crowded: CROWDED },
		{ leaf: `${tokens.length}`, crowded: 4 * CROWDED },
	];
}

/**
 * The templates with wildcards by the hashes of their tokens: lines of free text are hardly ever of a shape that was seen before, and
 * should not have to become texts to be told. Good until another such template follows.
 */
class GeneralPatterns {
	readonly #templates: TemplateSet;
	readonly #patternOf: (template: string) => Pattern;
	readonly #byLength: (GeneralPattern[] | undefined)[] = [];

	constructor(templates: TemplateSet, patternOf: (template: string) => Pattern) {
		this.#templates = templates;
		this.#patternOf = patternOf;
	}

	/** The pattern that {@link TemplateSet.match} names for the tokens of the message that was read. */
	find({ length, tokenHigh, tokenLow }: Masker): Pattern | undefined {
		for (const { text, places, high, low } of this.#of(length)) {
			let i = 0;
			while (i < places.length && high[i] === tokenHigh[places[i]!] && low[i] === tokenLow[places[i]!]) i++;
			if (i === places.length) return this.#patternOf(text);
		}
		return undefined;
	}

	#of(length: number): GeneralPattern[] {
		let patterns = this.#byLength[length];
		if (!patterns) {
			patterns = this.#templates.general(length).map(({ text, tokens }) => {
				const places = [...tokens.keys()].filter((place) => tokens[place] !== WILDCARD);
				const hashes = places.map((place) => tokenHash(tokens[place]!));
				return {
					...{ text, places: Uint8Array.from(places) },
					high: Int32Array.from(hashes, ({ high }) => high),
					low: Int32Array.from(hashes, ({ low }) => low),
				};
			});
			this.#byLength[length] = patterns;
		}
		return patterns;
	}
}

/** The tokens of a template that are no wildcards, by their place. */
interface GeneralPattern {
	readonly text: string;
	readonly places: Uint8Array;
	readonly high: Int32Array;
	readonly low: Int32Array;
}

const SLOTS = 1 << 15;

/** Patterns by the hash of shapes. When it is full it starts anew; what is in use comes back at once. */
class ShapeTable {
	readonly #hashes = new Int32Array(2 * SLOTS);
	readonly #patterns: (Pattern | undefined)[] = new Array(SLOTS).fill(undefined);
	#size = 0;

	find(high: number, low: number): Pattern | undefined {
		const hashes = this.#hashes;
		for (let slot = low & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
			const pattern = this.#patterns[slot];
			if (pattern === undefined || (hashes[2 * slot] === high && hashes[2 * slot + 1] === low)) return pattern;
		}
	}

	add(high: number, low: number, pattern: Pattern): void {
		if (this.#size * 2 >= SLOTS) this.clear();
		let slot = low & (SLOTS - 1);
		while (this.#patterns[slot] !== undefined) slot = (slot + 1) & (SLOTS - 1);
		this.#hashes[2 * slot] = high;
		this.#hashes[2 * slot + 1] = low;
		this.#patterns[slot] = pattern;
		this.#size++;
	}

	clear(): void {
		if (this.#size === 0) return;
		this.#patterns.fill(undefined);
		this.#size = 0;
	}
}
