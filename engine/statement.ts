/**
 * What a request's text is: a query whose answer streams, an insert with data behind it, or a plain statement.
 * Pure; `latin1` text goes in, so every offset is a byte offset also when binary data follows the statement.
 */
import { engineError } from "./errors.ts";
import { formatName } from "./sql.ts";
import { type Token, tokens } from "./tokens.ts";

export interface Span {
	start: number;
	end: number;
}

/** Offsets are bytes into the text the statement was read from; `end` is where the statement itself ends. */
export type Statement =
	| { kind: "empty" }
	/** Answers rows. `outfileAt` is where `INTO OUTFILE` belongs, `processes` where `system.processes` is read. */
	| { kind: "select"; end: number; outfileAt: number; format: string | undefined; processes: Span[] }
	/** Data follows at `dataStart`; `FROM INFILE` belongs at `fileAt`; `end` is where FORMAT or VALUES begins. */
	| { kind: "insert"; end: number; fileAt: number; dataStart: number; format: string }
	/** `INSERT … SELECT … FROM input('…') FORMAT x`; `input` is the call, `end` where FORMAT begins. */
	| { kind: "insert-input"; end: number; input: Span; dataStart: number; format: string }
	| PlainStatement;

export interface PlainStatement {
	kind: "plain";
	end: number;
	/** Of the answer, where the statement names one. */
	format: string | undefined;
	/** First keyword, upper case. */
	verb: string;
	readOnly: boolean;
	/** False when the statement changes its session, which must then serve nobody else. */
	keepsSession: boolean;
	/** Where a KILL names the column `query_id`, and where it asks to wait (SYNC). */
	queryIds: Span[];
	sync: Span | undefined;
}

const SELECT_VERBS = new Set(["SELECT", "WITH", "FROM", "("]);
const READ_VERBS = new Set(["SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK", "USE", "SET", "VALUES"]);
const SESSION_VERBS = new Set(["USE", "SET", "BEGIN", "COMMIT", "ROLLBACK", "EXECUTE", "PREPARE"]);

/**
 * Reads a statement.
 *
 * @param sql One character a byte; may be cut anywhere inside insert data.
 * @throws EngineError 62 for several statements in one request, 48 for reading or writing server files by clause.
 */
export function readStatement(sql: string): Statement {
	const stream = tokens(sql);
	const first = next(stream);
	if (first === undefined || first.text === ";") return { kind: "empty" };
	if (first.text === "INSERT") return readInsert(sql, first, stream);
	const { body, end } = oneStatement([first, ...stream]);
	const verb = first.text;
	// WITH x AS (…) INSERT INTO … SELECT carries no data of its own and answers nothing.
	const inserts = verb === "WITH" && body.some((token) => token.depth === 0 && token.text === "INSERT");
	if (SELECT_VERBS.has(verb) && !inserts) {
		return { kind: "select", end, ...outputClauses(sql, body, end), processes: processTables(body) };
	}
	return plain(verb, body, end, outputClauses(sql, body, end).format);
}

