/** Writes the SQL the engine is given: values, session set-up and clean-up, and the file clauses put into a statement. */
import { engineError } from "./errors.ts";
import type { Span, Statement } from "./statement.ts";

/** A string as a ClickHouse literal. */
export function quote(value: string): string {
	return `'${value.replace(/[\\']/g, "\\$&")}'`;
}

/** The setting that carries the client's query id: chDB makes its own query ids and takes none. */
export const MARK = "stream_like_engine_insert_queue";

const QUERY_ID = `if(Settings['${MARK}'] = '', query_id, Settings['${MARK}'])`;

/** `system.processes` as a client expects it: its own query ids, and its query without our file clause. */
const PROCESSES =
	`(SELECT * REPLACE (${QUERY_ID} AS query_id, ` +
	`replaceRegexpAll(query, ' INTO OUTFILE \\'[^\\']*\\' TRUNCATE', '') AS query) FROM system.processes)`;

const utf8 = (bytes: Buffer, start: number, end: number): string => bytes.toString("utf8", start, end);

/** `spans` in order, each with what takes its place. */
function replaceSpans(bytes: Buffer, spans: readonly (Span & { by: string })[], start: number, end: number): string {
	let text = "";
	let at = start;
	for (const span of spans) {
		text += utf8(bytes, at, span.start) + span.by;
		at = span.end;
	}
	return text + utf8(bytes, at, end);
}

/** The text of a SELECT that writes its answer to `file`, in `format` unless it names one itself. */
export function selectInto(
	bytes: Buffer,
	statement: Extract<Statement, { kind: "select" }>,
	file: string,
	format: string,
): string {
	const query = replaceSpans(
		bytes,
		statement.processes.map((span) => ({ ...span, by: PROCESSES })),
		0,
		statement.outfileAt,
	);
	const tail = utf8(bytes, statement.outfileAt, statement.end);
	// A line of its own: the query may end in a comment.
	const clause = `\n INTO OUTFILE ${quote(file)} TRUNCATE `;
	return `${query}${clause}${statement.format === undefined ? `FORMAT ${format} ` : ""}${tail}`;
}

/** What {@link selectInto} added, to be taken out of error texts. */
export function addedText(file: string, format: string): string[] {
	const clause = `INTO OUTFILE ${quote(file)} TRUNCATE`;
	return [`\n ${clause} FORMAT ${format} `, `\n ${clause} `, ` ${clause} FORMAT ${format}`, ` ${clause}`];
}

/** The text of an INSERT that reads its data from `file`. */
export function insertFrom(
	bytes: Buffer,
	statement: Extract<Statement, { kind: "insert" | "insert-input" }>,
	file: string,
	compression: string,
): string {
	if (statement.kind === "insert") {
		const settings = utf8(bytes, statement.fileAt, statement.end);
		const from = `\nFROM INFILE ${quote(file)} COMPRESSION ${quote(compression)} `;
		return `${utf8(bytes, 0, statement.fileAt)}${from}${settings}\nFORMAT ${statement.format}`;
	}
	const { input, end, format } = statement;
	const call = utf8(bytes, input.start, input.end);
	const structure = call.slice(call.indexOf("(") + 1, -1);
	const read = `file(${quote(file)}, ${quote(format)}, ${structure}, ${quote(compression)})`;
	return `${utf8(bytes, 0, input.start)}${read}${utf8(bytes, input.end, end)}`;
}

/**
 * The text of any other statement. KILL QUERY finds queries by the client's ids, and does not wait: chDB's KILL … SYNC
 * never returns.
 */
export function plainText(bytes: Buffer, statement: Extract<Statement, { kind: "plain" }>): string {
	const spans = statement.queryIds.map((span) => ({ ...span, by: QUERY_ID }));
	if (statement.sync !== undefined) spans.push({ ...statement.sync, by: "ASYNC" });
	return replaceSpans(bytes, spans, 0, statement.end);
}

/** Cancels the running query of a client's id. */
export function killText(queryId: string): string {
	return `KILL QUERY WHERE Settings['${MARK}'] = ${quote(queryId)} ASYNC`;
}

/** How far the running query of a client's id is, as one row of numbers. */
export function progressText(queryId: string): string {
	return (
		"SELECT read_rows, read_bytes, written_rows, written_bytes, total_rows_approx AS total_rows_to_read " +
		`FROM system.processes WHERE Settings['${MARK}'] = ${quote(queryId)} LIMIT 1`
	);
}

/** What stands set on a session. */
export interface Kept {
	/** Other than their base values. */
	readonly settings: ReadonlyMap<string, string>;
	/** By their names with `param_`. The engine has no way to unset one. */
	readonly params: ReadonlyMap<string, string>;
	readonly database: string | undefined;
}

/**
 * The statements that lead a session from what is kept on it to what a query wants, empty when that is the same. Settings are put
 * back before others are set: one may stand for several.
 */
export function turnTo(
	kept: Kept,
	settings: ReadonlyMap<string, string>,
	database: string | undefined,
	base: ReadonlyMap<string, string>,
): { statements: string; kept: Kept } {
	const isParam = ([name]: [string, string]) => name.startsWith("param_");
	const params = [...settings].filter(isParam);
	const wanted = [...settings].filter((one) => !isParam(one));
	const unwanted = [...kept.settings.keys()].filter((name) => !settings.has(name));
	const changed = [
		...wanted.filter(([name, value]) => kept.settings.get(name) !== value),
		...params.filter(([name, value]) => kept.params.get(name) !== value),
	];
	const use = database === kept.database ? "" : `USE ${identifier(database ?? "default")};`;
	return {
		statements: putBack(unwanted, base) + setUp(new Map(changed)) + use,
		kept: { settings: new Map(wanted), params: new Map([...kept.params, ...params]), database },
	};
}

/** `SET …;`, empty when there is nothing to set. */
export function setUp(settings: ReadonlyMap<string, string>): string {
	const assignments = [...settings].map(([name, value]) => `${name} = ${quote(value)}`);
	return assignments.length === 0 ? "" : `SET ${assignments.join(", ")};`;
}

/** Puts settings back to their base values; a parameter cannot be. */
export function putBack(names: readonly string[], base: ReadonlyMap<string, string>): string {
	const assignments = [...new Set(names)]
		.filter((name) => !name.startsWith("param_"))
		.map((name) => `${name} = ${base.has(name) ? quote(base.get(name)!) : "DEFAULT"}`);
	return assignments.length === 0 ? "" : `SET ${assignments.join(", ")};`;
}

function identifier(name: string): string {
	return `\`${name.replace(/[\\`]/g, "\\$&")}\``;
}

/** Formats go into the text as they are, too. @throws EngineError 73 for what cannot be the name of one. */
export function formatName(name: string): string {
	if (!/^\w+$/.test(name)) throw engineError(73, "UNKNOWN_FORMAT", `Unknown format ${name}`);
	return name;
}

/** Setting and parameter names go into SET as they are, so they must be plain words. */
export function isSettingName(name: string): boolean {
	return /^[A-Za-z_][A-Za-z0-9_.]*$/.test(name);
}
