/** Query text to tokens, each with its place. */
import type { PatternPart } from "./ast.ts";

/** A query that cannot be understood; `position` counts characters from 0. */
export class LogQueryError extends Error {
	override readonly name = "LogQueryError";
	readonly position: number;

	constructor(message: string, position: number) {
		super(message);
		this.position = position;
	}
}

export type Token =
	| { readonly type: "(" | ")" | "[" | "]" | "{" | "}" | "and" | "or" | "not" | "to" | "end"; readonly at: number }
	| { readonly type: ">" | ">=" | "<" | "<="; readonly at: number }
	/** `name:` with what follows without a space. */
	| { readonly type: "field"; readonly at: number; readonly name: string }
	| { readonly type: "quoted"; readonly at: number; readonly text: string }
	| { readonly type: "bare"; readonly at: number; readonly parts: readonly PatternPart[] };

const PUNCTUATION = new Set(["(", ")", "[", "]", "{", "}"]);
const KEYWORDS: Readonly<Record<string, "and" | "or" | "not" | "to">> = {
	AND: "and",
	"&&": "and",
	OR: "or",
	"||": "or",
	NOT: "not",
	"!": "not",
	TO: "to",
};
const FIELD = /[\p{L}_@][\p{L}\p{N}_.@-]*/uy;
/** What ends a bare word. */
const DELIMITER = /[\s()[\]{}"]/;

/** @throws LogQueryError */
export function tokenize(text: string): Token[] {
	const tokens: Token[] = [];
	let at = 0;
	while (at < text.length) {
		const c = text[at]!;
		const afterField = tokens.at(-1)?.type === "field";
		if (/\s/.test(c)) {
			if (afterField) throw new LogQueryError("a value must follow the colon", at);
			at++;
		} else if (PUNCTUATION.has(c)) {
			tokens.push({ type: c as "(", at });
			at++;
		} else if (c === '"') {
			const { value, end } = quoted(text, at);
			tokens.push({ type: "quoted", at, text: value });
			at = end;
		} else if (afterField && (c === ">" || c === "<")) {
			const type = text[at + 1] === "=" ? (`${c}=` as const) : c;
			tokens.push({ type, at });
			at += type.length;
		} else {
			FIELD.lastIndex = at;
			const name = afterField || isComparison(tokens.at(-1)) ? undefined : FIELD.exec(text)?.[0];
			if (name !== undefined && text[at + name.length] === ":") {
				tokens.push({ type: "field", at, name });
				at += name.length + 1;
				if (at === text.length) throw new LogQueryError("a value must follow the colon", at);
				continue;
			}
			const { parts, end } = bare(text, at);
			const keyword = afterField ? undefined : KEYWORDS[text.slice(at, end)];
			tokens.push(keyword === undefined ? { type: "bare", at, parts } : { type: keyword, at });
			at = end;
		}
	}
	tokens.push({ type: "end", at: text.length });
	return tokens;
}

function isComparison(token: Token | undefined): boolean {
	return token !== undefined && [">", ">=", "<", "<="].includes(token.type);
}

function quoted(text: string, start: number): { value: string; end: number } {
	let value = "";
	for (let at = start + 1; at < text.length; at++) {
		if (text[at] === '"') return { value, end: at + 1 };
		if (text[at] === "\\" && at + 1 < text.length) at++;
		value += text[at];
	}
	throw new LogQueryError("this quote is not closed", start);
}

function bare(text: string, start: number): { parts: PatternPart[]; end: number } {
	const parts: PatternPart[] = [];
	let literal = "";
	const flush = () => {
		if (literal !== "") parts.push({ literal });
		literal = "";
	};
	let at = start;
	for (; at < text.length && !DELIMITER.test(text[at]!); at++) {
		const c = text[at]!;
		if (c === "\\") {
			at++;
			if (at === text.length) throw new LogQueryError("a backslash must be followed by what it escapes", at - 1);
			literal += text[at];
		} else if (c === "*" || c === "?") {
			flush();
			// A second star means what the first did.
			if (!(c === "*" && parts.at(-1) === "*")) parts.push(c);
		} else {
			literal += c;
		}
	}
	flush();
	return { parts, end: at };
}
