/** Request bodies: the first bytes to find the statement in, the rest to a file, nothing half-read mistaken for whole. */
import { open } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { engineError } from "./errors.ts";

/** How the engine names the `Content-Encoding`s it can read from a file by itself. */
const ENGINE_COMPRESSION = new Map([
	["gzip", "gzip"],
	["x-gzip", "gzip"],
	["deflate", "deflate"],
	["br", "br"],
	["zstd", "zstd"],
	["lz4", "lz4"],
	["xz", "xz"],
	["bz2", "bz2"],
]);

const WRITE_BATCH_BYTES = 1024 * 1024;

export class BodyReader {
	readonly #chunks: AsyncIterator<Buffer>;
	#peeked: Buffer[] = [];
	#ended = false;

	constructor(source: Readable) {
		this.#chunks = source[Symbol.asyncIterator]();
	}

	async #next(): Promise<Buffer | undefined> {
		if (this.#ended) return undefined;
		const step = await this.#chunks.next();
		if (step.done) this.#ended = true;
		return step.done ? undefined : step.value;
	}

	/** The first `limit` bytes or more, less only when the body is shorter; they stay part of the body. */
	async peek(limit: number): Promise<Buffer> {
		let length = this.#peeked.reduce((sum, chunk) => sum + chunk.length, 0);
		while (length < limit) {
			const chunk = await this.#next();
			if (chunk === undefined) break;
			this.#peeked.push(chunk);
			length += chunk.length;
		}
		const all = this.#peeked.length === 1 ? this.#peeked[0]! : Buffer.concat(this.#peeked);
		this.#peeked = [all];
		return all;
	}

	/** True when the whole body has been read into what {@link peek} gave. */
	get ended(): boolean {
		return this.#ended;
	}

	/**
	 * Writes `before` and the body without its first `skip` bytes to `path`; resolves to the bytes written.
	 *
	 * Rejects when the body breaks off, so that a torn body is never taken for a whole one.
	 */
	async spool(path: string, before: Buffer, skip: number): Promise<number> {
		const file = await open(path, "wx", 0o600);
		let total = 0;
		try {
			let batch: Buffer[] = [];
			let batchBytes = 0;
			const add = (chunk: Buffer): void => {
				if (chunk.length === 0) return;
				batch.push(chunk);
				batchBytes += chunk.length;
			};
			const flush = async (): Promise<void> => {
				for (let left = batch; left.length > 0; ) {
					const { bytesWritten } = await file.writev(left);
					total += bytesWritten;
					left = dropBytes(left, bytesWritten);
				}
				batch = [];
				batchBytes = 0;
			};
			add(before);
			for (const chunk of this.#peeked) {
				add(chunk.subarray(Math.min(skip, chunk.length)));
				skip = Math.max(0, skip - chunk.length);
			}
			for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) {
				add(chunk);
				if (batchBytes >= WRITE_BATCH_BYTES) await flush();
			}
			await flush();
		} finally {
			await file.close();
		}
		return total;
	}
}

function dropBytes(chunks: Buffer[], bytes: number): Buffer[] {
	const rest: Buffer[] = [];
	for (const chunk of chunks) {
		const skip = Math.min(bytes, chunk.length);
		bytes -= skip;
		if (skip < chunk.length) rest.push(chunk.subarray(skip));
	}
	return rest;
}

/** The `Content-Encoding` of a request, `undefined` when it is not compressed. */
export function contentEncoding(request: IncomingMessage): string | undefined {
	const encoding = request.headers["content-encoding"]?.toLowerCase();
	return encoding === undefined || encoding === "" || encoding === "identity" ? undefined : encoding;
}

/** The engine's name for an encoding of insert data. @throws EngineError 89 for one it cannot read. */
export function engineCompression(encoding: string | undefined): string {
	if (encoding === undefined) return "none";
	const method = ENGINE_COMPRESSION.get(encoding);
	if (method === undefined) throw unknownEncoding(encoding);
	return method;
}

/** The body as text needs it: decompressed. @throws EngineError 89 for what Node cannot decompress. */
export function decompressed(request: IncomingMessage): Readable {
	const encoding = contentEncoding(request);
	const decoder = encoding === undefined ? undefined : decoderOf(encoding);
	if (decoder === undefined) return request;
	request.on("error", (error) => decoder.destroy(error));
	// Whoever reads meets the error; nobody may be reading just then.
	decoder.on("error", () => undefined);
	return request.pipe(decoder);
}

function decoderOf(encoding: string) {
	if (encoding === "gzip" || encoding === "x-gzip") return createGunzip();
	if (encoding === "deflate") return createInflate();
	if (encoding === "br") return createBrotliDecompress();
	throw unknownEncoding(encoding);
}

function unknownEncoding(encoding: string): Error {
	const message = `Unknown compression method '${encoding}': use gzip, deflate or br`;
	return engineError(89, "UNKNOWN_COMPRESSION_METHOD", message);
}