function plain(verb: string, body: readonly Token[], end: number, format?: string): PlainStatement {
	return {
		kind: "plain",
		end,
		format,
		verb,
		readOnly: READ_VERBS.has(verb),
		keepsSession: !SESSION_VERBS.has(verb) && !body.some((token) => token.text === "TEMPORARY"),
		queryIds: verb === "KILL" ? body.filter((token) => /^([`"]?)query_id\1$/i.test(token.text)) : [],
		sync: verb === "KILL" ? body.find((token) => token.depth === 0 && token.text === "SYNC") : undefined,
	};
}

function next(stream: Generator<Token, void, void>): Token | undefined {
	const step = stream.next();
	return step.done ? undefined : step.value;
}

/** Cuts trailing semicolons off and refuses a second statement. */
function oneStatement(list: readonly Token[]): { body: readonly Token[]; end: number } {
	const semicolon = list.findIndex((token) => token.text === ";" && token.depth === 0);
	if (semicolon === -1) return { body: list, end: list.at(-1)!.end };
	const rest = list.slice(semicolon).find((token) => token.text !== ";");
	if (rest !== undefined) {
		const place = `failed at position ${rest.start + 1}`;
		throw engineError(62, "SYNTAX_ERROR", `Syntax error (Multi-statements are not allowed): ${place}.`);
	}
	return { body: list.slice(0, semicolon), end: list[semicolon]!.start };
}

/**
 * Finds the trailing `FORMAT x` and `SETTINGS a = 1, …`, in any order: `INTO OUTFILE` has to stand before them. Only a
 * FORMAT that ends the statement counts, so a column of that name is left alone.
 */
function outputClauses(sql: string, body: readonly Token[], end: number) {
	let outfileAt = end;
	let format: string | undefined;
	let stop = body.length;
	for (let i = body.length - 1; i > 0; i--) {
		const token = body[i]!;
		if (token.depth !== 0 || token.kind !== "word") continue;
		if (token.text === "OUTFILE" && body[i - 1]!.text === "INTO") {
			throw engineError(48, "NOT_IMPLEMENTED", "INTO OUTFILE is not allowed over HTTP");
		}
		if (token.text === "FORMAT" && stop === i + 2) {
			format ??= formatOf(sql, body[i + 1]!);
			outfileAt = token.start;
			stop = i;
		} else if (token.text === "SETTINGS" && body[i + 2]?.text === "=" && stop === endOfSettings(body, i)) {
			outfileAt = token.start;
			stop = i;
		}
	}
	return { outfileAt, format };
}

/** Index behind the list `a = 1, b = [..]` that starts after the token at `settings`. */
function endOfSettings(body: readonly Token[], settings: number): number {
	for (let i = settings + 1; i < body.length; i++) {
		const token = body[i]!;
		if (token.depth === 0 && (token.text === "FORMAT" || token.text === "UNION" || token.text === "INTO")) return i;
	}
	return body.length;
}

/** The name of a format. */
function formatOf(sql: string, token: Token): string {
	const text = sql.slice(token.start, token.end);
	return formatName(token.kind === "identifier" ? text.slice(1, -1) : text);
}

function processTables(body: readonly Token[]): Span[] {
	const spans: Span[] = [];
	for (let i = 1; i + 2 < body.length; i++) {
		const [before, database, dot, table, after] = [body[i - 1]!, body[i]!, body[i + 1]!, body[i + 2]!, body[i + 3]];
		if (database.text !== "SYSTEM" || dot.text !== "." || table.text !== "PROCESSES" || after?.text === ".") continue;
		if (/^(FROM|JOIN|,)$/.test(before.text)) spans.push({ start: database.start, end: table.end });
	}
	return spans;
}

function readInsert(sql: string, first: Token, stream: Generator<Token, void, void>): Statement {
	let token = next(stream);
	while (token !== undefined && /^(INTO|TABLE|FUNCTION)$/.test(token.text)) token = next(stream);
	// The name is stepped over, so that a table called `values` or `format` is not taken for a clause.
	token = next(stream);
	while (token?.text === ".") {
		next(stream);
		token = next(stream);
	}
	let fileAt: number | undefined;
	for (let previous = token; token !== undefined; previous = token, token = next(stream)) {
		if (token.text === "SELECT" && (token.depth === 0 || previous?.text === "(")) {
			return readInsertSelect(sql, [first, token, ...stream]);
		}
		if (token.depth !== 0) continue;
		if (token.text === "WITH") return readInsertSelect(sql, [first, token, ...stream]);
		if (token.text === "SETTINGS") fileAt ??= token.start;
		if (token.text === "INFILE") throw engineError(48, "NOT_IMPLEMENTED", "FROM INFILE is not allowed over HTTP");
		if (token.text === "VALUES" || token.text === "FORMAT") {
			const name = token.text === "FORMAT" ? next(stream) : undefined;
			if (token.text === "FORMAT" && name === undefined) break;
			return {
				kind: "insert",
				end: token.start,
				fileAt: fileAt ?? token.start,
				dataStart: name === undefined ? token.end : dataStartAfter(sql, name.end),
				format: name === undefined ? "Values" : formatOf(sql, name),
			};
		}
	}
	return plain("INSERT", [first], sql.length);
}

/** Where insert data begins after `FORMAT x`, by ClickHouse's rule: blanks, then at most one line end. */
function dataStartAfter(sql: string, at: number): number {
	const blanks = /[ \t\f]*;?[ \t\f]*\r?\n?/y;
	blanks.lastIndex = at;
	blanks.test(sql);
	return blanks.lastIndex;
}

function readInsertSelect(sql: string, list: readonly Token[]): Statement {
	let input: Span | undefined;
	for (let i = 1; i + 1 < list.length; i++) {
		const token = list[i]!;
		if (input === undefined && token.text === "INPUT" && list[i + 1]!.text === "(") {
			const close = list.find(
				(other) => other.start > token.start && other.text === ")" && other.depth === token.depth,
			);
			if (close !== undefined) input = { start: token.start, end: close.end };
		} else if (input !== undefined && token.depth === 0 && token.text === "FORMAT") {
			const name = list[i + 1]!;
			const dataStart = dataStartAfter(sql, name.end);
			return { kind: "insert-input", end: token.start, input, dataStart, format: formatOf(sql, name) };
		}
	}
	const { body, end } = oneStatement(list);
	return plain("INSERT", body, end);
}
