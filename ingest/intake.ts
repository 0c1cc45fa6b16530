import { conventionKind } from "../schema/conventions/index.ts";
import type { Retention } from "../schema/retention.ts";
import type { IngestAnswer, RejectedRecord, ReportedError } from "../schema/wire/ingest.ts";
import { type ErrorRow, OpenBatch } from "./batch.ts";
import type { BodyFormat } from "./body.ts";
import { Committer, type OnCommit } from "./committer.ts";
import { analyseMessages, type ReadMessage } from "./enrich/analyse.ts";
import { MESSAGE_EVENT } from "./enrich/names.ts";
import { type ContentCapture, redact } from "./enrich/redact.ts";
import type { Journal } from "./journal/journal.ts";
import type { KnownIssues } from "./known-issues.ts";
import type { Ledger } from "./ledger.ts";
import { idKey } from "./loader/duplicates.ts";
import { parseError } from "./parse/error.ts";
import { parseEvent } from "./parse/event.ts";
import { parseLog } from "./parse/log.ts";
import { type ParsedMetric, parseMetric } from "./parse/metric.ts";
import { Problem } from "./parse/problem.ts";
import { parseProfile } from "./parse/profile.ts";
import { isObject } from "./parse/text.ts";
import { type TimeBounds, timeBounds } from "./parse/time.ts";
import type { PatternMiner } from "./patterns/miner.ts";
import { splitRecords } from "./records.ts";
import { BodyScanner } from "./scan/body.ts";
import type { SeenIds } from "./seen-ids.ts";
import type { SeriesRegistry } from "./series.ts";

export const SIGNALS = ["metric", "event", "log", "error", "profile"] as const;
export type Signal = (typeof SIGNALS)[number];

/** Signals that the scanner knows; undefined is a mixture. */
type ScannedSignal = Exclude<Signal, "error" | "profile">;

function isScanned(signal: Signal | undefined): signal is ScannedSignal | undefined {
	return signal !== "error" && signal !== "profile";
}

export interface IntakeOptions {
	readonly journal: Journal;
	readonly ledger: Ledger;
	readonly registry: SeriesRegistry;
	readonly miner: PatternMiner;
	readonly retention: Retention;
	readonly maxRecords: number;
	/** Milliseconds since the epoch. */
	readonly clock: () => number;
	/** Where row ids start; random, so that two processes do not share them. */
	readonly sequence: number;
	/** Which event_ids were seen; undefined when another process may store events too, and nobody knows. */
	readonly seen: SeenIds | undefined;
	readonly issues: KnownIssues;
	readonly onCommit: OnCommit;
	readonly contentCapture: ContentCapture;
	/** Reads messages; undefined when content is not captured. */
	readonly readMessage: ReadMessage | undefined;
	/** Hears that an event came with content that is not stored. */
	readonly onContentRemoved: (event: string) => void;
}

/** A request whose valid records are in the open batch. */
export interface Taken {
	readonly answer: IngestAnswer;
	/** Rows that became part of the batch. */
	readonly rows: number;
}

/** Checks records and puts the good ones into the open batch; `commit` makes them durable. */
export class Intake {
	readonly batch: OpenBatch;
	readonly #options: IntakeOptions;
	readonly #committer: Committer;
	readonly #scanner: BodyScanner;

	constructor(options: IntakeOptions) {
		this.#options = options;
		this.batch = new OpenBatch(options.sequence, options.miner);
		this.#scanner = new BodyScanner(this.batch);
		this.#committer = new Committer(options.journal, this.batch, options.onCommit);
	}

	/**
	 * The records of a body that has messages to be read, with what was found in them; undefined of any other, which `take` takes.
	 * @throws ApiError as `take`
	 */
	async analysed(body: Buffer, format: BodyFormat): Promise<unknown[] | undefined> {
		const { readMessage, maxRecords } = this.#options;
		if (!readMessage || !body.includes(MESSAGE_EVENT)) return undefined;
		const records = splitRecords(body, format, maxRecords);
		await analyseMessages(records, readMessage);
		return records;
	}

	/**
	 * Takes the records of a body.
	 * @param signal what every record is; undefined when each says so in its member `type`
	 * @throws ApiError 400 or 413 when the body as a whole cannot be taken
	 */
	take(project: string, signal: Signal | undefined, body: Buffer, format: BodyFormat): Taken {
		const taken = isScanned(signal) ? this.#scan(project, signal, body, format) : undefined;
		return taken ?? this.takeRecords(project, signal, splitRecords(body, format, this.#options.maxRecords));
	}

	/** The usual body, without an object per record; undefined when it is not one. */
	#scan(project: string, signal: ScannedSignal | undefined, body: Buffer, format: BodyFormat): Taken | undefined {
		const { registry, retention, clock, maxRecords } = this.#options;
		const now = clock();
		const rows = this.#scanner.scan(signal, body, format, {
			project,
			now,
			retention,
			maxRecords,
			resolve: (name, tags, kind, unit) => registry.resolve(project, name, tags, kind ?? conventionKind(name), unit),
		});
		if (rows === -1) return undefined;
		this.#watch(project);
		return { answer: { accepted: this.#scanner.records, rejected: [] }, rows };
	}

	/** Tells the batch of event_ids of the scanned body that have to be looked up before the events are stored. */
	#watch(project: string): void {
		const { seen } = this.#options;
		const isComplete = seen?.isComplete === true;
		this.batch.events.eachId((bytes, from, to) => {
			if (!isComplete) this.batch.suspect(undefined);
			if (!seen?.addBytes(project, bytes, from, to)) return;
			this.batch.suspect(idKey(project, bytes.toString("utf8", from, to)));
		});
	}

