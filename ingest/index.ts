/** Ingest: from a request's body to a durable record to ClickHouse. */

import { readFileSync } from "node:fs";
import type { Hono } from "hono";
import type { Logger } from "pino";
import type { RequireRole } from "../http/auth.ts";
import type { AppEnv } from "../http/env.ts";
import type { ClickHouse } from "../schema/clickhouse.ts";
import type { Retention } from "../schema/retention.ts";
import type { IngestAnswer } from "../schema/wire/ingest.ts";
import { Intake, type Signal } from "./intake.ts";
import { framesOf, scanSegment } from "./journal/format.ts";
import { Journal } from "./journal/journal.ts";
import { Ledger } from "./ledger.ts";
import { Loader } from "./loader/loader.ts";
import type { Trouble } from "./loader/retry.ts";
import { decodeBlock } from "./native/decode.ts";
import { RequestMemory } from "./requests.ts";
import { ingestRoutes } from "./routes.ts";
import { SeriesRegistry } from "./series.ts";

export { INGEST_DOCS } from "./routes.ts";

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
	/** Milliseconds since the epoch. */
	readonly clock?: () => number;
	/** How long records gather before they are sent on. */
	readonly flush_ms?: number;
	readonly segmentBytes?: number;
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
	/** Call after the routes stopped taking requests: stores what is in the journal within the deadline. */
	close(deadline_ms: number): Promise<void>;
}

/** Recovers the journal, learns from ClickHouse what is stored, and starts the loader. Needs the migrations to have run. */
export async function createIngest(options: IngestOptions): Promise<Ingest> {
	const { clickhouse, logger, clock = Date.now } = options;
	const journal = new Journal(options.folder);
	for (const finding of journal.findings)
		logger.warn({ finding }, `journal: ${finding.problem}, ${finding.bytes} bytes`);
	const ledger = new Ledger(journal.records);
	const registry = new SeriesRegistry({ perProject: options.seriesPerProject });
	const requests = new RequestMemory({ clickhouse, isStored: (segment) => loader.isStored(segment) });
	await Promise.all([knowStoredSeries(clickhouse, registry), requests.load()]);
	const intake: Intake = new Intake({
		...{ journal, ledger, registry, clock, retention: options.retention, maxRecords: options.maxRecords },
		sequence: Math.floor(Math.random() * 2 ** 32),
		onCommit: () => loader.notify(),
	});
	const loader: Loader = new Loader({
		...{ journal, clickhouse, ledger, clock, logger, seal: () => intake.seal() },
		flush_ms: options.flush_ms ?? 750,
		segmentBytes: options.segmentBytes ?? 32 * 1024 * 1024,
	});
	recallRequests(journal, requests);
	loader.start();
	return {
		routes: (requireRole) =>
			ingestRoutes({
				...{ intake, journal, loader, requests, requireRole, clock },
				maxBodyBytes: options.maxBodyBytes,
				journalBudgetBytes: options.journalBudgetBytes,
			}),
		async write(project, signal, records) {
			const { answer, rows } = intake.takeRecords(project, signal, records);
			if (rows > 0) await intake.commit();
			return answer;
		},
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
			await loader.drain(deadline_ms);
			await intake.seal();
		},
	};
}

/** The series budget counts what is stored, also from before this start. */
async function knowStoredSeries(clickhouse: ClickHouse, registry: SeriesRegistry): Promise<void> {
	const result = await clickhouse.query({
		query: "SELECT DISTINCT project, intDiv(series_id, 4294967296), series_id % 4294967296 FROM series",
		format: "JSONCompactEachRow",
		clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
	});
	for await (const rows of result.stream<[string, number, number]>()) {
		for (const row of rows) registry.know(...row.json());
	}
}

/** Answers to requests whose segments are not stored yet. */
function recallRequests(journal: Journal, requests: RequestMemory): void {
	for (const { path, seq } of journal.sealed) {
		const bytes = readFileSync(path);
		for (const commit of scanSegment(bytes).commits) {
			for (const { table, block } of framesOf(bytes, commit)) {
				if (table !== "requests") continue;
				const { rows, columns } = decodeBlock(block);
				const text = (name: string, row: number) => String(columns.get(name)![row]);
				for (let row = 0; row < rows; row++) {
					const request = { bodyHash: text("body_hash", row), answer: JSON.parse(text("answer", row)), segment: seq };
					requests.remember(text("project", row), text("key", row), request);
				}
			}
		}
	}
}
