/** Archives of plain files as POSIX ustar: the same files always give the same bytes, and any other byte is refused when it is read. */

export interface ArchiveFile {
	/** Relative, with `/`, at most 100 bytes. */
	readonly path: string;
	readonly bytes: Uint8Array;
}

/** What was read is no archive of ours, or was changed. */
export class ArchiveError extends Error {
	override readonly name = "ArchiveError";
}

const BLOCK = 512;
const CHECKSUM_AT = 148;

/** @param modified milliseconds since the epoch, of all files */
export function writeTar(files: readonly ArchiveFile[], modified: number): Buffer {
	const parts = files.flatMap(({ path, bytes }) => [
		header(path, bytes.length, modified),
		bytes,
		padding(bytes.length),
	]);
	return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

/** @throws ArchiveError when a byte is not as `writeTar` would have it */
export function readTar(archive: Buffer): ArchiveFile[] {
	const files: ArchiveFile[] = [];
	let modified: number | undefined;
	let at = 0;
	while (at + BLOCK <= archive.length && archive[at] !== 0) {
		const head = archive.subarray(at, at + BLOCK);
		const path = text(head, 0, 100);
		const size = octal(head, 124, 12);
		modified ??= octal(head, 136, 12) * 1_000;
		const end = at + BLOCK + size;
		if (end > archive.length) throw new ArchiveError(`${path} is cut off`);
		if (!header(path, size, modified).equals(head)) throw new ArchiveError(`the header of ${path} was changed`);
		files.push({ path, bytes: archive.subarray(at + BLOCK, end) });
		at = end + padding(size).length;
	}
	if (!writeTar(files, modified ?? 0).equals(archive)) throw new ArchiveError("there are bytes that belong to no file");
	return files;
}

function header(path: string, size: number, modified: number): Buffer {
	const head = Buffer.alloc(BLOCK);
	if (Buffer.byteLength(path) > 100) throw new ArchiveError(`${path} is too long a name`);
	head.write(path, 0);
	head.write("0000644\0", 100);
	head.write("0000000\0", 108);
	head.write("0000000\0", 116);
	head.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
	head.write(
		`${Math.floor(modified / 1_000)
			.toString(8)
			.padStart(11, "0")}\0`,
		136,
	);
	head.write("        ", CHECKSUM_AT);
	head.write("0ustar\0", 156);
	head.write("00", 263);
	const sum = head.reduce((total, byte) => total + byte, 0);
	head.write(`${sum.toString(8).padStart(6, "0")}\0 `, CHECKSUM_AT);
	return head;
}

function padding(size: number): Buffer {
	return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

function text(head: Buffer, at: number, length: number): string {
	const field = head.subarray(at, at + length);
	const end = field.indexOf(0);
	return field.subarray(0, end < 0 ? length : end).toString("utf8");
}

function octal(head: Buffer, at: number, length: number): number {
	const found = text(head, at, length);
	if (!/^[0-7]+$/.test(found)) throw new ArchiveError("this is no archive of ours");
	return Number.parseInt(found, 8);
}
