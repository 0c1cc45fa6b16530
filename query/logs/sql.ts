/** A query tree as a predicate on `logs`, and as a hint that lets the text indexes skip. */
import { LEVEL_ALIASES, LOG_LEVELS, type LogLevel } from "../../schema/wire/index.ts";
import type { Params } from "../sql.ts";
import type { Node, PatternPart, Value } from "./ast.ts";

/**
 * The predicate of a tree, written so that the text index serves what it can. Measured on ClickHouse 26.7: with the preprocessor
 * of the index `hasAllTokens` is case-insensitive, as a condition of the whole query and with index use switched on, also on
 * parts whose index is not built yet; elsewhere it is case-sensitive. So it may stand only in the outermost conjunction: alone for
 * words, which then need no message to be read at all, and beside the exact predicate where it says only a part of it.
 */
export function logPredicate(params: Params, node: Node | undefined): string {
	return logScan(params, node).where;
}

export interface LogScan {
	readonly where: string;
	/** Whether tokens are looked up: what finds them must then be the index. */
	readonly isLookedUp: boolean;
	/** Whether a part of a token is looked for in all tokens that the index has. */
	readonly isLookedThrough: boolean;
}

/** `logPredicate`, and what it rests on. */
export function logScan(params: Params, node: Node | undefined): LogScan {
	if (!node) return { where: "1", isLookedUp: false, isLookedThrough: false };
	const children = node.type === "and" ? node.children : [node];
	const words = children.map(wordsOf);
	const conditions = children.map((child, i) =>
		words[i] === undefined ? `(${exact(params, child)})` : hintOf(params, { anyOf: words[i] }),
	);
	const required = children.flatMap((child, i) => (words[i] === undefined ? requirements(child) : []));
	const lookUps = required.filter((clause) => "anyOf" in clause);
	// A part of a token is looked for in all that an index has: once at most, and only where no whole token is known.
	const isLookedUp = lookUps.length > 0 || words.some((anyOf) => anyOf !== undefined);
	const parts = required.flatMap((clause) => ("contains" in clause ? [clause.contains] : []));
	const hints = isLookedUp ? lookUps.map((clause) => hintOf(params, clause)) : partHint(params, parts);
	return {
		where: [...conditions, ...hints].join(" AND "),
		isLookedUp,
		isLookedThrough: !isLookedUp && hints.length > 0,
	};
}

/** The predicate of a tree without the index: for rows that are found already. */
export function exactLogPredicate(params: Params, node: Node | undefined): string {
	return node ? `(${exact(params, node)})` : "1";
}

/** Tokens of which a matching message must have one, where that is all the node says. */
function wordsOf(node: Node): readonly string[] | undefined {
	if (node.type === "or") {
		const each = node.children.map(wordsOf);
		return each.every((words) => words !== undefined) ? each.flat() : undefined;
	}
	const isWord =
		node.type === "match" && node.field === "message" && node.value.type === "word" && isToken(node.value.text);
	return isWord ? [(node.value as { text: string }).text.toLowerCase()] : undefined;
}

/** Only ASCII: the preprocessor of the index lowers nothing else. */
function isToken(text: string): boolean {
	return /^[0-9a-z]+$/i.test(text);
}

function exact(params: Params, node: Node): string {
	switch (node.type) {
		case "and":
			return node.children.map((child) => `(${exact(params, child)})`).join(" AND ");
		case "or":
			return node.children.map((child) => `(${exact(params, child)})`).join(" OR ");
		case "not":
			return `NOT (${exact(params, node.child)})`;
		case "match":
			return match(params, node.field, node.value);
	}
}

function match(params: Params, field: string, value: Value): string {
	if (field === "message") return matchMessage(params, value);
	if (field === "level") return matchLevel(params, value);
	if (field.startsWith("context.")) return matchContext(params, field.slice("context.".length), value);
	return matchText(params, field, value);
}

/** Characters that words are made of: as the tokenizer of the index has it, all of Unicode beyond ASCII included. */
const WORD_CHARACTER = "[0-9a-z\\x{80}-\\x{10FFFF}]";
const NO_WORD_CHARACTER = "[^0-9a-z\\x{80}-\\x{10FFFF}]";
/** Whether a unit of UTF-16 is one of them, in either case. */
export function isWordCharacter(c: string | undefined): boolean {
	return c !== undefined && /[0-9a-z\u0080-\uffff]/i.test(c);
}

