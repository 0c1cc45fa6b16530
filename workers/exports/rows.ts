/** Counts the rows of a file while it passes, so that what the manifest says is what was written. */
import { parquetMetadata } from "hyparquet";
import type { ExportFormat } from "../../schema/wire/index.ts";

export interface RowCounter {
	push(chunk: Buffer): void;
	/** How many have passed; of parquet that is known at the end only. */
	readonly passed: number;
	/** @throws Error for a file that is not whole */
	rows(): number;
}

export function rowCounter(format: ExportFormat): RowCounter {
	if (format === "parquet") return parquetRows();
	return format === "csv" ? csvRows() : lines();
}

const NEWLINE = 0x0a;
const QUOTE = 0x22;

function lines(): RowCounter {
	let found = 0;
	let last = NEWLINE;
	return {
		get passed() {
			return found;
		},
		push(chunk) {
			if (chunk.length === 0) return;
			for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) found++;
			last = chunk.at(-1)!;
		},
		rows() {
			if (last !== NEWLINE) throw new Error("the answer ends in the middle of a line");
			return found;
		},
	};
}

/** A quoted text may hold newlines. A quote in it is doubled, which leaves and enters it again. */
function csvRows(): RowCounter {
	let found = 0;
	let quoted = false;
	let last = NEWLINE;
	return {
		get passed() {
			return found;
		},
		push(chunk) {
			for (let i = 0; i < chunk.length; i++) {
				const byte = chunk[i];
				if (byte === QUOTE) quoted = !quoted;
				else if (byte === NEWLINE && !quoted) found++;
			}
			last = chunk.at(-1) ?? last;
		},
		rows() {
			if (quoted || last !== NEWLINE || found === 0) throw new Error("the answer ends in the middle of a line");
			// The first line names the columns.
			return found - 1;
		},
	};
}

/** The footer is at the end, and says its own length in the last 8 bytes. */
const FOOTER_BYTES = 4 * 1024 * 1024;

function parquetRows(): RowCounter {
	let tail: Buffer[] = [];
	let size = 0;
	return {
		passed: 0,
		push(chunk) {
			tail.push(chunk);
			size += chunk.length;
			if (size > 2 * FOOTER_BYTES) {
				const kept = Buffer.concat(tail).subarray(-FOOTER_BYTES);
				// A copy, or the whole buffer stays for as long as its end is needed.
				tail = [Buffer.from(kept)];
				size = kept.length;
			}
		},
		rows() {
			return Number(parquetMetadata(new Uint8Array(Buffer.concat(tail))).num_rows);
		},
	};
}
