/** A query tree as a function of a log: what {@link logPredicate} says to ClickHouse, for logs that are on their way there. */
import { LOG_LEVELS, type LogLevel } from "../../schema/wire/index.ts";
import type { Node, PatternPart, Value } from "./ast.ts";
import { fold, lowerAscii } from "./fold.ts";
import { isNumber, isWordCharacter, levelOf } from "./sql.ts";
import { isWordUnit, wildcards } from "./wildcards.ts";

/** A row of `logs` as it is stored: texts that were not sent are empty. */
export interface LogTexts {
	readonly level: string;
	readonly component: string;
	readonly message: string;
	/** JSON text of an object, or empty. */
	readonly context: string;
	readonly trace_id: string;
	readonly span_id: string;
}

/** A log with what queries ask of it, each made when the first of them asks. */
export class MatchedLog {
	readonly texts: LogTexts;
	#lowered: string | undefined;
	#loweredAscii: string | undefined;
	#folded: string | undefined;
	#context: unknown;

	constructor(texts: LogTexts) {
		this.texts = texts;
	}

	get lowered(): string {
		this.#lowered ??= this.texts.message.toLowerCase();
		return this.#lowered;
	}

	get loweredAscii(): string {
		this.#loweredAscii ??= lowerAscii(this.texts.message);
		return this.#loweredAscii;
	}

	get folded(): string {
		this.#folded ??= fold(this.texts.message);
		return this.#folded;
	}

	get context(): unknown {
		const { context } = this.texts;
		this.#context ??= context === "" ? {} : JSON.parse(context);
		return this.#context;
	}
}

export type LogMatcher = (log: MatchedLog) => boolean;

/** Whether a log matches a tree; without a tree, every one does. Time is linear in the log, for any query. */
export function matcher(node: Node | undefined): LogMatcher {
	if (!node) return () => true;
	switch (node.type) {
		case "and": {
			const each = node.children.map(matcher);
			return (log) => each.every((matches) => matches(log));
		}
		case "or": {
			const each = node.children.map(matcher);
			return (log) => each.some((matches) => matches(log));
		}
		case "not": {
			const matches = matcher(node.child);
			return (log) => !matches(log);
		}
		case "match":
			return matchField(node.field, node.value);
	}
}

function matchField(field: string, value: Value): LogMatcher {
	if (field === "message") return matchMessage(value);
	if (field === "level") return matchLevel(value);
	if (field.startsWith("context.")) return matchContext(field.slice("context.".length), value);
	const matches = matchText(value);
	const name = field as "component" | "trace_id" | "span_id";
	return (log) => matches(log.texts[name]);
}

function matchMessage(value: Value): LogMatcher {
	switch (value.type) {
		case "phrase": {
			const text = fold(value.text);
			return (log) => log.folded.includes(text);
		}
		case "range": {
			const matches = matchText(value);
			return (log) => matches(log.texts.message);
		}
		case "word":
			return matchWord(value.text);
		case "pattern":
			return matchWords(value.parts);
	}
}

function matchWord(text: string): LogMatcher {
	// The tokens of the index lower nothing but ASCII: 5K with the sign of Kelvin is no 5k to them.
	if (/^[0-9a-z]+$/i.test(text)) {
		const word = text.toLowerCase();
		return (log) => hasWord(log.loweredAscii, word, true, true);
	}
	const word = text.toLowerCase();
	const [before, after] = [isWordCharacter(text[0]), isWordCharacter(text.at(-1))];
	return (log) => hasWord(log.lowered, word, before, after);
}

function hasWord(text: string, word: string, before: boolean, after: boolean): boolean {
	for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
		const end = at + word.length;
		if (before && at > 0 && isWordUnit(text.charCodeAt(at - 1))) continue;
		if (!after || end === text.length || !isWordUnit(text.charCodeAt(end))) return true;
	}
	return false;
}

function matchWords(parts: readonly PatternPart[]): LogMatcher {
	if (isAnything(parts)) return (log) => log.texts.message !== "";
	const edge = (part: PatternPart, of: (text: string) => string | undefined) =>
		typeof part === "string" || isWordCharacter(of(part.literal));
	const matches = wildcards(lowered(parts), {
		within: "words",
		before: edge(parts[0]!, (text) => text[0]),
		after: edge(parts.at(-1)!, (text) => text.at(-1)),
	});
	return (log) => matches(log.lowered);
}