function matchMessage(params: Params, value: Value): string {
	switch (value.type) {
		case "phrase":
			return `positionCaseInsensitiveUTF8(message, ${params.add("String", value.text)}) > 0`;
		case "range":
			return matchText(params, "message", value);
		case "word":
			if (/^[0-9a-z]+$/i.test(value.text))
				return `hasTokenCaseInsensitive(message, ${params.add("String", value.text)})`;
			return matchWords(params, [{ literal: value.text }]);
		case "pattern":
			return value.parts.length === 1 && value.parts[0] === "*" ? "message != ''" : matchWords(params, value.parts);
	}
}

/** Whole words: where the text begins or ends with a character of words, the word does too. */
function matchWords(params: Params, parts: readonly PatternPart[]): string {
	const body = parts
		.map((part) => {
			if (part === "*") return `${WORD_CHARACTER}*`;
			return part === "?" ? WORD_CHARACTER : escapeRegex(part.literal.toLowerCase());
		})
		.join("");
	const edge = (part: PatternPart, c: (text: string) => string | undefined) =>
		typeof part === "string" || isWordCharacter(c(part.literal));
	const before = edge(parts[0]!, (text) => text[0]) ? `(?:^|${NO_WORD_CHARACTER})` : "";
	const after = edge(parts.at(-1)!, (text) => text.at(-1)) ? `(?:$|${NO_WORD_CHARACTER})` : "";
	return `match(lowerUTF8(message), ${params.add("String", `(?s)${before}${body}${after}`)})`;
}

function matchLevel(params: Params, value: Value): string {
	if (value.type === "pattern") return matchText(params, "level", lowered(value));
	if (value.type !== "range") return `level = ${params.add("String", levelOf(value.text))}`;
	const rank = (text: string) => LOG_LEVELS.indexOf(levelOf(text) as LogLevel);
	const allowed = LOG_LEVELS.filter(
		(_, i) =>
			(value.min === undefined || (value.minIncluded ? i >= rank(value.min) : i > rank(value.min))) &&
			(value.max === undefined || (value.maxIncluded ? i <= rank(value.max) : i < rank(value.max))),
	);
	return `level IN ${params.add("Array(String)", allowed)}`;
}

/** The name a level is stored by. */
export function levelOf(text: string): string {
	const level = text.toLowerCase();
	return LEVEL_ALIASES[level] ?? level;
}

function lowered(value: Value & { type: "pattern" }): Value {
	return {
		type: "pattern",
		parts: value.parts.map((part) => (typeof part === "string" ? part : { literal: part.literal.toLowerCase() })),
	};
}

/** On the whole of a text column. */
function matchText(params: Params, column: string, value: Value): string {
	switch (value.type) {
		case "word":
		case "phrase":
			return `${column} = ${params.add("String", value.text)}`;
		case "pattern":
			return matchPattern(params, column, value.parts);
		case "range": {
			const bounds = [
				...(value.min === undefined
					? []
					: [`${column} ${value.minIncluded ? ">=" : ">"} ${params.add("String", value.min)}`]),
				...(value.max === undefined
					? []
					: [`${column} ${value.maxIncluded ? "<=" : "<"} ${params.add("String", value.max)}`]),
			];
			return [`${column} != ''`, ...bounds].join(" AND ");
		}
	}
}

function matchPattern(params: Params, text: string, parts: readonly PatternPart[]): string {
	if (parts.length === 1 && parts[0] === "*") return `${text} != ''`;
	const body = parts.map((part) => (part === "*" ? ".*" : part === "?" ? "." : escapeRegex(part.literal))).join("");
	return `match(${text}, ${params.add("String", `(?s)^${body}$`)})`;
}

/**
 * A member of the context, by path or by a name with dots in it. Numbers compare as numbers where the query has numbers, also
 * when the context has them as text.
 */
function matchContext(params: Params, path: string, value: Value): string {
	const keys = path.split(".");
	const nested = `context, ${keys.map((key) => params.add("String", key)).join(", ")}`;
	const flat = `context, ${params.add("String", path)}`;
	const textAt = (at: string) => `if(JSONType(${at}) = 'String', JSONExtractString(${at}), JSONExtractRaw(${at}))`;
	const text = keys.length === 1 ? textAt(flat) : `if(JSONHas(${nested}), ${textAt(nested)}, ${textAt(flat)})`;
	const there = contextHint(params, keys);
	// A member that is not there reads as an empty text.
	const isEmpty = (value.type === "word" || value.type === "phrase") && value.text === "";
	const has = isEmpty ? `(JSONHas(${nested}) OR JSONHas(${flat})) AND ` : "";
	return `${there}${has}${compareContext(params, text, value)}`;
}

