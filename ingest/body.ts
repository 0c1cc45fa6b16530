/** Reads a request's body from the socket: decompressed, within the limit, as valid UTF-8. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { ApiError, unavailable } from "../http/errors.ts";
import { BodyBudget, type Lease } from "./body-budget.ts";

/** Formats a body may have; which one decides how it is split into records. */
export type BodyFormat = "json" | "ndjson";

const FORMATS: Readonly<Record<string, BodyFormat>> = {
	"application/json": "json",
	"application/x-ndjson": "ndjson",
	"application/ndjson": "ndjson",
	"application/jsonl": "ndjson",
	// What `curl -d` says when it is not told otherwise.
	"application/x-www-form-urlencoded": "json",
};

const DECOMPRESSORS: Readonly<Record<string, () => Transform>> = {
	gzip: zlib.createGunzip,
	"x-gzip": zlib.createGunzip,
	deflate: zlib.createInflate,
	br: zlib.createBrotliDecompress,
	// Node has zstd from 22.15 and 23.8 on.
	...("createZstdDecompress" in zlib ? { zstd: zlib.createZstdDecompress as () => Transform } : {}),
};

/** @throws ApiError 415 for a type that is none of ours; a body without a type is taken as JSON */
export function bodyFormat(contentType: string | undefined): BodyFormat {
	const [type = ""] = (contentType ?? "application/json").toLowerCase().split(/[;\s]/, 1);
	const format = Object.hasOwn(FORMATS, type) ? FORMATS[type] : undefined;
	if (format) return format;
	throw new ApiError(415, `Content-Type ${type} is not supported`, {
		extra: { details: { parameter: "Content-Type", provided: type, valid_options: Object.keys(FORMATS) } },
	});
}

export interface ReadBodyOptions {
	/** After decompression. */
	readonly maxBytes: number;
	/** A client that stops sending is given up after this long without a byte. */
	readonly idle_ms: number;
}

const MIN_POOLED_BYTES = 16 * 1024;
const MAX_POOLED_BYTES = 1024 * 1024;
const MAX_POOLED = 32;

/**
 * Buffers for bodies, used again and again. Memory outside of V8's heap that comes and goes with every request makes V8
 * collect garbage all the time: a tenth of a core at full load.
 */
class BodyPool {
	readonly #free: Buffer[] = [];

	/** A buffer of at least this many bytes. */
	take(bytes: number): Buffer {
		const at = this.#free.findIndex((buffer) => buffer.length >= bytes);
		if (at !== -1) return this.#free.splice(at, 1)[0]!;
		return Buffer.allocUnsafeSlow(Math.max(MIN_POOLED_BYTES, 2 ** Math.ceil(Math.log2(bytes))));
	}

	/** Gives a buffer back; nothing may read it any more. */
	give(buffer: Buffer): void {
		if (buffer.length <= MAX_POOLED_BYTES && this.#free.length < MAX_POOLED) this.#free.push(buffer);
	}
}

/** A body up to this size needs no place among the large ones: slow senders of these hold nothing that others wait for. */
const SMALL_BYTES = 256 * 1024;

/** Reads bodies from sockets, within bounds of size, time and memory. */
export class BodyReader {
	readonly #options: ReadBodyOptions;
	readonly #budget: BodyBudget;
	readonly #pool = new BodyPool();

	/** @param memoryBytes that all large bodies take together */
	constructor(options: ReadBodyOptions, memoryBytes: number) {
		this.#options = options;
		this.#budget = new BodyBudget(Math.max(memoryBytes, options.maxBytes));
	}

