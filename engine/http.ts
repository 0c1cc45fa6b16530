/** ClickHouse's HTTP interface over the session pool: reads a request, runs its statement, answers in ClickHouse's terms. */
import { randomUUID, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import type { Logger } from "pino";
import { Answer } from "./answer.ts";
import { BodyReader, contentEncoding, decompressed, engineCompression } from "./body.ts";
import type { QueryControl } from "./control.ts";
import { engineError, errorText, fromEngine } from "./errors.ts";
import { type Execution, executeInsert, executePlain, executeSelect } from "./execute.ts";
import { readMultipart } from "./multipart.ts";
import { type QueryRequest, readCredentials, readQueryRequest } from "./request.ts";
import type { SessionPool } from "./sessions.ts";
import { readStatement, type Statement } from "./statement.ts";

export interface HttpOptions {
	pool: SessionPool;
	password: string;
	transitDir: string;
	/** `26.7.2.1`, as `version()` answers. */
	version: string;
	displayName: string;
	timezone: string;
	contentType(format: string): string;
	control: QueryControl;
	logger: Logger;
}

/** Longest statement, insert data not counted. A longer one is refused before it is read. */
const MAX_STATEMENT_BYTES = 16 * 1024 * 1024;
/** In so many bytes of a body the insert clause has to end, as in a server (`max_query_size`). */
const INSERT_HEAD_BYTES = 256 * 1024;
const KEEP_ALIVE_MS = 30_000;
/** Statements and parameters may come in the URL: as much as a server takes there (`http_max_uri_size`), and headers. */
const MAX_HEAD_BYTES = 1024 * 1024 + 64 * 1024;
/** Of a connection: the default of 16 KiB stops and starts the socket for every chunk of a big insert. */
const SOCKET_BUFFER_BYTES = 512 * 1024;
const EXPOSED =
	"X-ClickHouse-Query-Id,X-ClickHouse-Summary,X-ClickHouse-Server-Display-Name,X-ClickHouse-Format," +
	"X-ClickHouse-Timezone,X-ClickHouse-Exception-Code,X-ClickHouse-Exception-Tag";

/** Takes as long whatever stands in a text of the right length. */
function sameText(a: string, b: string): boolean {
	const [given, right] = [Buffer.from(a), Buffer.from(b)];
	return given.length === right.length && timingSafeEqual(given, right);
}

function checkPassword(params: URLSearchParams, request: IncomingMessage, password: string): void {
	const given = readCredentials(params, request.headers);
	if (given.user === "default" && sameText(given.password, password)) return;
	const anonymous = given.password === "" && request.headers.authorization === undefined && given.user === "default";
	if (anonymous) {
		throw engineError(194, "REQUIRED_PASSWORD", "default: Authentication failed: password is required.");
	}
	const message = `${given.user}: Authentication failed: password is incorrect, or there is no user with such name.`;
	throw engineError(516, "AUTHENTICATION_FAILED", message);
}

interface Parsed {
	request: QueryRequest;
	statement: Statement;
	bytes: Buffer;
	data: { body: BodyReader; before: Buffer; skip: number; compression: string };
}

const NEWLINE = Buffer.from("\n");

/** Finds the statement in URL and body, and where its data begins, reading no more of the body than that takes. */
async function parse(message: IncomingMessage, params: URLSearchParams): Promise<Parsed> {
	const multipart = /^multipart\/form-data/i.test(message.headers["content-type"] ?? "");
	if (multipart) {
		const body = await new BodyReader(decompressed(message)).peek(MAX_STATEMENT_BYTES + 1);
		for (const [name, value] of readMultipart(body, message.headers["content-type"]!)) params.append(name, value);
	}
	const request = readQueryRequest(params, message.headers);
	const url = Buffer.from(request.query);
	const encoding = contentEncoding(message);
	if (url.length > 0) {
		// An insert whose clause is complete in the URL: the body is all data, and may stay compressed.
		const bytes = Buffer.concat([url, NEWLINE]);
		const statement = readStatement(bytes.toString("latin1"));
		if (statement.kind === "insert" || statement.kind === "insert-input") {
			const body = new BodyReader(message);
			const before = bytes.subarray(statement.dataStart, bytes.length - 1);
			if (before.length === 0) {
				return { request, statement, bytes, data: { body, before, skip: 0, compression: engineCompression(encoding) } };
			}
		}
		if (multipart) return { request, statement, bytes, data: emptyData(message) };
	}
	const body = new BodyReader(decompressed(message));
	const data = { body, before: Buffer.alloc(0), skip: 0, compression: "none" };
	for (let limit = INSERT_HEAD_BYTES; ; limit = MAX_STATEMENT_BYTES + 1) {
		const peeked = await body.peek(limit);
		const bytes = url.length === 0 ? peeked : Buffer.concat(peeked.length === 0 ? [url] : [url, NEWLINE, peeked]);
		const head = bytes.length - peeked.length;
		const readAll = body.ended || peeked.length > MAX_STATEMENT_BYTES;
		// Cut inside, a statement that is no insert must not be judged yet.
		if (!readAll && !/^\s*insert\b/i.test(bytes.toString("latin1", 0, 64)) && !bytes.includes("INSERT")) continue;
		const statement = readStatement(bytes.toString("latin1"));
		if (statement.kind === "insert" || statement.kind === "insert-input") {
			const before = bytes.subarray(Math.min(statement.dataStart, head), head);
			return { request, statement, bytes, data: { ...data, before, skip: Math.max(0, statement.dataStart - head) } };
		}
		if (!readAll) continue;
		if (!body.ended) {
			const message = `The statement is longer than ${MAX_STATEMENT_BYTES} bytes`;
			throw engineError(229, "QUERY_IS_TOO_LARGE", message);
		}
		return { request, statement, bytes, data };
	}
}

function emptyData(message: IncomingMessage): Parsed["data"] {
	return { body: new BodyReader(message), before: Buffer.alloc(0), skip: 0, compression: "none" };
}

/** Creates the server; the caller listens. */
export function createHttpServer(options: HttpOptions): Server {
	const { pool, logger } = options;
	const versionText = `${options.version} (official build)`;
	const runningIds = new Set<string>();
	let serial = 0;

	async function answerQuery(
		message: IncomingMessage,
		response: ServerResponse,
		params: URLSearchParams,
	): Promise<void> {
		const answer = new Answer(response);
		const hidden: string[] = [];
		try {
			response.setHeader("X-ClickHouse-Server-Display-Name", options.displayName);
			response.setHeader("Access-Control-Expose-Headers", EXPOSED);
			checkPassword(params, message, options.password);
			const { request, statement, bytes, data } = await parse(message, params);
			const queryId = request.queryId ?? randomUUID();
			response.setHeader("X-ClickHouse-Query-Id", headerText(queryId));
			const timezone = request.settings.get("session_timezone") || options.timezone;
			response.setHeader("X-ClickHouse-Timezone", headerText(timezone));
			const acceptEncoding = request.compress ? message.headers["accept-encoding"]?.toString() : undefined;
			answer.setOptions({ ...request, acceptEncoding });
			if (statement.kind === "empty") throw engineError(62, "SYNTAX_ERROR", "Empty query");
			refuseWrites(message, request, statement);
			if (runningIds.has(queryId)) {
				const text = `Query with id = ${queryId} is already running.`;
				throw engineError(216, "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING", text);
			}
			runningIds.add(queryId);
			try {
				const transitPath = join(options.transitDir, `request-${++serial}`);
				const { control, contentType } = options;
				const execution: Execution = {
					request,
					queryId,
					bytes,
					answer,
					pool,
					transitPath,
					control,
					contentType,
					hidden,
				};
				if (statement.kind === "select") await executeSelect(execution, statement);
				else if (statement.kind === "plain") await executePlain(execution, statement);
				else await executeInsert(execution, statement, data);
			} finally {
				runningIds.delete(queryId);
			}
		} catch (error) {
			// A client that has left made its request fail, and hears of nothing.
			if (answer.gone) return;
			const known = fromEngine(error);
			if (known.code === 1002) logger.error({ err: error }, "engine request failed");
			answer.fail(known, errorText(known, versionText, hidden));
		}
	}

	const limits = { maxHeaderSize: MAX_HEAD_BYTES, highWaterMark: SOCKET_BUFFER_BYTES };
	const server = createServer(
		{ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0, ...limits },
		(message, response) => {
			// Not new URL(): that throws on targets such as "//".
			const [pathname = "", search] = splitTarget(message.url ?? "/");
			const plain = (status: number, text: string): void => {
				response.writeHead(status, { "Content-Type": "text/html; charset=UTF-8" }).end(text);
			};
			const method = message.method ?? "";
			if (!["GET", "HEAD", "POST"].includes(method)) return plain(501, `Method ${method} is not supported\n`);
			if (pathname === "/ping") return plain(200, "Ok.\n");
			if (pathname !== "/") return plain(404, `There is no handle ${pathname}\n\nUse / or /ping for health checks.\n`);
			if (method !== "POST" && message.url === "/") return plain(200, "Ok.\n");
			void answerQuery(message, response, new URLSearchParams(search));
		},
	);
	return server;
}

function splitTarget(target: string): [string, string] {
	const mark = target.indexOf("?");
	return mark === -1 ? [target, ""] : [target.slice(0, mark), target.slice(mark + 1)];
}

function headerText(value: string): string {
	return value.replace(/[^\x20-\x7e]/g, "?");
}

function refuseWrites(message: IncomingMessage, request: QueryRequest, statement: Statement): void {
	const byGet = message.method !== "POST";
	if (!(byGet || request.readOnly) || statement.kind === "select") return;
	if (statement.kind === "plain" && statement.readOnly) return;
	const why = byGet
		? " For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries."
		: "";
	throw engineError(164, "READONLY", `default: Cannot execute query in readonly mode.${why}`);
}
