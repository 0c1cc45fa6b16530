/**
 * One HTTP answer as ClickHouse gives it: held back for a moment, or for as many bytes as the client asks, so that an
 * early error becomes a status; then streamed; an error after that is framed in the body, with the tag that the headers
 * announced, and the body cut short so that no reader takes it for whole.
 */
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { type Encoder, encoder, pickEncoding } from "./encoding.ts";
import { type EngineError, httpStatus } from "./errors.ts";
import { RawHead } from "./raw-head.ts";

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
	/** Bytes to hold back, where the client wishes it. */
	bufferBytes: number | undefined;
	/** `Accept-Encoding` when the client asked for compression, else `undefined`. */
	acceptEncoding: string | undefined;
	compressLevel: number;
}

const EXCEPTION_MARKER = "__exception__";
/**
 * A query that ends this soon after its first rows is answered as a whole: with its length and its summary, or with the
 * status of its error. (A failing query gives the rows it has left just before the error.)
 */
const HOLD_MS = 25;
const HOLD_BYTES = 256 * 1024;
/** Formats that are read while they are written. */
const LIVE_FORMAT = /WithProgress$|EventStream$/i;
/** Between the frame of an error and the end of the connection, so that a reader somewhat behind still meets the frame. */
const CUT_MS = 200;

/** Sixteen letters that no data can foresee, from the random bytes that Node keeps for ids. */
function exceptionTag(): string {
	const uuid = randomUUID();
	return (uuid.slice(0, 8) + uuid.slice(-8)).replace(/\d/g, (digit) => "ghijklmnop"[Number(digit)]!);
}

/** ClickHouse's numbers in headers are strings, so that no 64-bit value is rounded. */
function summaryJson(summary: Summary): string {
	return JSON.stringify(Object.fromEntries(Object.entries(summary).map(([name, value]) => [name, String(value)])));
}

export class Answer {
	readonly #response: ServerResponse;
	#options: AnswerOptions = { bufferBytes: undefined, acceptEncoding: undefined, compressLevel: 3 };
	readonly #exceptionTag: string;
	#held: Buffer[] = [];
	#heldBytes = 0;
	#holdTimer: NodeJS.Timeout | undefined;
	#rawHead: RawHead | undefined;
	/** Where the body goes once the headers are out: the encoder, if there is one, and what is behind it. */
	#sink: Writable | undefined;
	#encoder: Encoder | undefined;
	readonly #headOnly: boolean;
	#live = false;
	#complete = false;
	#gone = false;
	/** Called once the client is gone before the answer was complete. */
	readonly #onGone = new Set<() => void>();
	/** Figures for the headers, as far as they are known when these go out. */
	summary: () => Summary | undefined = () => undefined;

