/** Ingest: from a request's body to a durable record to ClickHouse. */

import type { Hono } from "hono";
import type { Logger } from "pino";
import type { RequireRole } from "../http/auth.ts";
import type { AppEnv } from "../http/env.ts";
import type { RouteDoc } from "../http/openapi.ts";
import type { ClickHouse } from "../schema/clickhouse.ts";
import type { LiveBus } from "../schema/live/bus.ts";
import type { Retention } from "../schema/retention.ts";
import type { IngestAnswer } from "../schema/wire/ingest.ts";
import { loadReader } from "./enrich/analyse.ts";
import type { ContentCapture } from "./enrich/redact.ts";
import { Erasures } from "./erasures.ts";
import { HEARTBEAT_DOCS, heartbeatRoutes } from "./heartbeats/routes.ts";
import { TokenBook } from "./heartbeats/token-book.ts";
import { Intake, type Signal } from "./intake.ts";
import { Journal } from "./journal/journal.ts";
import { KnownIssues } from "./known-issues.ts";
import { Ledger } from "./ledger.ts";
import { LiveTap } from "./live/tap.ts";
import { Loader } from "./loader/loader.ts";
import type { Trouble } from "./loader/retry.ts";
import { PatternMiner } from "./patterns/miner.ts";
import { knowStoredPatterns, knowStoredSeries, recallIds, recallIssues, recallJournal } from "./recall.ts";
import { RequestMemory } from "./requests.ts";
import { ingestRoutes, INGEST_DOCS as RECORD_DOCS } from "./routes.ts";
import { SeenIds } from "./seen-ids.ts";
import { SeriesRegistry } from "./series.ts";
import { Watermark } from "./watermark.ts";

export const INGEST_DOCS: readonly RouteDoc[] = [...RECORD_DOCS, ...HEARTBEAT_DOCS];

export interface IngestOptions {
	/** Folder of the journal. One ingest process owns it. */
	readonly folder: string;
	readonly clickhouse: ClickHouse;
	readonly logger: Logger;
	readonly retention: Retention;
	readonly maxBodyBytes: number;
	readonly maxRecords: number;
	readonly seriesPerProject: number;
	readonly journalBudgetBytes: number;
	/**
	 * No other process stores events in this database, so the event_ids that this one saw are all there are, and new ones need
	 * no look-up.
	 */
	readonly alone?: boolean;
	/** Where viewers are told what became durable; undefined: nobody is. */
	readonly live?: { readonly bus: LiveBus; readonly source: string } | undefined;
	/** What becomes of the text of messages, prompts and answers. */
	readonly contentCapture?: ContentCapture;
	/** Milliseconds since the epoch. */
	readonly clock?: () => number;
	/** How long records gather before they are sent on. */
	readonly flush_ms?: number;
	readonly segmentBytes?: number;
	/** How often it looks whether another process erased a person. */
	readonly erasures_ms?: number;
}

/** Where records are, for metrics and the reconciliation. */
export interface IngestStatus {
	readonly accepted: number;
	readonly stored: number;
	readonly quarantined: number;
	readonly duplicates: number;
	readonly rejected: number;
	readonly recovered: number;
	/** Records and bytes that are durable and not stored yet. */
	readonly journal: number;
	readonly journalBytes: number;
	/** Records that are nowhere, or twice: always 0. */
	readonly imbalance: number;
	readonly trouble: Trouble | undefined;
}

export interface Ingest {
	routes(requireRole: RequireRole): Hono<AppEnv>;
	/** Takes records of this process itself, the way of all others. Resolves when they are durable. */
	write(project: string, signal: Signal, records: readonly unknown[]): Promise<IngestAnswer>;
	status(): IngestStatus;
	/** Every record that was acknowledged before this instant can be queried. Milliseconds since the epoch, 0 while it is not known. */
	storedThrough(): number;
	/** Rows that tell of series and patterns were taken away: each is announced again with its next record. */
	announceAgain(): void;
	/** Call after the routes stopped taking requests: stores what is in the journal within the deadline. */
	close(deadline_ms: number): Promise<void>;
}

