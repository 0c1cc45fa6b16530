/** Runs one statement on the engine and answers it: streamed rows, inserted data, or a plain statement. */
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import type { ChdbResult } from "chdb";
import type { Answer, Summary } from "./answer.ts";
import type { BodyReader } from "./body.ts";
import type { QueryControl } from "./control.ts";
import { engineError } from "./errors.ts";
import type { QueryRequest } from "./request.ts";
import type { Lease, SessionPool } from "./sessions.ts";
import { addedText, insertFrom, MARK, plainText, selectInto } from "./sql.ts";
import type { PlainStatement, Statement } from "./statement.ts";

export interface Execution {
	request: QueryRequest;
	queryId: string;
	/** The statement's bytes, up to where insert data begins. */
	bytes: Buffer;
	answer: Answer;
	pool: SessionPool;
	/** A file of this request alone. */
	transitPath: string;
	control: QueryControl;
	contentType(format: string): string;
	/** Texts that must not show in an error. */
	hidden: string[];
}

interface Started {
	/** Runs the text on the leased session. */
	run(sql: string, keepsSession?: boolean): Promise<ChdbResult>;
	lease: Lease;
}

/** Leases a session for `work`, and gives the answer its figures from then on. */
async function onSession(execution: Execution, work: (started: Started) => Promise<void>): Promise<void> {
	const { request, queryId, answer, control } = execution;
	const lease = execution.pool.acquire();
	try {
		const began = process.hrtime.bigint();
		let latest: Partial<Summary> = {};
		answer.summary = () => ({ ...NOTHING, ...latest, elapsed_ns: Number(process.hrtime.bigint() - began) });
		const settings = new Map(request.settings).set(MARK, queryId);
		const { database, defaultFormat: format } = request;
		const run = async (sql: string, keepsSession = true): Promise<ChdbResult> => {
			const running = lease.run(sql, { settings, database, text: sql, keepsSession, format });
			if (request.sendProgress) {
				control.watch(queryId, request.progressInterval_ms, running, (progress) => {
					latest = progress;
					answer.progress(answer.summary()!);
				});
			}
			const result = await running;
			latest = { ...latest, result_rows: result.rowsRead, result_bytes: result.bytesRead };
			return result;
		};
		await work({ run, lease });
	} finally {
		lease.release();
	}
}

const NOTHING: Summary = {
	read_rows: 0,
	read_bytes: 0,
	written_rows: 0,
	written_bytes: 0,
	total_rows_to_read: 0,
	result_rows: 0,
	result_bytes: 0,
	elapsed_ns: 0,
};

/** Stops the query when its client leaves. */
function stopWhenGone({ answer, queryId, control }: Execution, running: Promise<unknown>): void {
	const settled = running.catch(() => undefined);
	answer.whileRunning(settled, () => control.cancel(queryId, settled));
}

/** Streams a query's answer through the session's pipe, or by a file when the client wants it only when complete. */
export async function executeSelect(execution: Execution, statement: Extract<Statement, { kind: "select" }>) {
	const { request, bytes, answer, transitPath } = execution;
	if (answer.gone) return;
	const format = statement.format ?? request.defaultFormat;
	answer.setFormat(format, execution.contentType(format));
	await onSession(execution, async ({ run, lease: { pipe } }) => {
		const file = request.waitEnd ? transitPath : pipe.path;
		execution.hidden.push(...addedText(file, request.defaultFormat));
		const sql = selectInto(bytes, statement, file, request.defaultFormat);
		if (!request.waitEnd) pipe.open();
		const running = run(sql);
		stopWhenGone(execution, running);
		if (!request.waitEnd) {
			await pipe.forward(running, (chunk) => answer.write(chunk));
			return answer.end();
		}
		try {
			await running;
			for await (const chunk of createReadStream(file)) await answer.write(chunk as Buffer);
			answer.end();
		} finally {
			await rm(file, { force: true });
		}
	});
}

/** Takes the whole body into a file first: a body cut short must not become a short insert. */
export async function executeInsert(
	execution: Execution,
	statement: Extract<Statement, { kind: "insert" | "insert-input" }>,
	data: { body: BodyReader; before: Buffer; skip: number; compression: string },
) {
	const { answer, transitPath: file, request } = execution;
	answer.setFormat(request.defaultFormat, execution.contentType(request.defaultFormat));
	execution.hidden.push(`: (in file/uri ${file})`, file, ": data for INSERT was parsed from file");
	try {
		await data.body.spool(file, data.before, data.skip).catch((error: NodeJS.ErrnoException) => {
			if (error.code === "ENOSPC") throw engineError(243, "NOT_ENOUGH_SPACE", "No space for the insert's data", error);
			throw engineError(33, "CANNOT_READ_ALL_DATA", "The request's body broke off before its end", error);
		});
		await onSession(execution, async ({ run }) => {
			const { rowsRead: rows, bytesRead: bytes } = await run(
				insertFrom(execution.bytes, statement, file, data.compression),
			);
			// What the engine counts here is what it read from the file, and inserted.
			const figures = answer.summary()!;
			const counts = { read_rows: rows, read_bytes: bytes, written_rows: rows, written_bytes: bytes };
			answer.summary = () => ({ ...figures, ...counts });
			answer.end();
		});
	} finally {
		await rm(file, { force: true });
	}
}

/** Runs any other statement; its answer is small and comes as a whole. */
export async function executePlain(execution: Execution, statement: PlainStatement) {
	const { request, answer, bytes } = execution;
	const format = statement.format ?? request.defaultFormat;
	answer.setFormat(format, execution.contentType(format));
	await onSession(execution, async ({ run }) => {
		const running = run(plainText(bytes, statement), statement.keepsSession);
		if (statement.readOnly) stopWhenGone(execution, running);
		const output = (await running).bytes();
		if (output.length > 0) await answer.write(Buffer.from(output.buffer, output.byteOffset, output.length));
		answer.end();
	});
}
