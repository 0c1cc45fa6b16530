/** Files in a bucket. A multipart upload is not to be seen until it is completed. */
import { PermanentJobError } from "../jobs/job.ts";
import { OutboundRefused } from "../outbound/errors.ts";
import { type S3Bucket, S3Error, type Upload } from "./s3-requests.ts";
import type { Target } from "./target.ts";

/** Of each request of an upload; one more may wait for its turn. S3 takes 5 MiB or more, and 10,000 of them. */
const CHUNK_BYTES = 8 * 1024 * 1024;
const IN_FLIGHT = 2;

/** @param prefix of this export alone, with a slash at its end */
export function s3Target(bucket: S3Bucket, prefix: string): Target {
	const permanently = <T>(work: Promise<T>) => work.catch(rethrow);
	return {
		clear: () => permanently(abortAll(bucket, prefix)),
		write: (name, body) => permanently(upload(bucket, `${prefix}${name}`, body)),
		async remove(names) {
			for (const name of names) await permanently(bucket.delete(`${prefix}${name}`));
		},
	};
}

async function abortAll(bucket: S3Bucket, prefix: string): Promise<void> {
	try {
		for (const one of await bucket.uploads(prefix)) await bucket.abort(one);
	} catch (error) {
		// Keys that may only write are good enough: such leftovers are not to be seen, and a rule of the bucket can remove them.
		if (!(error instanceof S3Error && (error.status === 403 || error.status === 501))) throw error;
	}
}

async function upload(bucket: S3Bucket, key: string, body: AsyncIterable<Buffer>): Promise<void> {
	let begun: Upload | undefined;
	const etags: Promise<string>[] = [];
	try {
		for await (const chunk of inChunks(body)) {
			if (!begun && chunk.length < CHUNK_BYTES) return await bucket.put(key, chunk);
			begun ??= await bucket.begin(key);
			const sent = bucket.putPart(begun, etags.length + 1, chunk);
			// It is waited for below; what fails before that must not end the process.
			sent.catch(() => undefined);
			etags.push(sent);
			await etags.at(-IN_FLIGHT);
		}
		if (!begun) return await bucket.put(key, Buffer.alloc(0));
		await bucket.complete(begun, await Promise.all(etags));
	} catch (error) {
		await Promise.allSettled(etags);
		if (begun) await bucket.abort(begun).catch(() => undefined);
		throw error;
	}
}

async function* inChunks(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	let held: Buffer[] = [];
	let size = 0;
	for await (const chunk of body) {
		held.push(chunk);
		size += chunk.length;
		if (size < CHUNK_BYTES) continue;
		yield Buffer.concat(held);
		held = [];
		size = 0;
	}
	if (size > 0) yield Buffer.concat(held);
}

/** A bucket that is not there, or does not let us in, will not be otherwise in a minute. */
function rethrow(error: unknown): never {
	const final = error instanceof OutboundRefused || (error instanceof S3Error && !error.mayPass);
	if (final) throw new PermanentJobError((error as Error).message, { cause: error });
	throw error;
}
