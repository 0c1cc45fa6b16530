/**
 * Splits ClickHouse SQL into tokens, as far as is needed to find clauses: strings, quoted identifiers, comments and
 * heredocs are skipped as units, so a keyword inside them is never mistaken for one.
 *
 * Works on text in which one character is one byte (`latin1`): offsets are then byte offsets, also when binary insert
 * data follows the statement.
 */
export interface Token {
	kind: "word" | "number" | "string" | "identifier" | "heredoc" | "symbol";
	/** Byte offsets, `end` exclusive. */
	start: number;
	end: number;
	/** Bracket depth the token stands at; a bracket itself counts as outside. */
	depth: number;
	/** Upper case for words, so keywords compare directly; the raw text otherwise. */
	text: string;
}

const WORD = /[A-Za-z0-9_$\u0080-\u00ff]*/y;
const NUMBER = /(?:0[xX][0-9a-fA-F_]*|[0-9][0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9]+)?)[A-Za-z0-9_]*/y;
const HEREDOC = /\$[A-Za-z0-9_]*\$/y;

/** What a token that begins with a byte may be: every byte of every statement is looked at, so by a table. */
type Kind = "space" | "word" | "number" | "string" | "identifier" | "heredoc" | "comment" | "open" | "close" | "symbol";

const KINDS: readonly Kind[] = Array.from({ length: 256 }, (_, byte) => {
	const char = String.fromCharCode(byte);
	if (/[\s\0]/.test(char)) return "space";
	if (/[A-Za-z_\u0080-\u00ff]/.test(char)) return "word";
	if (/[0-9]/.test(char)) return "number";
	if (char === "'") return "string";
	if (/[`"]/.test(char)) return "identifier";
	if (char === "$") return "heredoc";
	if (/[-#/]/.test(char)) return "comment";
	if (/[([{]/.test(char)) return "open";
	return /[)\]}]/.test(char) ? "close" : "symbol";
});

/** Where what `pattern` matches at `start` ends; it matches nothing, too. */
function endOf(pattern: RegExp, sql: string, start: number): number {
	pattern.lastIndex = start;
	pattern.test(sql);
	return pattern.lastIndex;
}

function endOfQuoted(sql: string, start: number, quote: string): number {
	for (let i = start + 1; i < sql.length; i++) {
		const c = sql[i];
		if (c === "\\") i++;
		else if (c === quote) {
			// A doubled quote stands for the quote itself.
			if (sql[i + 1] !== quote) return i + 1;
			i++;
		}
	}
	return sql.length;
}

/** Where the comment that starts at `i` ends, or `i` when there is none. */
function endOfComment(sql: string, i: number): number {
	const two = sql.slice(i, i + 2);
	if (two === "--" || two === "#!" || two === "# ") {
		const newline = sql.indexOf("\n", i);
		return newline === -1 ? sql.length : newline + 1;
	}
	if (two !== "/*") return i;
	// ClickHouse's block comments do not nest.
	const close = sql.indexOf("*/", i + 2);
	return close === -1 ? sql.length : close + 2;
}

/** Where the heredoc that starts at `start` ends; a `$` that starts none is a symbol. */
function endOfHeredoc(sql: string, start: number): number {
	HEREDOC.lastIndex = start;
	const tag = HEREDOC.exec(sql)?.[0];
	if (tag === undefined) return start + 1;
	const close = sql.indexOf(tag, start + tag.length);
	return close === -1 ? sql.length : close + tag.length;
}

/** Yields the tokens of `sql` (one character a byte) lazily: stop reading once the clause you need is found. */
export function* tokens(sql: string): Generator<Token, void, void> {
	let depth = 0;
	for (let start = 0, end = 0; start < sql.length; start = end) {
		end = start + 1;
		const kind = KINDS[sql.charCodeAt(start)]!;
		switch (kind) {
			case "space":
				break;
			case "word":
				end = endOf(WORD, sql, start);
				yield { kind, start, end, depth, text: sql.slice(start, end).toUpperCase() };
				break;
			case "open":
				yield { kind: "symbol", start, end, depth: depth++, text: sql[start]! };
				break;
			case "close":
				yield { kind: "symbol", start, end, depth: --depth, text: sql[start]! };
				break;
			case "comment":
				end = endOfComment(sql, start);
				if (end !== start) break;
				end = start + 1;
				yield { kind: "symbol", start, end, depth, text: sql[start]! };
				break;
			case "heredoc":
				end = endOfHeredoc(sql, start);
				yield { kind: end === start + 1 ? "symbol" : kind, start, end, depth, text: sql.slice(start, end) };
				break;
			case "number":
				end = endOf(NUMBER, sql, start);
				yield { kind, start, end, depth, text: sql.slice(start, end) };
				break;
			case "string":
			case "identifier":
				end = endOfQuoted(sql, start, sql[start]!);
				yield { kind, start, end, depth, text: sql.slice(start, end) };
				break;
			default:
				yield { kind, start, end, depth, text: sql[start]! };
		}
	}
}
