/** The links of an audit chain: what the hash of a row covers, and all rows in order. */
import { createHash } from "node:crypto";
import type { ClickHouse } from "./clickhouse.ts";

export interface AuditRow {
	readonly project: string;
	/** From 1, without a gap. */
	readonly seq: number;
	/** Milliseconds since the epoch. */
	readonly ts_ms: number;
	readonly actor: string;
	readonly action: string;
	readonly target: string;
	/** JSON. */
	readonly detail: string;
	readonly request_id: string;
	readonly previous_hash: string;
}

export interface LinkedRow extends AuditRow {
	readonly hash: string;
}

/** The end of a chain. */
export interface Head {
	readonly seq: number;
	readonly hash: string;
}

/** What stands before the first row. */
export const GENESIS: Head = { seq: 0, hash: "0".repeat(64) };

/** The link of the chain: SHA-256 over every column, as JSON so that no two rows have one text. */
export function auditHash(row: AuditRow): string {
	const columns = [row.project, row.seq, row.ts_ms, row.actor, row.action, row.target, row.detail, row.request_id];
	return createHash("sha256")
		.update(JSON.stringify([...columns, row.previous_hash]))
		.digest("hex");
}

/** Why a chain does not hold. */
export type BreakReason = "gap" | "two rows" | "not linked" | "changed" | "cut off" | "written anew" | "anchor changed";

export interface Walk {
	/** Rows that were looked at: all of them, or those up to the break. */
	readonly rows: number;
	/** The last row that held. */
	readonly head: Head;
	/** The first place at which the chain does not hold. */
	readonly broken_at: number | null;
	readonly reason: BreakReason | null;
}

/**
 * Follows the links from the first row to the last.
 * @param anchors hashes that rows had at earlier walks, by their place: a chain that was cut off, or written anew with hashes that
 *   fit, does not lead through them
 */
export async function walkChain(
	rows: AsyncIterable<LinkedRow>,
	anchors: ReadonlyMap<number, string> = new Map(),
): Promise<Walk> {
	let head = GENESIS;
	let seen = 0;
	for await (const row of rows) {
		seen++;
		const reason = breakAt(row, head) ?? (anchors.get(row.seq) ?? row.hash) !== row.hash;
		if (reason !== false) {
			// Of a gap the first row that is missing is the place, not the one behind it.
			const broken_at = Math.min(row.seq, head.seq + 1);
			return { rows: seen, head, broken_at, reason: reason === true ? "written anew" : reason };
		}
		head = { seq: row.seq, hash: row.hash };
	}
	const isCut = [...anchors.keys()].some((seq) => seq > head.seq);
	return { rows: seen, head, broken_at: isCut ? head.seq + 1 : null, reason: isCut ? "cut off" : null };
}

function breakAt(row: LinkedRow, head: Head): BreakReason | undefined {
	if (row.seq === head.seq) return "two rows";
	if (row.seq !== head.seq + 1) return "gap";
	if (row.hash !== auditHash(row)) return "changed";
	return row.previous_hash === head.hash ? undefined : "not linked";
}

/** Of `audit_log`, as `LinkedRow` has them. */
export const AUDIT_COLUMNS = `project, seq, toUnixTimestamp64Milli(ts) AS ts_ms, actor, action, target, detail, request_id,
	toString(previous_hash) AS previous_hash, toString(hash) AS hash`;

/** All rows of a project in order, however many there are: they come as a stream. Two rows at one place come both. */
export async function* auditRows(client: ClickHouse, project: string): AsyncGenerator<LinkedRow> {
	const result = await client.query({
		query: `SELECT ${AUDIT_COLUMNS} FROM audit_log WHERE project = {project:String} ORDER BY seq, audit_log.ts`,
		query_params: { project },
		format: "JSONEachRow",
	});
	for await (const rows of result.stream<StoredRow>()) for (const row of rows) yield readRow(row.json());
}

type StoredRow = Omit<LinkedRow, "seq" | "ts_ms"> & { readonly seq: unknown; readonly ts_ms: unknown };

/** A row as ClickHouse writes it as JSON. */
export function readRow(row: StoredRow): LinkedRow {
	return { ...row, seq: Number(row.seq), ts_ms: Number(row.ts_ms) };
}
