/**
 * Bytes of a journal segment: a header, then commits. A commit is what one fdatasync made durable, whole or not at all:
 *
 *     segment  "TMJOURNL" | version u32 | 0 u32 | random id, 16 bytes
 *     commit   "TMC1" u32 | payload bytes u32 | CRC-32 of the payload u32 | payload
 *     payload  frames: table u8 | rows u32 | bytes u32 | one Native block
 */
import { crc32 } from "node:zlib";
import type { TableName } from "../../schema/tables.ts";
import type { ByteWriter } from "../native/bytes.ts";

export const SEGMENT_HEADER_BYTES = 32;
export const COMMIT_HEADER_BYTES = 12;
export const FORMAT_VERSION = 1;

const SEGMENT_MAGIC = Buffer.from("TMJOURNL");
const COMMIT_MAGIC = Buffer.from("TMC1");

/** Never renumber: old segments carry these. */
const TABLE_CODES: Readonly<Record<JournalTable, number>> = {
	series: 1,
	points: 2,
	cumulative: 3,
	events: 4,
	logs: 5,
	errors: 6,
	requests: 7,
	profiles: 8,
	log_patterns: 9,
};
export type JournalTable = Exclude<TableName, "quarantine">;
/** Rows of these tables are no records that somebody sent. */
export const BOOKKEEPING: ReadonlySet<JournalTable> = new Set(["series", "log_patterns", "requests"]);
const TABLE_NAMES = new Map(Object.entries(TABLE_CODES).map(([name, code]) => [code, name as JournalTable]));

/** A Native block bound for one table. */
export interface Frame {
	readonly table: JournalTable;
	readonly rows: number;
	readonly block: Buffer;
}

/** @param id 32 hexadecimal digits */
export function segmentHeader(id: string): Buffer {
	const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
	SEGMENT_MAGIC.copy(header);
	header.writeUInt32LE(FORMAT_VERSION, 8);
	header.write(id, 16, "hex");
	return header;
}

/** The id in a segment's header. */
export function segmentId(bytes: Buffer): string {
	return bytes.toString("hex", 16, SEGMENT_HEADER_BYTES);
}

/** @returns the format version, or undefined when this is no journal segment */
export function segmentVersion(bytes: Buffer): number | undefined {
	if (bytes.length < SEGMENT_HEADER_BYTES || bytes.compare(SEGMENT_MAGIC, 0, 8, 0, 8) !== 0) return undefined;
	return bytes.readUInt32LE(8);
}

/** Writes one commit into `out`, from its start. */
export function writeCommit(out: ByteWriter, frames: readonly Frame[]): void {
	const payload = frames.reduce((sum, frame) => sum + 9 + frame.block.length, 0);
	out.length = 0;
	out.raw(COMMIT_MAGIC);
	out.uint32(payload);
	out.uint32(0);
	for (const { table, rows, block } of frames) {
		out.uint8(TABLE_CODES[table]);
		out.uint32(rows);
		out.uint32(block.length);
		out.raw(block);
	}
	out.bytes.writeUInt32LE(crc32(out.view().subarray(COMMIT_HEADER_BYTES)), 8);
}

/** Where a whole, undamaged commit stands in the bytes of a segment. */
export interface CommitSpan {
	readonly from: number;
	readonly to: number;
}

/** Reads the commit at `from`; undefined when it is torn or damaged. */
export function commitAt(bytes: Buffer, from: number): CommitSpan | undefined {
	if (from + COMMIT_HEADER_BYTES > bytes.length || bytes.compare(COMMIT_MAGIC, 0, 4, from, from + 4) !== 0)
		return undefined;
	const to = from + COMMIT_HEADER_BYTES + bytes.readUInt32LE(from + 4);
	if (to > bytes.length || crc32(bytes.subarray(from + COMMIT_HEADER_BYTES, to)) !== bytes.readUInt32LE(from + 8)) {
		return undefined;
	}
	return { from, to };
}

/** What a segment holds: whole commits, and stretches that are not. */
export interface SegmentScan {
	readonly commits: readonly CommitSpan[];
	/** Bytes that belong to no whole commit; at the end of the newest segment that is a torn tail. */
	readonly damaged: readonly CommitSpan[];
}

/** Finds all whole commits, also those behind a damaged one. */
export function scanSegment(bytes: Buffer): SegmentScan {
	const commits: CommitSpan[] = [];
	const damaged: CommitSpan[] = [];
	let at = SEGMENT_HEADER_BYTES;
	while (at < bytes.length) {
		const commit = commitAt(bytes, at);
		if (commit) {
			commits.push(commit);
			at = commit.to;
			continue;
		}
		const next = nextCommit(bytes, at);
		damaged.push({ from: at, to: next });
		at = next;
	}
	return { commits, damaged };
}

/**
 * Where reading goes on after the damaged commit at `from`. Its own length is believed when it leads to a whole commit or to
 * the end; only else the bytes are searched, since a record's text could contain anything, a forged commit included.
 */
function nextCommit(bytes: Buffer, from: number): number {
	if (from + COMMIT_HEADER_BYTES <= bytes.length) {
		const behind = from + COMMIT_HEADER_BYTES + bytes.readUInt32LE(from + 4);
		if (behind === bytes.length || commitAt(bytes, behind)) return behind;
	}
	let next = bytes.indexOf(COMMIT_MAGIC, from + 1);
	while (next !== -1 && !commitAt(bytes, next)) next = bytes.indexOf(COMMIT_MAGIC, next + 1);
	return next === -1 ? bytes.length : next;
}

/** The frames of a whole commit; blocks are views of `bytes`. */
export function* framesOf(bytes: Buffer, { from, to }: CommitSpan): Generator<Frame> {
	let at = from + COMMIT_HEADER_BYTES;
	while (at < to) {
		const table = TABLE_NAMES.get(bytes.readUInt8(at));
		const rows = bytes.readUInt32LE(at + 1);
		const length = bytes.readUInt32LE(at + 5);
		if (!table) throw new Error(`the journal has a frame for an unknown table (code ${bytes.readUInt8(at)})`);
		yield { table, rows, block: bytes.subarray(at + 9, at + 9 + length) };
		at += 9 + length;
	}
}
