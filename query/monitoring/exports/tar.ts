/** A tar archive of files, as a stream: POSIX ustar, and for files over 8 GiB the size as GNU tar writes it. */
import { createReadStream } from "node:fs";

export interface TarFile {
	readonly name: string;
	readonly path: string;
	readonly bytes: number;
	/** Seconds since the epoch. */
	readonly modified: number;
}

const BLOCK = 512;
const LARGEST_OCTAL = 8 ** 11;

/** How long the archive is. */
export function tarBytes(files: readonly Pick<TarFile, "bytes">[]): number {
	return files.reduce((sum, { bytes }) => sum + BLOCK + Math.ceil(bytes / BLOCK) * BLOCK, 2 * BLOCK);
}

/** @throws Error when a file is not as long as was said: the archive is cut off there */
export async function* tar(files: readonly TarFile[]): AsyncGenerator<Buffer> {
	for (const file of files) {
		yield tarHead(file);
		let left = file.bytes;
		for await (const chunk of createReadStream(file.path) as AsyncIterable<Buffer>) {
			left -= chunk.length;
			yield chunk;
		}
		if (left !== 0) throw new Error(`${file.name} is not ${file.bytes} bytes long`);
		yield Buffer.alloc(-file.bytes & (BLOCK - 1));
	}
	yield Buffer.alloc(2 * BLOCK);
}

/** The block before a file. */
export function tarHead({ name, bytes, modified }: Pick<TarFile, "name" | "bytes" | "modified">): Buffer {
	const head = Buffer.alloc(BLOCK);
	const octal = (value: number, at: number, length: number) =>
		head.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
	head.write(name, 0, 100, "utf8");
	octal(0o644, 100, 8);
	octal(0, 108, 8);
	octal(0, 116, 8);
	if (bytes < LARGEST_OCTAL) octal(bytes, 124, 12);
	else {
		head.writeBigUInt64BE(BigInt(bytes), 128);
		head[124] = 0x80;
	}
	octal(modified, 136, 12);
	head.write("        0", 148, "latin1");
	head.write("ustar\u000000", 257, "latin1");
	const sum = head.reduce((total, byte) => total + byte, 0);
	head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
	return head;
}
