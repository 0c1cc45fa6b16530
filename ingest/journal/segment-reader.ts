import { open } from "node:fs/promises";
import type { Segment } from "./recover.ts";

/** A buffer of up to this size is used again for the next segment. */
const KEPT_BYTES = 64 * 1024 * 1024;
/** One that is so many times too large is not: nobody knows when as much comes again. */
const TOO_LARGE = 16;
/** The system reads no more than 2 GiB at once. */
const READ_BYTES = 1024 * 1024 * 1024;

/**
 * Reads sealed segments, one at a time, into a buffer that is used again and again. Memory outside of V8's heap that comes and goes
 * by tens of megabytes makes V8 mark the whole heap, and with it what is left of the limit until it does so again shrinks.
 */
export class SegmentReader {
	#buffer = Buffer.alloc(0);

	/** The durable bytes of a segment, good until the next call. Behind them may stand a commit whose sync failed. */
	async read({ path, bytes }: Pick<Segment, "path" | "bytes">): Promise<Buffer> {
		const buffer = this.#room(bytes);
		const file = await open(path, "r");
		try {
			for (let at = 0; at < bytes; ) {
				const { bytesRead } = await file.read(buffer, at, Math.min(bytes - at, READ_BYTES), at);
				if (bytesRead === 0) throw new Error(`${path} ends after ${at} of ${bytes} bytes`);
				at += bytesRead;
			}
		} finally {
			await file.close();
		}
		return buffer.subarray(0, bytes);
	}

	#room(bytes: number): Buffer {
		if (bytes > KEPT_BYTES) return Buffer.allocUnsafeSlow(bytes);
		if (bytes > this.#buffer.length || bytes * TOO_LARGE < this.#buffer.length) {
			this.#buffer = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(bytes)));
		}
		return this.#buffer;
	}
}
