/** What a start finds in the journal folder: what can be replayed, and what is told and set aside. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
	BOOKKEEPING,
	FORMAT_VERSION,
	framesOf,
	SEGMENT_HEADER_BYTES,
	scanSegment,
	segmentId,
	segmentVersion,
} from "./format.ts";

export interface Segment {
	/** Order among the segments of a folder; used again once they are gone. */
	readonly seq: number;
	/** Random, in the file itself: names the segment in deduplication tokens, so it must never be used again. */
	readonly id: string;
	readonly path: string;
	bytes: number;
	/** Records in it: rows of all tables but the bookkeeping ones. */
	records: number;
}

/** A thing that was wrong with a segment, and what was done. */
export interface Finding {
	readonly segment: string;
	readonly problem: "torn tail" | "damaged bytes" | "empty segment" | "newer version" | "not a segment";
	readonly bytes: number;
	/** Where the bytes are now. */
	readonly movedTo?: string;
}

export interface Recovery {
	/** Oldest first; every one has at least one whole commit. */
	readonly segments: Segment[];
	readonly findings: Finding[];
	readonly nextSeq: number;
}

const EXTENSION = ".seg";

export function segmentPath(folder: string, seq: number): string {
	return join(folder, `${String(seq).padStart(12, "0")}${EXTENSION}`);
}

/** Records in the whole commits of a segment. */
export function countRecords(bytes: Buffer): number {
	let records = 0;
	for (const commit of scanSegment(bytes).commits) {
		for (const frame of framesOf(bytes, commit)) if (!BOOKKEEPING.has(frame.table)) records += frame.rows;
	}
	return records;
}

/**
 * Looks through all segments in `folder`. A torn tail is cut, damaged bytes are copied to `set-aside/`, a segment this
 * version cannot read is moved there whole; nothing is destroyed and nothing else is lost by it.
 */
export function recover(folder: string): Recovery {
	const aside = join(folder, "set-aside");
	mkdirSync(aside, { recursive: true });
	const segments: Segment[] = [];
	const findings: Finding[] = [];
	const files = readdirSync(folder)
		.filter((file) => file.endsWith(EXTENSION))
		.sort();
	let nextSeq = 1;
	for (const file of files) {
		const seq = Number.parseInt(file, 10);
		nextSeq = Math.max(nextSeq, seq + 1);
		const path = join(folder, file);
		const bytes = readFileSync(path);
		const version = segmentVersion(bytes);
		if (bytes.length <= SEGMENT_HEADER_BYTES && (version ?? FORMAT_VERSION) <= FORMAT_VERSION) {
			findings.push({ segment: file, problem: "empty segment", bytes: bytes.length });
			rmSync(path);
			continue;
		}
		if (version === undefined || version > FORMAT_VERSION) {
			const movedTo = join(aside, file);
			renameSync(path, movedTo);
			const problem = version === undefined ? "not a segment" : "newer version";
			findings.push({ segment: file, problem, bytes: bytes.length, movedTo });
			continue;
		}
		const { commits, damaged } = scanSegment(bytes);
		for (const { from, to } of damaged) {
			const movedTo = join(aside, `${file}.${from}-${to}`);
			writeFileSync(movedTo, bytes.subarray(from, to), { flush: true });
			const torn = to === bytes.length;
			findings.push({ segment: file, problem: torn ? "torn tail" : "damaged bytes", bytes: to - from, movedTo });
			if (torn) truncateSync(path, from);
		}
		if (commits.length === 0) rmSync(path);
		else segments.push({ seq, id: segmentId(bytes), path, bytes: commits.at(-1)!.to, records: countRecords(bytes) });
	}
	// Notes of a segment that was deleted a moment before a crash.
	const kept = new Set(segments.map(({ path }) => path));
	for (const note of readdirSync(folder).filter((file) => file.includes(`${EXTENSION}.`))) {
		const path = join(folder, note);
		if (!kept.has(path.slice(0, path.indexOf(EXTENSION) + EXTENSION.length))) rmSync(path);
	}
	return { segments, findings, nextSeq };
}
