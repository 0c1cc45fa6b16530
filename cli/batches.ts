// Batches for one request each. Where they are cut depends on the records alone, so a second run sends the same ones.
import { createHash } from "node:crypto";
import type { ParsedRecord } from "./parse/record.ts";

export const BATCH_LIMITS = { records: 5000, bytes: 4 * 2 ** 20 } as const;

export interface Batch {
	records: ParsedRecord[];
	body: string;
}

/** Collects records until a batch is full. */
export class BatchCutter {
	readonly #limits: { records: number; bytes: number };
	#records: ParsedRecord[] = [];
	#bytes = 0;

	constructor(limits: { records: number; bytes: number } = BATCH_LIMITS) {
		this.#limits = limits;
	}

	/** Takes a record; gives the batch that was full without it. */
	push(record: ParsedRecord): Batch | undefined {
		const bytes = Buffer.byteLength(record.json) + 1;
		const full = this.#records.length >= this.#limits.records || this.#bytes + bytes > this.#limits.bytes;
		const batch = full ? this.end() : undefined;
		this.#records.push(record);
		this.#bytes += bytes;
		return batch;
	}

	/** The batch that is open, if it has a record. */
	end(): Batch | undefined {
		const records = this.#records;
		this.#records = [];
		this.#bytes = 0;
		return records.length > 0 ? toBatch(records) : undefined;
	}
}

/** Two halves, for a server that takes less in one request. */
export function halves({ records }: Batch): [Batch, Batch] {
	const middle = Math.ceil(records.length / 2);
	return [toBatch(records.slice(0, middle)), toBatch(records.slice(middle))];
}

/**
 * The Idempotency-Key of a batch: the file, the place in it and the body. The body is part of it so that a file that was
 * changed meets no conflict but is sent.
 *
 * @param identity tells files apart that hold the same
 */
export function idempotencyKey(identity: string, batch: Batch): string {
	const place = `${identity}\n${batch.records[0]?.offset ?? 0}\n`;
	return `import-${createHash("sha256").update(place).update(batch.body).digest("hex").slice(0, 48)}`;
}

function toBatch(records: ParsedRecord[]): Batch {
	return { records, body: `${records.map(({ json }) => json).join("\n")}\n` };
}