	/** Takes records that are parsed already. */
	takeRecords(project: string, signal: Signal | undefined, records: readonly unknown[]): Taken {
		const sink = new RecordSink(project, this.batch, this.#options);
		const rejected: RejectedRecord[] = [];
		for (let index = 0; index < records.length; index++) {
			const problem = sink.take(signal, records[index]);
			if (problem) rejected.push({ index, reason: problem.reason, field: problem.field });
		}
		this.#options.ledger.rejected += rejected.length;
		const answer: IngestAnswer = { accepted: records.length - rejected.length, rejected };
		if (signal === "error") {
			answer.issue_ids = sink.reported.map(({ issue_id }) => issue_id);
			answer.errors = sink.reported;
		}
		return { answer, rows: sink.rows };
	}

	/** @returns the journal segment in which everything taken so far is durable */
	commit(): Promise<number> {
		return this.#committer.commit();
	}

	/** Seals the journal's active segment. */
	seal(): Promise<void> {
		return this.#committer.seal();
	}
}

/** Puts the records of one request where they belong. */
class RecordSink {
	readonly #project: string;
	readonly #batch: OpenBatch;
	readonly #registry: SeriesRegistry;
	readonly #seen: SeenIds | undefined;
	readonly #issues: KnownIssues;
	readonly #now: number;
	readonly #bounds: Readonly<Record<Signal, TimeBounds>>;
	readonly #contentCapture: ContentCapture;
	readonly #onContentRemoved: (event: string) => void;
	rows = 0;
	readonly reported: ReportedError[] = [];

	constructor(project: string, batch: OpenBatch, options: IntakeOptions) {
		const { registry, retention, clock, seen, issues } = options;
		this.#contentCapture = options.contentCapture;
		this.#onContentRemoved = options.onContentRemoved;
		this.#project = project;
		this.#batch = batch;
		this.#registry = registry;
		this.#seen = seen;
		this.#issues = issues;
		this.#now = clock();
		this.#bounds = {
			metric: timeBounds(this.#now, retention.metrics_days),
			event: timeBounds(this.#now, retention.events_days),
			log: timeBounds(this.#now, retention.logs_days),
			error: timeBounds(this.#now, retention.logs_days),
			profile: timeBounds(this.#now, retention.logs_days),
		};
	}

	/** @returns why the record was not taken */
	take(signal: Signal | undefined, record: unknown): Problem | undefined {
		if (record instanceof Problem) return record;
		switch (signal ?? typeOf(record)) {
			case "metric":
				return this.#metric(record);
			case "event": {
				const row = parseEvent(record, this.#bounds.event);
				if (row instanceof Problem) return row;
				if (redact(row, this.#contentCapture)) this.#onContentRemoved(row.event);
				this.#batch.event(this.#project, row, this.#now);
				if (row.event_id !== "") this.#watch(row.event_id);
				break;
			}
			case "log": {
				const row = parseLog(record, this.#bounds.log);
				if (row instanceof Problem) return row;
				this.#batch.log(this.#project, row, this.#now);
				break;
			}
			case "error": {
				const row = parseError(record, this.#bounds.error);
				if (row instanceof Problem) return row;
				this.#error(row);
				break;
			}
			case "profile": {
				const row = parseProfile(record, this.#bounds.profile);
				if (row instanceof Problem) return row;
				this.#batch.profile(this.#project, row, this.#now);
				break;
			}
			default:
				return new Problem("type", `must be one of ${SIGNALS.join(", ")}`);
		}
		this.rows++;
		return undefined;
	}

	/** Tells the batch of an event_id that has to be looked up before the event is stored. */
	#watch(id: string): void {
		const seen = this.#seen;
		if (!seen?.isComplete) this.#batch.suspect(undefined);
		if (seen?.add(this.#project, id)) this.#batch.suspect(idKey(this.#project, id));
	}

	#error(row: ErrorRow): void {
		const error_id = this.#batch.error(this.#project, row, this.#now);
		const issue_id = issueId(row.issueHigh, row.issueLow);
		const { isNew, made } = this.#issues.meet(this.#project, issue_id);
		if (made) this.#batch.firstOf(made);
		this.reported.push({ error_id, issue_id, is_new: isNew });
	}

	#metric(record: unknown): Problem | undefined {
		const metric = parseMetric(record, this.#bounds.metric);
		if (metric instanceof Problem) return metric;
		const series = this.#series(metric);
		if (!series)
			return new Problem("tags", "the project has used up its budget of series; known series are still taken");
		const { timestamps, values } = metric;
		this.#batch.seriesPoints(series, timestamps, values);
		this.rows += values.length;
		return undefined;
	}

	#series({ name, tags, kind, unit }: ParsedMetric) {
		return this.#registry.resolve(this.#project, name, tags, kind ?? conventionKind(name), unit);
	}
}

function typeOf(record: unknown): unknown {
	return isObject(record) ? record.type : undefined;
}

/** Issue ids are texts of 16 hexadecimal digits. */
function issueId(high: number, low: number): string {
	return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}
