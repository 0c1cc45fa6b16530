/**
 * One HTTP answer as ClickHouse gives it: held back until `bufferBytes` are there, so that an early error becomes a
 * status, then streamed; an error after that is framed in the body with the tag that the headers announced.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Transform } from "node:stream";
import { constants, createBrotliCompress, createDeflate, createGzip } from "node:zlib";
import { type EngineError, httpStatus } from "./errors.ts";

export interface Summary {
	read_rows: number;
	read_bytes: number;
	written_rows: number;
	written_bytes: number;
	total_rows_to_read: number;
	result_rows: number;
	result_bytes: number;
	elapsed_ns: number;
}

export interface AnswerOptions {
	bufferBytes: number;
	/** `Accept-Encoding` when the client asked for compression, else `undefined`. */
	acceptEncoding: string | undefined;
	compressLevel: number;
	headOnly: boolean;
}

const EXCEPTION_MARKER = "__exception__";

/** ClickHouse's numbers in headers are strings, so that no 64-bit value is rounded. */
function summaryJson(summary: Summary): string {
	return JSON.stringify(Object.fromEntries(Object.entries(summary).map(([name, value]) => [name, String(value)])));
}

function pickEncoding(accept: string | undefined): "gzip" | "br" | "deflate" | undefined {
	const offered = new Set(accept?.split(",").map((part) => part.split(";", 1)[0]!.trim().toLowerCase()));
	return (["gzip", "br", "deflate"] as const).find((encoding) => offered.has(encoding));
}

function encoder(encoding: "gzip" | "br" | "deflate", level: number): Transform {
	if (encoding === "br")
		return createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: Math.min(level, 4) } });
	const options = { level: Math.min(level, 9) };
	return encoding === "gzip" ? createGzip(options) : createDeflate(options);
}

export class Answer {
	readonly #response: ServerResponse;
	readonly #options: AnswerOptions;
	readonly #exceptionTag: string;
	#held: Buffer[] = [];
	#heldBytes = 0;
	/** Where the body goes once the headers are out. */
	#sink: Transform | ServerResponse | undefined;
	/** Aborts when the client is gone before the answer was complete. */
	readonly gone: AbortSignal;

	constructor(response: ServerResponse, options: AnswerOptions) {
		this.#response = response;
		this.#options = options;
		this.#exceptionTag = [...randomBytes(16)].map((byte) => String.fromCharCode(97 + (byte % 26))).join("");
		response.setHeader("X-ClickHouse-Exception-Tag", this.#exceptionTag);
		const gone = new AbortController();
		this.gone = gone.signal;
		response.on("close", () => {
			if (!response.writableFinished) gone.abort();
		});
	}

	setHeader(name: string, value: string): void {
		if (this.#sink === undefined) this.#response.setHeader(name, value);
	}

	#start(summary: Summary | undefined): Transform | ServerResponse {
		const response = this.#response;
		if (summary !== undefined) response.setHeader("X-ClickHouse-Summary", summaryJson(summary));
		const encoding = pickEncoding(this.#options.acceptEncoding);
		if (encoding === undefined || (summary !== undefined && this.#heldBytes === 0)) {
			this.#sink = response;
		} else {
			response.setHeader("Content-Encoding", encoding);
			this.#sink = encoder(encoding, this.#options.compressLevel);
			this.#sink.pipe(response);
		}
		for (const chunk of this.#held) this.#send(chunk);
		this.#held = [];
		return this.#sink;
	}

	#send(chunk: Buffer): boolean {
		return this.#options.headOnly || this.#sink!.write(chunk);
	}

	/** Sends `chunk` or holds it back; resolves when more may be written. Does nothing once the client is gone. */
	async write(chunk: Buffer, summary: () => Summary): Promise<void> {
		if (this.gone.aborted) return;
		if (this.#sink === undefined) {
			this.#held.push(chunk);
			this.#heldBytes += chunk.length;
			if (this.#heldBytes > this.#options.bufferBytes) this.#start(summary());
		} else if (!this.#send(chunk)) {
			await once(this.#sink, "drain", { signal: this.gone }).catch((error: unknown) => {
				if (!this.gone.aborted) throw error;
			});
		}
	}

	/** Completes the answer. */
	end(summary: Summary): void {
		if (this.gone.aborted) return;
		if (this.#sink === undefined) {
			if (pickEncoding(this.#options.acceptEncoding) === undefined && !this.#options.headOnly) {
				this.#response.setHeader("Content-Length", this.#heldBytes);
			}
			this.#start(summary);
		}
		this.#sink!.end();
	}

	/** Answers an error: with its status as long as nothing was sent, inside the body after that. */
	async fail(error: EngineError, text: string, summary?: Summary): Promise<void> {
		if (this.gone.aborted) return;
		const response = this.#response;
		if (this.#sink !== undefined) return this.#failInBody(text);
		this.#held = [];
		const body = Buffer.from(text);
		if (summary !== undefined) response.setHeader("X-ClickHouse-Summary", summaryJson(summary));
		response.setHeader("X-ClickHouse-Exception-Code", String(error.code));
		response.setHeader("Content-Type", "text/plain; charset=UTF-8");
		response.setHeader("Content-Length", body.length);
		if (error.code === 194) response.setHeader("WWW-Authenticate", 'Basic realm="ClickHouse server HTTP API"');
		response.writeHead(httpStatus(error.code));
		response.end(this.#options.headOnly ? undefined : body);
	}

	/** The frame goes out as one chunk, and the body is then cut short so that no reader takes it for whole. */
	async #failInBody(text: string): Promise<void> {
		const message = text.endsWith("\n") ? text : `${text}\n`;
		const length = Buffer.byteLength(message);
		const tag = this.#exceptionTag;
		const frame = `\r\n${EXCEPTION_MARKER}\r\n${tag}\r\n${message}${length} ${tag}\r\n${EXCEPTION_MARKER}\r\n`;
		const sink = this.#sink!;
		sink.write(Buffer.from(frame));
		sink.end();
	}
}
