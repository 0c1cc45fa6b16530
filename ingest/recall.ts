/** What a start learns from before it: from ClickHouse what is stored, from the journal what is on its way. */
import { readFileSync } from "node:fs";
import type { ClickHouse } from "../schema/clickhouse.ts";
import type { IngestAnswer } from "../schema/wire/ingest.ts";
import { framesOf, type JournalTable, scanSegment } from "./journal/format.ts";
import type { Journal } from "./journal/journal.ts";
import { ISSUES_KNOWN, type KnownIssues } from "./known-issues.ts";
import { decodeBlock } from "./native/decode.ts";
import { announcedOn, MOST_TEMPLATES, type PatternMiner } from "./patterns/miner.ts";
import type { RequestMemory } from "./requests.ts";
import type { SeenIds } from "./seen-ids.ts";
import type { SeriesRegistry } from "./series.ts";

/** The series budget counts what is stored, also from before this start. */
export async function knowStoredSeries(clickhouse: ClickHouse, registry: SeriesRegistry): Promise<void> {
	const result = await clickhouse.query({
		query: "SELECT DISTINCT project, intDiv(series_id, 4294967296), series_id % 4294967296 FROM series",
		format: "JSONCompactEachRow",
		clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
	});
	for await (const rows of result.stream<[string, number, number]>()) {
		for (const row of rows) registry.know(...row.json());
	}
}

/** The templates that were sent lately, of all processes: those that another one learned are known here from the start. */
export async function knowStoredPatterns(clickhouse: ClickHouse, miner: PatternMiner): Promise<void> {
	const result = await clickhouse.query({
		query: `SELECT project, template, toUInt32(max(lines_until)) AS until
FROM log_patterns GROUP BY project, template ORDER BY until DESC, template LIMIT ${MOST_TEMPLATES} BY project`,
		format: "JSONCompactEachRow",
	});
	for await (const rows of result.stream<[string, string, number]>()) {
		for (const row of rows) {
			const [project, template, until] = row.json();
			miner.of(project).know(template, announcedOn(until));
		}
	}
}

/** Reads the event_ids of the last 7 days back. Until it is done every id is looked up. */
export async function recallIds(clickhouse: ClickHouse, seen: SeenIds): Promise<void> {
	const { stream } = await clickhouse.exec({
		query: "SELECT project, event_id FROM event_ids WHERE received > now() - INTERVAL 7 DAY FORMAT RowBinary",
	});
	let rest = Buffer.alloc(0);
	for await (const chunk of stream) {
		const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
		let at = 0;
		for (;;) {
			const project = stringAt(bytes, at);
			const id = project && stringAt(bytes, project.to);
			if (!project || !id) break;
			seen.addBytes(bytes.toString("utf8", project.from, project.to), bytes, id.from, id.to);
			at = id.to;
		}
		rest = Buffer.from(bytes.subarray(at));
	}
	seen.complete();
}

/** The issues there are, those of late first. Until it is done nobody knows whether one is new. */
export async function recallIssues(clickhouse: ClickHouse, issues: KnownIssues): Promise<void> {
	const result = await clickhouse.query({
		query: `SELECT project, lower(leftPad(hex(issue_id), 16, '0')) FROM issues
			GROUP BY project, issue_id ORDER BY max(last_seen) DESC LIMIT {limit:UInt32}`,
		query_params: { limit: ISSUES_KNOWN },
		format: "JSONCompactEachRow",
	});
	for await (const rows of result.stream<[string, string]>()) {
		for (const row of rows) issues.know(...row.json());
	}
	issues.complete();
}

/** A string of RowBinary; undefined when it is not whole. */
function stringAt(bytes: Buffer, at: number): { from: number; to: number } | undefined {
	let length = 0;
	for (let i = at, factor = 1; i < bytes.length; i++, factor *= 128) {
		length += (bytes[i]! & 0x7f) * factor;
		if (bytes[i]! < 0x80) return i + 1 + length <= bytes.length ? { from: i + 1, to: i + 1 + length } : undefined;
	}
	return undefined;
}

const RECALLED: ReadonlySet<JournalTable> = new Set(["requests", "events", "errors", "log_patterns"]);

export interface Memory {
	readonly requests: RequestMemory;
	readonly seen: SeenIds | undefined;
	readonly issues: KnownIssues;
	readonly miner: PatternMiner;
}

/**
 * What was promised for records whose segments are not stored yet: answers under their keys, ids that were seen, and the templates of
 * lines.
 */
export function recallJournal(journal: Journal, { requests, seen, issues, miner }: Memory): void {
	for (const { path, seq } of journal.sealed) {
		const bytes = readFileSync(path);
		for (const commit of scanSegment(bytes).commits) {
			for (const { table, block } of framesOf(bytes, commit)) {
				if (!RECALLED.has(table)) continue;
				const { rows, columns } = decodeBlock(block);
				const text = (name: string, row: number) => String(columns.get(name)![row]);
				for (let row = 0; row < rows; row++) {
					if (table === "log_patterns") {
						const day = announcedOn(columns.get("lines_until")![row] as number);
						miner.of(text("project", row)).know(text("template", row), day);
					} else if (table === "events") seen?.add(text("project", row), text("event_id", row));
					else if (table === "errors") issues.know(text("project", row), hex(text("issue_id", row)));
					else {
						const answer: IngestAnswer = JSON.parse(text("answer", row));
						const request = { bodyHash: text("body_hash", row), answer, segment: seq };
						requests.remember(text("project", row), text("key", row), request);
					}
				}
			}
		}
	}
}

/** An id that was decoded as a decimal number, as answers write it. */
function hex(id: string): string {
	return BigInt(id).toString(16).padStart(16, "0");
}