function matchLevel(value: Value): LogMatcher {
	if (value.type === "pattern") {
		const matches = matchText({ type: "pattern", parts: lowered(value.parts) });
		return (log) => matches(log.texts.level);
	}
	if (value.type !== "range") {
		const level = levelOf(value.text);
		return (log) => log.texts.level === level;
	}
	const rank = (text: string) => LOG_LEVELS.indexOf(levelOf(text) as LogLevel);
	const fits = within(value, rank, (a, b) => a - b);
	const allowed = new Set<string>(LOG_LEVELS.filter((level) => fits(rank(level))));
	return (log) => allowed.has(log.texts.level);
}

/** On the whole of a text. */
function matchText(value: Value): (text: string) => boolean {
	switch (value.type) {
		case "word":
		case "phrase":
			return (text) => text === value.text;
		case "pattern":
			return isAnything(value.parts) ? (text) => text !== "" : wildcards(value.parts, { within: "whole" });
		case "range": {
			// The order of the bytes, which is not that of UTF-16.
			const fits = within(value, (text) => Buffer.from(text), Buffer.compare);
			return (text) => text !== "" && fits(Buffer.from(text));
		}
	}
}

function matchContext(path: string, value: Value): LogMatcher {
	const keys = path.split(".");
	const compare = compareMember(value);
	return (log) => {
		const member = memberAt(log.context, keys) ?? memberAt(log.context, [path]);
		return member !== undefined && compare(member.text);
	};
}

function compareMember(value: Value): (text: string) => boolean {
	if (value.type === "pattern") return matchText(value);
	if (value.type === "range") {
		const bounds = [value.min, value.max].filter((bound) => bound !== undefined);
		if (bounds.length === 0 || !bounds.every(isNumber)) return matchText(value);
		const fits = within(value, Number, (a, b) => a - b);
		return (text) => {
			const number = numberOf(text);
			return number !== undefined && fits(number);
		};
	}
	if (!isNumber(value.text)) return (text) => text === value.text;
	const asked = Number(value.text);
	return (text) => text === value.text || numberOf(text) === asked;
}

/** A member as text: of a string what it says, of anything else its JSON. Own members of objects only. */
function memberAt(context: unknown, keys: readonly string[]): { text: string } | undefined {
	let at = context;
	for (const key of keys) {
		if (typeof at !== "object" || at === null || Array.isArray(at) || !Object.hasOwn(at, key)) return undefined;
		at = (at as Record<string, unknown>)[key];
	}
	return { text: typeof at === "string" ? at : rawOf(at) };
}

/** JSON as the engine prints it: it escapes the two line ends that JavaScript leaves, and writes no plus in exponents. */
function rawOf(value: unknown): string {
	return JSON.stringify(value).replace(/"(?:[^"\\]|\\.)*"|e\+/g, (part) =>
		part === "e+" ? "e" : part.replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029"),
	);
}

/** As `toFloat64OrNull`: infinities by their names too. */
function numberOf(text: string): number | undefined {
	if (isNumber(text)) return Number(text);
	const [, sign] = /^([+-]?)inf(?:inity)?$/i.exec(text) ?? [];
	return sign === undefined ? undefined : sign === "-" ? -Infinity : Infinity;
}

function within<T>(
	range: Value & { type: "range" },
	of: (bound: string) => T,
	compare: (a: T, b: T) => number,
): (at: T) => boolean {
	const min = range.min === undefined ? undefined : of(range.min);
	const max = range.max === undefined ? undefined : of(range.max);
	return (at) => {
		const low = min === undefined ? 1 : compare(at, min);
		const high = max === undefined ? -1 : compare(at, max);
		return (range.minIncluded ? low >= 0 : low > 0) && (range.maxIncluded ? high <= 0 : high < 0);
	};
}

function isAnything(parts: readonly PatternPart[]): boolean {
	return parts.length === 1 && parts[0] === "*";
}

function lowered(parts: readonly PatternPart[]): readonly PatternPart[] {
	return parts.map((part) => (typeof part === "string" ? part : { literal: part.literal.toLowerCase() }));
}
