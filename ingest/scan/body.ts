import { isUtf8 } from "node:buffer";
import type { Retention } from "../../schema/retention.ts";
import { RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import type { OpenBatch } from "../batch.ts";
import type { BodyFormat } from "../body.ts";
import { timeBounds } from "../parse/time.ts";
import { Cursor } from "./cursor.ts";
import { DocumentScanner } from "./document.ts";
import { EventScanner } from "./events.ts";
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

type Scanners = Readonly<Record<"metric" | "event" | "log", RecordScanner>>;

/** From the bytes of a usual body straight into the columns of the open batch; all of it or nothing. */
export class BodyScanner {
	/** Records of the last body. */
	records = 0;
	readonly #batch: OpenBatch;
	readonly #cursor = new Cursor();
	readonly #metrics = new MetricScanner(this.#cursor);
	readonly #events: EventScanner;
	readonly #logs: LogScanner;
	readonly #scanners: Scanners;
	readonly #mixed: RecordScanner;

	constructor(batch: OpenBatch) {
		const document = new DocumentScanner(this.#cursor);
		this.#batch = batch;
		this.#events = new EventScanner(this.#cursor, document, batch.events);
		this.#logs = new LogScanner(this.#cursor, document, batch.logs);
		this.#scanners = { metric: this.#metrics, event: this.#events, log: this.#logs };
		this.#mixed = new TypedScanner(this.#cursor, document, this.#scanners);
	}

	/**
	 * @param signal what every record is; undefined when each says so in its member `type`
	 * @returns rows that became part of the batch, or -1 when the plain path has to read the body
	 */
	scan(
		signal: "metric" | "event" | "log" | undefined,
		body: Buffer,
		format: BodyFormat,
		{ project, now, retention, maxRecords, resolve }: ScanOptions,
	): number {
		const { events, logs } = this.#batch;
		const typed = signal === undefined;
		// Bytes that are no UTF-8 become other ones on the plain path.
		if (!isUtf8(body)) return -1;
		this.#metrics.begin(typed, project, timeBounds(now, retention.metrics_days), resolve);
		this.#events.begin(typed, timeBounds(now, retention.events_days));
		this.#logs.begin(typed, timeBounds(now, retention.logs_days));
		events.mark();
		logs.mark();
		const scanner = signal === undefined ? this.#mixed : this.#scanners[signal];
		this.records = scanRecords(this.#cursor, body, format, maxRecords, scanner);
		if (this.records === -1) {
			events.rollback();
			logs.rollback();
			return -1;
		}
		const { points, series, ts, values } = this.#metrics;
		if (points > 0) this.#batch.points(points, series, ts, values);
		if (this.#events.records > 0) events.add(this.#events.records, project, now);
		if (this.#logs.records > 0) logs.add(this.#logs.records, project, now);
		return points + this.#events.records + this.#logs.records;
	}
}

const COMMA = 0x2c;
const COLON = 0x3a;

/** Asks the member `type` of a record, which is usually its first, who is to read it. */
class TypedScanner implements RecordScanner {
	readonly #cursor: Cursor;
	readonly #document: DocumentScanner;
	readonly #scanners: Scanners;

	constructor(cursor: Cursor, document: DocumentScanner, scanners: Scanners) {
		this.#cursor = cursor;
		this.#document = document;
		this.#scanners = scanners;
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
		const { event, log, metric } = this.#scanners;
		const scanner = cursor.is("metric") ? metric : cursor.is("event") ? event : cursor.is("log") ? log : undefined;
		cursor.at = start;
		return scanner?.record() === true;
	}
}
