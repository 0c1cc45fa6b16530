// The lines of a file or of standard input, decompressed when they are gzip, a chunk of them at a time.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { SourceLine } from "./parse/record.ts";

/** A longer line fits into no request; the rest of it is left out. */
export const MAX_LINE_BYTES = 4 * 2 ** 20;

export interface Source {
	/** Bytes in the file as it is on the disk; undefined for standard input. */
	totalBytes: number | undefined;
	/** Bytes read of it so far. */
	readonly bytesRead: number;
	/** When it was last written, epoch milliseconds. */
	modifiedMs: number;
	/** The lines, as many at a time as came in one piece. Rejects when the file cannot be read or is damaged. */
	chunks: AsyncIterable<SourceLine[]>;
}

/** Opens a file, or standard input for `-`. */
export async function openSource(path: string, stdin: Readable): Promise<Source> {
	const file = path === "-" ? undefined : await stat(path);
	if (file?.isDirectory()) throw new Error(`${path} is a folder`);
	const raw = file ? createReadStream(path, { highWaterMark: 2 ** 18 }) : stdin;
	let bytesRead = 0;
	raw.on("data", (chunk: Buffer) => {
		bytesRead += chunk.length;
	});
	raw.pause();
	return {
		totalBytes: file?.isFile() ? file.size : undefined,
		get bytesRead() {
			return bytesRead;
		},
		modifiedMs: file?.isFile() ? file.mtimeMs : Date.now(),
		chunks: splitLines(decompressed(raw)),
	};
}

/** The bytes as they are, or gunzipped when they begin as gzip does. */
async function* decompressed(raw: Readable): AsyncIterable<Buffer> {
	const input = raw[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
	let head = Buffer.alloc(0);
	while (head.length < 2) {
		const { value, done } = await input.next();
		if (done) break;
		head = Buffer.concat([head, value]);
	}
	const rest = (async function* () {
		yield head;
		yield* { [Symbol.asyncIterator]: () => input };
	})();
	if (head[0] !== 0x1f || head[1] !== 0x8b) {
		yield* rest;
		return;
	}
	const output = new PassThrough();
	const failure = pipeline(rest, createGunzip(), output).then(
		() => undefined,
		(cause: Error) => cause,
	);
	// On an error the pipeline destroys the output; what came before it has been read by then, or is read still.
	yield* output;
	const cause = await failure;
	if (cause) throw cause;
}

/** Cuts bytes into lines; a carriage return before the newline and a byte order mark at the start are left out. */
export async function* splitLines(input: AsyncIterable<Buffer>): AsyncGenerator<SourceLine[]> {
	let parts: Buffer[] = [];
	let partBytes = 0;
	let number = 0;
	let offset = 0;

	function finish(last: Buffer): SourceLine {
		const bytes = parts.length > 0 ? Buffer.concat([...parts, last]) : last;
		const lineBytes = partBytes + last.length;
		number++;
		let text = bytes.toString("utf8", 0, Math.min(bytes.length, MAX_LINE_BYTES));
		if (text.endsWith("\r")) text = text.slice(0, -1);
		if (number === 1) text = text.replace(/^\uFEFF/, "");
		const line = { text, number, offset };
		offset += lineBytes + 1;
		parts = [];
		partBytes = 0;
		return line;
	}

	for await (const chunk of input) {
		const lines: SourceLine[] = [];
		let start = 0;
		for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
			lines.push(finish(chunk.subarray(start, end)));
			start = end + 1;
		}
		if (start < chunk.length) {
			const rest = chunk.subarray(start);
			// What is over the limit is counted and not kept.
			if (partBytes < MAX_LINE_BYTES) parts.push(rest);
			partBytes += rest.length;
		}
		if (lines.length > 0) yield lines;
	}
	if (partBytes > 0) yield [finish(Buffer.alloc(0))];
}