	/** To be called as soon as there is a response: later, a client that has left already would go unnoticed. */
	constructor(response: ServerResponse) {
		this.#response = response;
		this.#headOnly = response.req.method === "HEAD";
		this.#exceptionTag = exceptionTag();
		response.setHeader("X-ClickHouse-Exception-Tag", this.#exceptionTag);
		// A write that meets a socket on its way down; "close" follows and tells.
		response.on("error", () => undefined);
		response.on("close", () => {
			clearTimeout(this.#holdTimer);
			if (this.#complete) return;
			this.#gone = true;
			for (const told of this.#onGone) told();
			this.#encoder?.destroy();
		});
	}

	/** The client was gone before the answer was complete. */
	get gone(): boolean {
		return this.#gone;
	}

	/** Calls `stop` when the client leaves, or has left, before `running` settles, which never rejects. */
	whileRunning(running: Promise<unknown>, stop: () => void): void {
		if (this.#gone) stop();
		else this.#onGone.add(stop);
		void running.then(() => this.#onGone.delete(stop));
	}

	/** Must come before the first byte, as setFormat must. */
	setOptions(options: AnswerOptions): void {
		this.#options = options;
	}

	setFormat(format: string, contentType: string): void {
		this.#live = LIVE_FORMAT.test(format);
		this.#response.setHeader("X-ClickHouse-Format", format);
		this.#response.setHeader("Content-Type", contentType);
	}

	/** Sends a header of its own while the query runs; does nothing once the body has begun. */
	progress(summary: Summary): void {
		if (this.#gone || this.#sink !== undefined || this.#response.socket === null) return;
		if (this.#rawHead === undefined) {
			const encoding = pickEncoding(this.#options.acceptEncoding);
			if (encoding !== undefined) this.#response.setHeader("Content-Encoding", encoding);
			this.#rawHead = new RawHead(this.#response);
		}
		this.#rawHead.add("X-ClickHouse-Progress", summaryJson(summary));
	}

	#addHeader(name: string, value: string): void {
		if (this.#rawHead === undefined) this.#response.setHeader(name, value);
		else this.#rawHead.add(name, value);
	}

	#start(): Writable {
		clearTimeout(this.#holdTimer);
		const summary = this.summary();
		if (summary !== undefined) this.#addHeader("X-ClickHouse-Summary", summaryJson(summary));
		const encoding = pickEncoding(this.#options.acceptEncoding);
		if (encoding !== undefined) this.#addHeader("Content-Encoding", encoding);
		const target = this.#rawHead?.body() ?? this.#response;
		this.#sink = target;
		if (encoding !== undefined) {
			this.#encoder = encoder(encoding, this.#options.compressLevel);
			this.#encoder.on("error", (error) => this.#response.destroy(error));
			this.#encoder.pipe(target);
			this.#sink = this.#encoder;
		}
		const held = this.#held;
		this.#held = [];
		for (const chunk of held) this.#send(chunk);
		return this.#sink;
	}

	#send(chunk: Buffer): boolean {
		return this.#headOnly || this.#sink!.write(chunk);
	}

	/** Sends `chunk` or holds it back; a promise resolves when more may be written. Does nothing once the client is gone. */
	write(chunk: Buffer): Promise<void> | undefined {
		if (this.#gone) return undefined;
		if (this.#sink !== undefined) return this.#send(chunk) ? undefined : this.#drained(this.#sink);
		this.#held.push(chunk);
		this.#heldBytes += chunk.length;
		const { bufferBytes } = this.#options;
		if (this.#live || this.#heldBytes > (bufferBytes ?? HOLD_BYTES)) {
			const sink = this.#start();
			return sink.writableNeedDrain ? this.#drained(sink) : undefined;
		}
		if (bufferBytes === undefined) this.#holdTimer ??= setTimeout(() => this.#start(), HOLD_MS);
		return undefined;
	}

	#drained(sink: Writable): Promise<void> {
		return new Promise((resolve) => {
			const done = (): void => {
				sink.off("drain", done);
				this.#onGone.delete(done);
				resolve();
			};
			sink.on("drain", done);
			this.#onGone.add(done);
		});
	}

	/** Completes the answer. */
	end(): void {
		if (this.#gone) return;
		this.#complete = true;
		if (this.#sink === undefined) {
			const plain = this.#rawHead === undefined && pickEncoding(this.#options.acceptEncoding) === undefined;
			if (plain) this.#response.setHeader("Content-Length", this.#heldBytes);
			this.#start();
		}
		this.#sink!.end();
	}

	/** Answers an error: with its status as long as no header was sent, as a header or in the body after that. */
	fail(error: EngineError, text: string): void {
		if (this.#gone) return;
		clearTimeout(this.#holdTimer);
		const inBody = this.#sink !== undefined;
		this.#complete = true;
		if (inBody) {
			this.#failInBody(text);
			return;
		}
		this.#held = [];
		this.#addHeader("X-ClickHouse-Exception-Code", String(error.code));
		if (this.#rawHead !== undefined) {
			this.#start().end(text);
			return;
		}
		const body = Buffer.from(text);
		const response = this.#response;
		response.setHeader("Content-Type", "text/plain; charset=UTF-8");
		response.setHeader("Content-Length", body.length);
		if (error.code === 194) response.setHeader("WWW-Authenticate", 'Basic realm="ClickHouse server HTTP API"');
		response.writeHead(httpStatus(error.code)).end(this.#headOnly ? undefined : body);
	}

	#failInBody(text: string): void {
		const message = text.endsWith("\n") ? text : `${text}\n`;
		const length = Buffer.byteLength(message);
		const tag = this.#exceptionTag;
		// One write: clients look for the frame at the end of a chunk.
		const frame = `\r\n${EXCEPTION_MARKER}\r\n${tag}\r\n${message}${length} ${tag}\r\n${EXCEPTION_MARKER}\r\n`;
		const { socket } = this.#response;
		const cut = (): void => {
			setTimeout(() => socket?.destroySoon(), CUT_MS).unref();
		};
		const flush = (): void => (this.#encoder === undefined ? cut() : this.#encoder.flush(cut));
		this.#sink!.write(Buffer.from(frame), flush);
	}
}
