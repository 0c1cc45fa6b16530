/**
 * Lucene-style: NOT binds before AND before OR, adjacent terms mean AND, `field:(…)` applies the field to every term within,
 * words without a field search the message.
 */
import { LEVEL_ALIASES, LOG_LEVELS } from "../../schema/wire/index.ts";
import { FIELDS, join, type Node, type Value } from "./ast.ts";
import { LogQueryError, type Token, tokenize } from "./lexer.ts";

/** Deeper nesting is a mistake or an attack. */
const MAX_DEPTH = 100;

/**
 * The tree of a query; `undefined` for an empty one, which matches everything.
 * @throws LogQueryError, and nothing else
 */
export function parse(text: string): Node | undefined {
	const parser = new Parser(tokenize(text));
	return parser.query();
}

class Parser {
	readonly #tokens: readonly Token[];
	#next = 0;
	#depth = 0;

	constructor(tokens: readonly Token[]) {
		this.#tokens = tokens;
	}

	query(): Node | undefined {
		if (this.#peek().type === "end") return undefined;
		const node = this.#or("message");
		const rest = this.#peek();
		if (rest.type === ")") throw new LogQueryError("this parenthesis was not opened", rest.at);
		if (rest.type !== "end") throw unexpected(rest);
		return node;
	}

	#or(field: string): Node {
		const nodes = [this.#and(field)];
		while (this.#accept("or")) nodes.push(this.#and(field));
		return join("or", nodes);
	}

	#and(field: string): Node {
		const nodes = [this.#not(field)];
		for (;;) {
			const token = this.#peek();
			if (token.type === "and") this.#next++;
			else if (["or", ")", "end", "]", "}"].includes(token.type)) break;
			nodes.push(this.#not(field));
		}
		return join("and", nodes);
	}

	#not(field: string): Node {
		let negations = 0;
		while (this.#accept("not")) negations++;
		let node = this.#primary(field);
		for (; negations > 0; negations--) node = { type: "not", child: node };
		return node;
	}

	#primary(field: string): Node {
		const token = this.#peek();
		switch (token.type) {
			case "(":
				return this.#group(field);
			case "field": {
				if (field !== "message") throw new LogQueryError(`within ${field}:(…) there is no other field`, token.at);
				this.#next++;
				const name = fieldOf(token.name, token.at);
				return this.#peek().type === "(" ? this.#group(name) : this.#match(name);
			}
			default:
				return this.#match(field);
		}
	}

	#group(field: string): Node {
		const open = this.#peek();
		this.#next++;
		if (++this.#depth > MAX_DEPTH) throw new LogQueryError(`parentheses are nested deeper than ${MAX_DEPTH}`, open.at);
		const node = this.#or(field);
		if (!this.#accept(")")) throw new LogQueryError("this parenthesis is not closed", open.at);
		this.#depth--;
		return node;
	}

	#match(field: string): Node {
		const { at } = this.#peek();
		const value = this.#value(field);
		if (field === "level" && value.type === "range") {
			for (const bound of [value.min, value.max]) if (bound !== undefined) assertLevel(bound, at);
		}
		return { type: "match", field, value };
	}

	#value(field: string): Value {
		const token = this.#peek();
		this.#next++;
		switch (token.type) {
			case "quoted":
				return { type: "phrase", text: token.text };
			case "bare":
				return bareValue(token);
			case "to":
				return { type: "word", text: "TO" };
			case "[":
			case "{":
				return this.#range(token.at, token.type === "[");
			case ">":
			case ">=":
			case "<":
			case "<=": {
				const bound = this.#bound(field);
				const isMin = token.type.startsWith(">");
				const included = token.type.endsWith("=");
				return {
					type: "range",
					...(isMin ? { min: bound } : { max: bound }),
					minIncluded: isMin ? included : true,
					maxIncluded: isMin ? true : included,
				};
			}
			default:
				throw unexpected(token);
		}
	}

	#range(at: number, minIncluded: boolean): Value {
		const min = this.#openBound();
		if (!this.#accept("to")) throw new LogQueryError("a range is written [a TO b]", this.#peek().at);
		const max = this.#openBound();
		const close = this.#peek();
		if (close.type !== "]" && close.type !== "}") throw new LogQueryError("this range is not closed", at);
		this.#next++;
		return {
			type: "range",
			...(min === undefined ? {} : { min }),
			...(max === undefined ? {} : { max }),
			minIncluded: min === undefined || minIncluded,
			maxIncluded: max === undefined || close.type === "]",
		};
	}

	/** A bound of a range; `*` is none. */
	#openBound(): string | undefined {
		const token = this.#peek();
		if (token.type === "bare" && token.parts.length === 1 && token.parts[0] === "*") {
			this.#next++;
			return undefined;
		}
		return this.#bound("a range");
	}

	#bound(of: string): string {
		const token = this.#peek();
		this.#next++;
		if (token.type === "quoted") return token.text;
		if (token.type === "field") {
			// `[2026-01-01T10:00 TO …]`: what looks like a field is part of a time.
			const rest = this.#peek();
			this.#next++;
			if (rest.type === "bare") return `${token.name}:${literalOf(rest)}`;
		}
		if (token.type === "bare") return literalOf(token);
		throw new LogQueryError(`a value of ${of} must stand here`, token.at);
	}

	#peek(): Token {
		return this.#tokens[this.#next]!;
	}

	#accept(type: Token["type"]): boolean {
		if (this.#peek().type !== type) return false;
		this.#next++;
		return true;
	}
}

/** Levels compare by how bad they are, so a bound must be one. */
function assertLevel(text: string, at: number): void {
	const level = text.toLowerCase();
	if (level in LEVEL_ALIASES || LOG_LEVELS.some((known) => known === level)) return;
	throw new LogQueryError(`${text} is no level: use ${LOG_LEVELS.join(", ")}`, at);
}

function bareValue(token: Token & { type: "bare" }): Value {
	const wild = token.parts.some((part) => typeof part === "string");
	return wild ? { type: "pattern", parts: token.parts } : { type: "word", text: literalOf(token) };
}

function literalOf(token: Token & { type: "bare" }): string {
	return token.parts
		.map((part) => {
			if (typeof part === "string") throw new LogQueryError("wildcards cannot be compared", token.at);
			return part.literal;
		})
		.join("");
}

function fieldOf(name: string, at: number): string {
	const known = FIELDS.find((field) => field === name.toLowerCase());
	if (known !== undefined) return known;
	if (/^context\../.test(name)) return name;
	throw new LogQueryError(
		`there is no field ${name}: use ${FIELDS.join(", ")} or context.x; quote a word with a colon in it`,
		at,
	);
}

function unexpected(token: Token): LogQueryError {
	const what: Partial<Record<Token["type"], string>> = {
		end: "the query ends",
		and: "AND",
		or: "OR",
		not: "NOT",
		to: "TO",
	};
	const message =
		token.type === "end"
			? "the query ends where a term must follow"
			: `${what[token.type] ?? token.type} cannot stand here`;
	return new LogQueryError(message, token.at);
}