function compareContext(params: Params, text: string, value: Value): string {
	if (value.type === "pattern") return matchPattern(params, text, value.parts);
	const number = (given: string) => params.add("Float64", Number(given));
	if (value.type === "range") {
		const bounds = [value.min, value.max].filter((bound) => bound !== undefined);
		if (!bounds.every(isNumber)) return matchText(params, text, value);
		const asNumber = `toFloat64OrNull(${text})`;
		const compared = [
			...(value.min === undefined ? [] : [`${asNumber} ${value.minIncluded ? ">=" : ">"} ${number(value.min)}`]),
			...(value.max === undefined ? [] : [`${asNumber} ${value.maxIncluded ? "<=" : "<"} ${number(value.max)}`]),
		];
		return `ifNull(${compared.length === 0 ? `${text} != ''` : compared.join(" AND ")}, 0)`;
	}
	const equal = `${text} = ${params.add("String", value.text)}`;
	return isNumber(value.text) ? `(${equal} OR ifNull(toFloat64OrNull(${text}) = ${number(value.text)}, 0))` : equal;
}

/** Most contexts do not have the member: looking for its name in the text is cheaper than parsing. */
function contextHint(params: Params, keys: readonly string[]): string {
	const last = keys.at(-1)!;
	return /^[\w-]+$/.test(last) ? `position(context, ${params.add("String", `${last}"`)}) > 0 AND ` : "";
}

/** Whether the query means a number by it. */
export function isNumber(text: string): boolean {
	return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
}

function escapeRegex(text: string): string {
	return text.replace(/[\\^$.|?*+()[\]{}-]/g, "\\$&");
}

/** What a matching message must hold: one of these tokens, or a token with this in it. */
type Requirement = { readonly anyOf: readonly string[] } | { readonly contains: string };

/** All of these hold for every match of the node; fewer than could be found are no mistake. */
function requirements(node: Node): Requirement[] {
	switch (node.type) {
		case "and":
			return node.children.flatMap(requirements);
		case "not":
			return [];
		case "or": {
			const each = node.children.map((child) => requirements(child).find((clause) => "anyOf" in clause));
			return each.every((clause) => clause !== undefined) ? [{ anyOf: each.flatMap((clause) => clause.anyOf) }] : [];
		}
		case "match":
			return node.field === "message" ? requirementsOf(node.value) : [];
	}
}

/** Only tokens of ASCII: the preprocessor of the index lowers no others. */
function requirementsOf(value: Value): Requirement[] {
	if (value.type === "word") return asciiTokens(value.text).map(({ token }) => ({ anyOf: [token] }));
	if (value.type !== "phrase") return [];
	return asciiTokens(value.text).flatMap(({ token, atEdge }): Requirement[] => {
		if (!atEdge) return [{ anyOf: [token] }];
		return [{ contains: token }];
	});
}

/** Tokens of a text that hold only ASCII, lowered; at an edge a token of the message may go on. */
function asciiTokens(text: string): { token: string; atEdge: boolean }[] {
	return [...text.matchAll(/[0-9a-z\u0080-\uffff]+/gi)]
		.filter(([token]) => isToken(token))
		.map((found) => ({
			token: found[0].toLowerCase(),
			atEdge: found.index === 0 || found.index + found[0].length === text.length,
		}));
}

function hintOf(params: Params, { anyOf }: { readonly anyOf: readonly string[] }): string {
	const tokens = params.add("Array(String)", [...new Set(anyOf)]);
	return `${anyOf.length === 1 ? "hasAllTokens" : "hasAnyTokens"}(message, ${tokens})`;
}

/** The engine looks for no shorter parts in an index. */
const SHORTEST_PART = 4;
/** As in the definition of the index `message_letters`. */
const LETTERS = "translate(lower(message), '0123456789', '          ')";

/**
 * The longest part that an index can look for. The words without digits are few; with unique ids in the messages, to look through
 * all words takes as long as reading the messages.
 */
function partHint(params: Params, parts: readonly string[]): string[] {
	const longest = (texts: readonly string[]) =>
		texts.filter((text) => text.length >= SHORTEST_PART).sort((a, b) => b.length - a.length)[0];
	const letters = longest(parts.flatMap((part) => part.split(/\d+/)));
	if (letters !== undefined) return [`${LETTERS} LIKE ${params.add("String", `%${letters}%`)}`];
	const part = longest(parts);
	return part === undefined ? [] : [`message ILIKE ${params.add("String", `%${part}%`)}`];
}
