/** Runs one statement on the engine and answers it: streamed rows, inserted data, or a plain statement. */
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { ChdbResult } from "chdb";
import type { Answer, Summary } from "./answer.ts";
import type { BodyReader } from "./body.ts";
import { engineError } from "./errors.ts";
import { openPipe } from "./pipe.ts";
import type { QueryRequest } from "./request.ts";
import type { Lease, QueryContext } from "./sessions.ts";
import { addedText, insertFrom, MARK, plainText, selectInto } from "./sql.ts";
import type { PlainStatement, Statement } from "./statement.ts";

export interface Execution {
	request: QueryRequest;
	queryId: string;
	/** The statement's bytes, up to where insert data begins. */
	bytes: Buffer;
	answer: Answer;
	lease: Lease;
	/** Names a file of this request in the transit folder. */
	transitPath(suffix: string): string;
	contentType(format: string): string;
	/** Cancels the query and repeats that until `over` settles. */
	cancel(queryId: string, over: Promise<unknown>): void;
	/** Texts that must not show in an error. */
	hidden: string[];
}

interface Run {
	result: Promise<ChdbResult>;
	summary(): Summary;
}

function start(execution: Execution, sql: string, text: string, keepsSession: boolean): Run {
	const { request, queryId, lease } = execution;
	const began = process.hrtime.bigint();
	const settings = new Map(request.settings).set(MARK, queryId);
	const context: QueryContext = {
		settings,
		database: request.database,
		text,
		keepsSession,
		format: request.defaultFormat,
	};
	let done: ChdbResult | undefined;
	const result = lease.run(sql, context).then((value) => {
		done = value;
		return value;
	});
	return {
		result,
		summary: () => ({
			read_rows: 0,
			read_bytes: 0,
			written_rows: 0,
			written_bytes: 0,
			total_rows_to_read: 0,
			result_rows: done?.rowsRead ?? 0,
			result_bytes: done?.bytesRead ?? 0,
			elapsed_ns: Number(process.hrtime.bigint() - began),
		}),
	};
}

/** Stops the query when its client leaves. */
function watch(execution: Execution, over: Promise<unknown>): void {
	const { answer, queryId, cancel } = execution;
	const settled = over.catch(() => undefined);
	const onGone = (): void => cancel(queryId, settled);
	if (answer.gone.aborted) onGone();
	else answer.gone.addEventListener("abort", onGone, { once: true });
	void settled.then(() => answer.gone.removeEventListener("abort", onGone));
}

/** Reads `source` to its end into the answer, also when nobody listens any more. */
async function forward(source: Readable, answer: Answer, summary: () => Summary): Promise<void> {
	for await (const chunk of source) await answer.write(chunk as Buffer, summary);
}

/** Streams a query's answer through the session's pipe, or by a file when the client wants it only when complete. */
export async function executeSelect(
	execution: Execution,
	statement: Extract<Statement, { kind: "select" }>,
): Promise<void> {
	const { request, bytes, answer, lease } = execution;
	const format = statement.format ?? request.defaultFormat;
	answer.setHeader("X-ClickHouse-Format", format);
	answer.setHeader("Content-Type", execution.contentType(format));
	const file = request.waitEnd ? execution.transitPath("answer") : lease.pipePath;
	execution.hidden.push(...addedText(file, request.defaultFormat));
	const sql = selectInto(bytes, statement, file, request.defaultFormat);
	const pipe = request.waitEnd ? undefined : openPipe(file);
	const run = start(execution, sql, sql, true);
	watch(execution, run.result);
	try {
		if (pipe !== undefined) {
			const over = run.result.finally(() => pipe.finish());
			over.catch(() => undefined);
			await forward(pipe.readable, answer, run.summary);
		}
		await run.result;
		if (pipe === undefined) await forward(createReadStream(file), answer, run.summary);
		answer.end(run.summary());
	} finally {
		if (pipe === undefined) await rm(file, { force: true });
	}
}

/** Takes the whole body into a file first: a body cut short must not become a short insert. */
export async function executeInsert(
	execution: Execution,
	statement: Extract<Statement, { kind: "insert" | "insert-input" }>,
	data: { body: BodyReader; before: Buffer; skip: number; compression: string },
): Promise<void> {
	const file = execution.transitPath("data");
	execution.hidden.push(`: (in file/uri ${file})`, file, ": data for INSERT was parsed from file");
	try {
		await data.body.spool(file, data.before, data.skip).catch((error: NodeJS.ErrnoException) => {
			if (error.code === "ENOSPC") throw engineError(243, "NOT_ENOUGH_SPACE", "No space for the insert's data", error);
			throw engineError(33, "CANNOT_READ_ALL_DATA", "The request's body broke off before its end", error);
		});
		const sql = insertFrom(execution.bytes, statement, file, data.compression);
		const run = start(execution, sql, sql, true);
		const result = await run.result;
		const summary = run.summary();
		// The engine reports what it read from the file, and inserted.
		execution.answer.end({
			...summary,
			read_rows: result.rowsRead,
			read_bytes: result.bytesRead,
			written_rows: result.rowsRead,
			written_bytes: result.bytesRead,
		});
	} finally {
		await rm(file, { force: true });
	}
}

/** Runs any other statement; its answer is small and comes as a whole. */
export async function executePlain(execution: Execution, statement: PlainStatement): Promise<void> {
	const { request, answer, bytes } = execution;
	const sql = plainText(bytes, statement);
	const run = start(execution, sql, sql, statement.keepsSession);
	if (statement.readOnly) watch(execution, run.result);
	const result = await run.result;
	const output = result.bytes();
	answer.setHeader("X-ClickHouse-Format", request.defaultFormat);
	answer.setHeader("Content-Type", execution.contentType(request.defaultFormat));
	if (output.length > 0) await answer.write(Buffer.from(output.buffer, output.byteOffset, output.length), run.summary);
	answer.end(run.summary());
}