/** Recovers the journal, learns from ClickHouse what is stored, and starts the loader. Needs the migrations to have run. */
export async function createIngest(options: IngestOptions): Promise<Ingest> {
	const { clickhouse, logger, clock = Date.now, contentCapture = "off" } = options;
	const journal = new Journal(options.folder);
	for (const finding of journal.findings)
		logger.warn({ finding }, `journal: ${finding.problem}, ${finding.bytes} bytes`);
	const watermark = new Watermark(journal, clock);
	const ledger = new Ledger(journal.records);
	const registry = new SeriesRegistry({ perProject: options.seriesPerProject });
	const miner = new PatternMiner();
	const erasures = new Erasures(clickhouse);
	const requests = new RequestMemory({ clickhouse, isStored: (segment) => loader.isStored(segment) });
	const [readMessage] = await Promise.all([
		contentCapture === "off" ? undefined : loadReader(),
		knowStoredSeries(clickhouse, registry),
		knowStoredPatterns(clickhouse, miner),
		requests.load(),
		erasures.isNew(),
	]);
	const seen = options.alone ? new SeenIds({ clock }) : undefined;
	if (seen) void recallIds(clickhouse, seen).catch((err) => logger.warn({ err }, "event_ids: every one is looked up"));
	const tap =
		options.live &&
		new LiveTap({
			...options.live,
			...{ registry, clock, onError: (err) => logger.error({ err }, "viewers are not told of a commit") },
		});
	const issues = new KnownIssues({ alone: options.alone === true });
	void recallIssues(clickhouse, issues).catch((err) => logger.warn({ err }, "issues: which are new is not known"));
	const intake: Intake = new Intake({
		...{ journal, ledger, registry, miner, clock, retention: options.retention, maxRecords: options.maxRecords },
		sequence: Math.floor(Math.random() * 2 ** 32),
		...{ seen, issues },
		...{ contentCapture, readMessage },
		onContentRemoved: once((event) => {
			logger.info({ event, contentCapture }, "events come with text that is not stored, see TIDEMARK_CONTENT_CAPTURE");
		}),
		onCommit: (segment, batch) => {
			watermark.committed(segment);
			loader.notify(segment, batch.suspects);
			tap?.commit(batch);
		},
	});
	const loader: Loader = new Loader({
		...{ journal, clickhouse, ledger, clock, logger, seal: () => intake.seal() },
		flush_ms: options.flush_ms ?? 750,
		segmentBytes: options.segmentBytes ?? 32 * 1024 * 1024,
	});
	recallJournal(journal, { requests, seen, issues, miner });
	loader.start();
	const announceAgain = () => {
		intake.batch.announceAgain();
		miner.announceAgain();
	};
	const stopFollowing = erasures.follow(announceAgain, options.erasures_ms ?? 5_000);
	const write = async (project: string, signal: Signal, records: readonly unknown[]): Promise<IngestAnswer> => {
		const { answer, rows } = intake.takeRecords(project, signal, records);
		if (rows > 0) await intake.commit();
		return answer;
	};
	const { journalBudgetBytes } = options;
	return {
		routes: (requireRole) =>
			ingestRoutes({
				...{ intake, journal, loader, requests, requireRole, clock },
				...{ maxBodyBytes: options.maxBodyBytes, journalBudgetBytes },
			}).route(
				"/",
				heartbeatRoutes({
					tokens: new TokenBook(clickhouse, clock),
					write: (project, events) => write(project, "event", events),
					ready: () => journal.bytes < journalBudgetBytes,
					clock,
				}),
			),
		write,
		announceAgain,
		storedThrough: () => watermark.storedThrough(),
		status: () => ({
			accepted: journal.appended,
			stored: ledger.stored,
			quarantined: ledger.quarantined,
			duplicates: ledger.duplicates,
			rejected: ledger.rejected,
			recovered: ledger.recovered,
			journal: journal.records,
			journalBytes: journal.bytes,
			imbalance: ledger.imbalance(journal.appended, journal.records),
			trouble: loader.trouble,
		}),
		async close(deadline_ms) {
			await stopFollowing();
			await loader.drain(deadline_ms);
			await intake.seal();
			tap?.close();
		},
	};
}

function once<T>(work: (value: T) => void): (value: T) => void {
	let done = false;
	return (value) => {
		if (!done) work(value);
		done = true;
	};
}
