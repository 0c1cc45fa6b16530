import type { BodyFormat } from "../body.ts";
import type { Cursor } from "./cursor.ts";

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;

/** Takes the record whose opening brace the cursor is at, and moves behind it. @returns false when it is unusual */
export interface RecordScanner {
	record(): boolean;
}

/**
 * Walks over the records of a body: NDJSON, an array, or one object.
 * @returns how many there are, or -1 when one of them or the body is unusual
 */
export function scanRecords(
	cursor: Cursor,
	body: Buffer,
	format: BodyFormat,
	maxRecords: number,
	scanner: RecordScanner,
): number {
	cursor.reset(body);
	cursor.multiline = true;
	const lines = format === "ndjson";
	const list = !lines && cursor.take(OPEN_BRACKET);
	for (let records = 1; ; records++) {
		if (cursor.peek() !== OPEN_BRACE || records > maxRecords) return -1;
		cursor.multiline = !lines;
		if (!scanner.record()) return -1;
		if (list) {
			if (cursor.take(COMMA)) continue;
			return cursor.take(CLOSE_BRACKET) && cursor.peek() === -1 ? records : -1;
		}
		const next = cursor.peek();
		if (next === -1) return records;
		if (!lines || next !== LINE_FEED) return -1;
		cursor.multiline = true;
		if (cursor.peek() === -1) return records;
	}
}