	/**
	 * Reads the body and has `work` done with it; afterwards its bytes may be those of another body.
	 * @throws ApiError 413 when the decompressed body is over the limit, 415 for an unknown encoding, 400 for a body that is
	 * cut short, not what its encoding says, or not UTF-8; 408 when the client stops sending, or drips while others wait
	 */
	async read<T>(request: IncomingMessage, work: (body: Buffer) => Promise<T>): Promise<T> {
		const { maxBytes } = this.#options;
		const encoding = request.headers["content-encoding"]?.trim().toLowerCase() || "identity";
		const decompressor = decompressorOf(encoding);
		const length = Number(request.headers["content-length"] ?? Number.NaN);
		const declared = !decompressor && length >= 0 ? length : undefined;
		if (declared !== undefined && declared > maxBytes) {
			await drained(request);
			throw tooLarge(maxBytes);
		}
		const place: Place = { room: undefined, lease: undefined };
		const takeRoom = () => {
			if (declared) place.room = this.#pool.take(declared);
		};
		const isLarge = declared === undefined || declared > SMALL_BYTES;
		if (!isLarge) takeRoom();
		// A compressed body may become as large as the limit.
		const admit = (cut: () => void) => {
			place.lease = this.#budget.take(declared ?? maxBytes, cut);
			return place.lease.granted.then(takeRoom);
		};
		try {
			const body = await collect(request, decompressor?.(), this.#options, place, isLarge ? admit : undefined);
			if (place.lease) place.lease.reading = false;
			if (!isUtf8(body)) throw new ApiError(400, "The body is not valid UTF-8");
			return await work(body);
		} finally {
			if (place.room) this.#pool.give(place.room);
			if (place.lease) this.#budget.release(place.lease);
		}
	}
}

/** What a body has been given so far. */
interface Place {
	/** For the whole of it, when its size is known. */
	room: Buffer | undefined;
	lease: Lease | undefined;
}

function decompressorOf(encoding: string): (() => Transform) | undefined {
	if (encoding === "identity") return undefined;
	const decompressor = Object.hasOwn(DECOMPRESSORS, encoding) ? DECOMPRESSORS[encoding] : undefined;
	if (decompressor) return decompressor;
	throw new ApiError(415, `Content-Encoding ${encoding} is not supported`, {
		extra: {
			details: {
				parameter: "Content-Encoding",
				provided: encoding,
				valid_options: ["identity", ...Object.keys(DECOMPRESSORS)],
			},
		},
	});
}

function tooLarge(maxBytes: number): ApiError {
	return new ApiError(413, `The body is larger than ${maxBytes} bytes after decompression`, {
		extra: { limit: maxBytes },
		// The rest of the body is not read; the connection cannot serve another request.
		headers: { Connection: "close" },
	});
}

/** @param admit called once the body is no small one any more; reading goes on when it resolves */
function collect(
	request: IncomingMessage,
	decompressor: Transform | undefined,
	{ maxBytes, idle_ms }: ReadBodyOptions,
	place: Place,
	admit: ((cut: () => void) => Promise<void>) | undefined,
): Promise<Buffer> {
	return new Promise((resolve, reject) => {
		const chunks: Buffer[] = [];
		let bytes = 0;
		let failed = false;
		let isAdmitted = admit === undefined;
		let idle: NodeJS.Timeout | undefined;
		const source = decompressor ?? request;
		const waitForMore = () => {
			idle = setTimeout(() => fail(new ApiError(408, "The body stopped coming")), idle_ms);
		};
		const fail = (error: ApiError) => {
			failed = true;
			clearTimeout(idle);
			request.unpipe();
			decompressor?.destroy();
			// What is still coming is read and dropped, or the client would never see the answer.
			source.removeListener("data", onData);
			request.resume();
			if (error.status === 413) void drained(request).then(() => reject(error));
			else reject(error);
		};
		const onData = (chunk: Buffer) => {
			if (bytes + chunk.length > maxBytes) return fail(tooLarge(maxBytes));
			if (place.room) chunk.copy(place.room, bytes);
			else chunks.push(chunk);
			bytes += chunk.length;
			if (place.lease) place.lease.received += chunk.length;
			if (admit && !isAdmitted && bytes > SMALL_BYTES) wait(admit);
			else idle?.refresh();
		};
		const wait = async (admit: (cut: () => void) => Promise<void>) => {
			isAdmitted = true;
			source.pause();
			clearTimeout(idle);
			await admit(() => fail(new ApiError(408, "The body came too slowly while others waited for its place")));
			if (failed) return;
			if (place.room) {
				let at = 0;
				for (const chunk of chunks.splice(0)) at += chunk.copy(place.room, at);
			}
			waitForMore();
			source.resume();
		};
		waitForMore();
		source.on("data", onData);
		source.once("end", () => {
			// What was dropped after a failure has an end as well.
			if (failed) return;
			clearTimeout(idle);
			resolve(place.room ? place.room.subarray(0, bytes) : Buffer.concat(chunks, bytes));
		});
		request.once("aborted", () => fail(new ApiError(400, `The body ended early, after ${bytes} bytes`)));
		request.once("error", (cause) => fail(unavailable("client", "The connection failed", cause)));
		if (decompressor) {
			decompressor.once("error", (cause) =>
				fail(new ApiError(400, `The body is not what its Content-Encoding says: ${cause.message}`, { cause })),
			);
			request.pipe(decompressor);
		}
	});
}

const DRAIN_MS = 5_000;
const DRAIN_BYTES = 64 * 1024 * 1024;

/**
 * Reads and drops what a client still sends, for a while: one that is answered and cut off in the middle of its body sees a
 * broken connection and not the answer.
 */
function drained(request: IncomingMessage): Promise<void> {
	return new Promise((resolve) => {
		if (request.readableEnded || request.destroyed) return resolve();
		let bytes = 0;
		const late = setTimeout(resolve, DRAIN_MS);
		const done = () => {
			clearTimeout(late);
			resolve();
		};
		request.on("data", (chunk: Buffer) => {
			bytes += chunk.length;
			if (bytes > DRAIN_BYTES) done();
		});
		for (const end of ["end", "close", "error"]) request.once(end, done);
		request.resume();
	});
}
