// `tidemark import FILE`: a file of records or logs, sent through the same route as everything else.
import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { TidemarkError } from "../client/errors.ts";
import { mayRetry, retryDelayMs } from "../client/retry.ts";
import { Transport } from "../client/transport.ts";
import type { IngestAnswer } from "../schema/wire/ingest.ts";
import { type Batch, BatchCutter, halves, idempotencyKey } from "./batches.ts";
import { createParser, detectFormat, type Format } from "./detect.ts";
import { openSource } from "./lines.ts";
import type { RecordType } from "./parse/ndjson.ts";
import type { LineParser, Parsed } from "./parse/record.ts";
import type { Progress } from "./progress.ts";

const REASONS_KEPT = 10;
const TIMEOUT_MS = 60_000;

export interface ImportOptions {
	/** A file, or `-` for standard input; gzip is recognised. */
	path: string;
	apiKey: string;
	baseUrl: string;
	/** Default: what the first lines look like. */
	format?: Format | undefined;
	/** Type of JSON records that do not say or show it. */
	type?: RecordType | undefined;
	/** Component of log records that have none. */
	component?: string | undefined;
	stdin: Readable;
	progress: Progress;
	/** How often a batch is tried while the server is overloaded or away; default 12, some three minutes. */
	tries?: number;
}

export interface ImportSummary {
	format: Format;
	lines: number;
	/** Records that are durable on the server, those of an earlier run among them. */
	accepted: number;
	rejected: number;
	/** The first of the rejected ones. */
	reasons: { line: number; reason: string }[];
}

/** The import stopped before the end of the file; the message says where, and what to do. */
export class ImportError extends Error {
	override name = "ImportError";
	readonly summary: ImportSummary;
	constructor(message: string, summary: ImportSummary, cause: unknown) {
		super(message, { cause });
		this.summary = summary;
	}
}

/**
 * Sends a file. Run again after an interruption it sends the same batches under the same keys, and what is stored
 * already is not stored twice; the server remembers keys for a day. Standard input has no identity: there every run is
 * a new one.
 *
 * @throws ImportError when the server refuses or stays away, or when the file is damaged
 */
export async function importFile(options: ImportOptions): Promise<ImportSummary> {
	const { path, apiKey, baseUrl, progress, tries = 12 } = options;
	const transport = new Transport({ apiKey, baseUrl, timeoutMs: TIMEOUT_MS, fetch: globalThis.fetch });
	const source = await openSource(path, options.stdin);
	const identity = path === "-" ? randomUUID() : basename(path);
	const summary: ImportSummary = { format: options.format ?? "plain", lines: 0, accepted: 0, rejected: 0, reasons: [] };
	const cutter = new BatchCutter();
	let parser: LineParser | undefined;
	// One batch is on its way while the next is parsed.
	let sending: Promise<void> = Promise.resolve();
	let lastLine = 0;

	progress.start(source.totalBytes);
	try {
		for await (const lines of source.chunks) {
			if (!parser) {
				summary.format = options.format ?? detectFormat(lines, source.modifiedMs);
				parser = createParser(summary.format, { ...options, referenceMs: source.modifiedMs });
			}
			for (const line of lines) await take(parser.push(line));
			summary.lines += lines.length;
			progress.update(source.bytesRead, summary);
		}
		await finish();
		progress.update(source.bytesRead, summary);
	} catch (error) {
		// The open batch is not sent: cut short here it would be another than the one that a whole run sends, and the
		// next run would store its records again.
		await sending.catch(() => {});
		throw interrupted(error);
	} finally {
		progress.stop();
	}
	return summary;

	async function take(found: Parsed[]): Promise<void> {
		for (const one of found) {
			if ("problem" in one) {
				reject(one.line, one.problem);
				continue;
			}
			const batch = cutter.push(one);
			if (!batch) continue;
			await sending;
			sending = send(batch);
			// It is awaited later, and must not count as unhandled until then.
			sending.catch(() => {});
		}
	}

	/** Sends what is still open. */
	async function finish(): Promise<void> {
		await sending;
		await take(parser?.end() ?? []);
		await sending;
		const last = cutter.end();
		if (last) await send(last);
	}

	async function send(batch: Batch): Promise<void> {
		for (let tried = 1; ; tried++) {
			try {
				count(
					batch,
					await transport.post<IngestAnswer>("/v1/ingest/batch", batch.body, {
						contentType: "application/x-ndjson",
						idempotencyKey: idempotencyKey(identity, batch),
					}),
				);
				return;
			} catch (error) {
				if (!(error instanceof TidemarkError)) throw error;
				const { body } = error;
				if (error.status === 400 && isAnswer(body)) return count(batch, body);
				if (error.status === 413 && batch.records.length > 1) {
					for (const half of halves(batch)) await send(half);
					return;
				}
				if (error.status === 413) return reject(batch.records[0]!.line, error.message);
				if (tried >= tries || !mayRetry(error, tried)) throw error;
				if (tried === 1) progress.note(`${error.message}; trying again`);
				await sleep(retryDelayMs(tried, error.retryAfter, Math.random()));
			}
		}
	}

	function count(batch: Batch, answer: IngestAnswer): void {
		summary.accepted += answer.accepted;
		for (const { index, reason, field } of answer.rejected) {
			reject(batch.records[index]?.line ?? 0, field ? `${field}: ${reason}` : reason);
		}
		lastLine = batch.records.at(-1)?.line ?? lastLine;
	}

	function reject(line: number, reason: string): void {
		summary.rejected++;
		if (summary.reasons.length < REASONS_KEPT) summary.reasons.push({ line, reason });
	}

	function interrupted(cause: unknown): ImportError {
		const why = cause instanceof Error ? cause.message : String(cause);
		const again =
			path === "-" || summary.accepted === 0 ? "" : "; the same command goes on without storing anything twice";
		return new ImportError(`import stopped after line ${lastLine}: ${why}${again}`, summary, cause);
	}
}

/** The summary as text, the first reasons included. */
export function summaryText({ format, lines, accepted, rejected, reasons }: ImportSummary): string {
	const n = (count: number) => count.toLocaleString("en");
	const text = [`${n(lines)} lines (${format}): ${n(accepted)} records accepted, ${n(rejected)} rejected`];
	for (const { line, reason } of reasons) text.push(`  line ${line}: ${reason}`);
	if (rejected > reasons.length) text.push(`  … and ${n(rejected - reasons.length)} more`);
	return `${text.join("\n")}\n`;
}

function isAnswer(body: unknown): body is IngestAnswer {
	return typeof body === "object" && body !== null && "rejected" in body && Array.isArray(body.rejected);
}
