import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { ByteWriter } from "../native/bytes.ts";
import { type Frame, SEGMENT_HEADER_BYTES, segmentHeader, writeCommit } from "./format.ts";
import { type Finding, recover, type Segment, segmentPath } from "./recover.ts";

const open = promisify(fs.open);
const close = promisify(fs.close);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);
const ftruncate = promisify(fs.ftruncate);
const unlink = promisify(fs.unlink);
const readdir = promisify(fs.readdir);

/** The disk refused a commit. None of it is durable, none of it will be replayed. */
export class JournalWriteError extends Error {
	override readonly name = "JournalWriteError";
}

/**
 * Durable hand-over between the routes and the loader: an append-only file of commits, rotated into sealed segments that
 * are deleted once their rows are stored. One appender and one reader; `append` calls must not overlap.
 */
export class Journal {
	/** What the start found wrong, for the log. */
	readonly findings: readonly Finding[];
	readonly #folder: string;
	readonly #sealed: Segment[];
	#nextSeq: number;
	#active: (Segment & { readonly fd: number }) | undefined;
	#bytes: number;
	#appended = 0;
	readonly #commit = new ByteWriter(1024 * 1024);

	constructor(folder: string) {
		fs.mkdirSync(folder, { recursive: true });
		const { segments, findings, nextSeq } = recover(folder);
		this.#folder = folder;
		this.#sealed = segments;
		this.#nextSeq = nextSeq;
		this.findings = findings;
		this.#bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
	}

	/** Bytes of all segments: what counts against the disk budget. */
	get bytes(): number {
		return this.#bytes;
	}

	/** Records that are durable here and not yet stored. */
	get records(): number {
		return this.#sealed.reduce((sum, segment) => sum + segment.records, this.#active?.records ?? 0);
	}

	/** Records made durable since the start; counted together with `records`, so that the two never disagree. */
	get appended(): number {
		return this.#appended;
	}

	/** Sealed segments, oldest first. */
	get sealed(): readonly Segment[] {
		return this.#sealed;
	}

	/** Of the newest segment, 0 when all is stored. */
	get newestSeq(): number {
		return this.#active?.seq ?? this.#sealed.at(-1)?.seq ?? 0;
	}

	get active(): Readonly<Segment> | undefined {
		return this.#active;
	}

	/**
	 * Writes a commit and waits until the disk has it.
	 * @returns the segment it is in
	 * @throws JournalWriteError when the disk is full or fails; the journal can be used on
	 */
	async append(frames: readonly Frame[], records: number): Promise<number> {
		writeCommit(this.#commit, frames);
		const commit = this.#commit.view();
		try {
			this.#active ??= await this.#create();
			const segment = this.#active;
			writeAll(segment.fd, commit, segment.bytes);
			await fdatasync(segment.fd);
			segment.bytes += commit.length;
			segment.records += records;
			this.#appended += records;
			this.#bytes += commit.length;
			return segment.seq;
		} catch (cause) {
			await this.#abandon();
			throw new JournalWriteError(`the journal could not be written: ${(cause as Error).message}`, { cause });
		}
	}

	/** Closes the active segment, so that the loader may read it and the next commit opens a new one. */
	async seal(): Promise<void> {
		const segment = this.#active;
		if (!segment) return;
		// In one turn: the segment is always on one of the two lists.
		this.#active = undefined;
		const empty = segment.bytes === SEGMENT_HEADER_BYTES;
		if (!empty) this.#sealed.push(segment);
		await close(segment.fd);
		if (empty) await this.#unlink(segment);
	}

	/** Takes a sealed segment, whose rows must be stored, off the list, then deletes it and what was noted beside it. */
	async remove(segment: Segment): Promise<void> {
		this.#sealed.splice(this.#sealed.indexOf(segment), 1);
		await this.#unlink(segment);
		const notes = `${basename(segment.path)}.`;
		for (const file of await readdir(this.#folder)) {
			if (file.startsWith(notes)) await unlink(join(this.#folder, file));
		}
	}

	async #create(): Promise<Segment & { readonly fd: number }> {
		const seq = this.#nextSeq++;
		const path = segmentPath(this.#folder, seq);
		const fd = await open(path, "wx");
		const id = randomBytes(16).toString("hex");
		const header = segmentHeader(id);
		try {
			writeAll(fd, header, 0);
			await fsync(fd);
			// The file's name must survive a power loss as well as its bytes.
			await syncFolder(dirname(path));
		} catch (error) {
			await close(fd);
			await unlink(path);
			throw error;
		}
		this.#bytes += header.length;
		return { seq, id, path, fd, bytes: header.length, records: 0 };
	}

	/**
	 * After a failed write the file may hold part of a commit, and after a failed sync nobody knows what the disk has: cut the
	 * file back to its last durable commit and go on in a new segment.
	 */
	async #abandon(): Promise<void> {
		const segment = this.#active;
		if (!segment) return;
		// A file that cannot be cut keeps a torn tail, which the next start finds and cuts by its checksum.
		await ftruncate(segment.fd, segment.bytes).catch(() => undefined);
		await this.seal();
	}

	async #unlink(segment: Segment): Promise<void> {
		await unlink(segment.path);
		this.#bytes -= segment.bytes;
	}
}

/** In place: handing some kilobytes for the page cache to another thread costs more than copying them. */
function writeAll(fd: number, bytes: Buffer, position: number): void {
	for (let done = 0; done < bytes.length; ) {
		done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done);
	}
}

async function syncFolder(folder: string): Promise<void> {
	const fd = await open(folder, "r");
	try {
		await fsync(fd);
	} finally {
		await close(fd);
	}
}
