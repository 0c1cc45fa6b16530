import { isUtf8 } from "node:buffer";
import type { Retention } from "../../schema/retention.ts";
import { RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import type { OpenBatch } from "../batch.ts";
import type { BodyFormat } from "../body.ts";
import { timeBounds } from "../parse/time.ts";
import { Cursor } from "./cursor.ts";
import { DocumentScanner } from "./document.ts";
import { LogScanner } from "./logs.ts";
import { MetricScanner, type ResolveSeries } from "./metrics.ts";
import { type RecordScanner, scanRecords } from "./records.ts";

export interface ScanOptions {
	readonly project: string;
	/** Time of receipt, milliseconds since the epoch. */
	readonly now: number;
	readonly retention: Retention;
	readonly maxRecords: number;
	readonly resolve: ResolveSeries;
}

/** From the bytes of a usual body straight into the columns of the open batch; all of it or nothing. */
export class BodyScanner {
	/** Records of the last body. */
	records = 0;
	readonly #batch: OpenBatch;
	readonly #cursor = new Cursor();
	readonly #metrics = new MetricScanner(this.#cursor);
	readonly #logs: LogScanner;
	readonly #mixed: RecordScanner;

	constructor(batch: OpenBatch) {
		const document = new DocumentScanner(this.#cursor);
		this.#batch = batch;
		this.#logs = new LogScanner(this.#cursor, document, batch.logs);
		const scanners = { metric: this.#metrics, log: this.#logs };
		this.#mixed = new TypedScanner(this.#cursor, document, new Map(Object.entries(scanners)));
	}

	/**
	 * @param signal what every record is; undefined when each says so in its member `type`
	 * @returns rows that became part of the batch, or -1 when the plain path has to read the body
	 */
	scan(
		signal: "metric" | "log" | undefined,
		body: Buffer,
		format: BodyFormat,
		{ project, now, retention, maxRecords, resolve }: ScanOptions,
	): number {
		const { logs } = this.#batch;
		const typed = signal === undefined;
		// Bytes that are no UTF-8 become other ones on the plain path.
		if (!isUtf8(body)) return -1;
		this.#metrics.begin(typed, project, timeBounds(now, retention.metrics_days), resolve);
		this.#logs.begin(typed, timeBounds(now, retention.logs_days));
		logs.mark();
		const scanner = signal === undefined ? this.#mixed : signal === "metric" ? this.#metrics : this.#logs;
		this.records = scanRecords(this.#cursor, body, format, maxRecords, scanner);
		if (this.records === -1) {
			logs.rollback();
			return -1;
		}
		const { points, series, ts, values } = this.#metrics;
		if (points > 0) this.#batch.points(points, series, ts, values);
		if (this.#logs.records > 0) logs.add(this.#logs.records, project, now);
		return points + this.#logs.records;
	}
}

const COMMA = 0x2c;
const COLON = 0x3a;

/** Asks the member `type` of a record, which is usually its first, who is to read it. */
class TypedScanner implements RecordScanner {
	readonly #cursor: Cursor;
	readonly #document: DocumentScanner;
	readonly #scanners: [type: string, scanner: RecordScanner][];

	constructor(cursor: Cursor, document: DocumentScanner, scanners: ReadonlyMap<string, RecordScanner>) {
		this.#cursor = cursor;
		this.#document = document;
		this.#scanners = [...scanners];
	}

	record(): boolean {
		const cursor = this.#cursor;
		const start = cursor.at;
		cursor.at++;
		do {
			if (!cursor.string()) return false;
			const found = cursor.is("type");
			if (!cursor.take(COLON)) return false;
			if (found) return cursor.string() && this.#dispatch(start);
			if (!this.#document.skip(RECORD_LIMITS.depth)) return false;
		} while (cursor.take(COMMA));
		return false;
	}

	#dispatch(start: number): boolean {
		const cursor = this.#cursor;
		for (const [type, scanner] of this.#scanners) {
			if (!cursor.is(type)) continue;
			cursor.at = start;
			return scanner.record();
		}
		return false;
	}
}
