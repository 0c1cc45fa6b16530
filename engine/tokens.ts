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

const SPACE = /[\s\0]/;
const WORD_START = /[A-Za-z_\u0080-\u00ff]/;
const WORD = /[A-Za-z0-9_$\u0080-\u00ff]*/y;
const NUMBER = /(?:0[xX][0-9a-fA-F_]*|[0-9][0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9]+)?)[A-Za-z0-9_]*/y;
const HEREDOC = /\$[A-Za-z0-9_]*\$/y;

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

/** Yields the tokens of `sql` (one character a byte) lazily: stop reading once the clause you need is found. */
export function* tokens(sql: string): Generator<Token, void, void> {
	let depth = 0;
	let i = 0;
	while (i < sql.length) {
		const c = sql[i]!;
		if (SPACE.test(c)) {
			i++;
			continue;
		}
		const afterComment = endOfComment(sql, i);
		if (afterComment !== i) {
			i = afterComment;
			continue;
		}
		const start = i;
		let kind: Token["kind"] = "symbol";
		if (c === "'") {
			kind = "string";
			i = endOfQuoted(sql, i, c);
		} else if (c === "`" || c === '"') {
			kind = "identifier";
			i = endOfQuoted(sql, i, c);
		} else if (WORD_START.test(c)) {
			kind = "word";
			WORD.lastIndex = i;
			WORD.test(sql);
			i = WORD.lastIndex;
		} else if (c >= "0" && c <= "9") {
			kind = "number";
			NUMBER.lastIndex = i;
			NUMBER.test(sql);
			i = NUMBER.lastIndex;
		} else {
			HEREDOC.lastIndex = i;
			const tag = c === "$" ? HEREDOC.exec(sql)?.[0] : undefined;
			if (tag === undefined) i++;
			else {
				kind = "heredoc";
				const close = sql.indexOf(tag, i + tag.length);
				i = close === -1 ? sql.length : close + tag.length;
			}
		}
		const raw = sql.slice(start, i);
		const closes = kind === "symbol" && (c === ")" || c === "]" || c === "}");
		if (closes) depth--;
		yield { kind, start, end: i, depth, text: kind === "word" ? raw.toUpperCase() : raw };
		if (kind === "symbol" && (c === "(" || c === "[" || c === "{")) depth++;
	}
}
