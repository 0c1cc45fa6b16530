import { createHash } from "node:crypto";
import type { ClickHouse } from "./clickhouse.ts";
import { clickHouseTime } from "./definitions.ts";

/** Something that someone did to a project. */
export interface AuditEntry {
	readonly project: string;
	/** Id of the key, or `system`. */
	readonly actor: string;
	/** `key.create`, `alert.delete`, … */
	readonly action: string;
	/** Id of what it was done to. */
	readonly target: string;
	readonly detail?: Readonly<Record<string, unknown>>;
	readonly request_id?: string;
}

interface AuditRow {
	project: string;
	seq: number;
	/** Milliseconds since the epoch. */
	ts_ms: number;
	actor: string;
	action: string;
	target: string;
	detail: string;
	request_id: string;
	previous_hash: string;
}

interface Head {
	readonly seq: number;
	readonly hash: string;
}

const GENESIS: Head = { seq: 0, hash: "0".repeat(64) };

/** The link of the chain: SHA-256 over every column, as JSON so that no two rows have one text. */
export function auditHash(row: AuditRow): string {
	const columns = [row.project, row.seq, row.ts_ms, row.actor, row.action, row.target, row.detail, row.request_id];
	return createHash("sha256")
		.update(JSON.stringify([...columns, row.previous_hash]))
		.digest("hex");
}

/**
 * Appends to `audit_log`, each row with the hash of the one before. One instance is the only writer: two would both continue
 * from the same head, and the chain would fork (which `verify` tells).
 */
export class AuditLog {
	readonly #client: ClickHouse;
	readonly #now: () => number;
	readonly #heads = new Map<string, Promise<Head>>();

	constructor(client: ClickHouse, now: () => number = Date.now) {
		this.#client = client;
		this.#now = now;
	}

	/** Resolves once the row is stored. */
	async append(entry: AuditEntry): Promise<void> {
		const before = this.#heads.get(entry.project) ?? this.#readHead(entry.project);
		// After a failure nobody knows whether the row is there: the next append reads the head again.
		const head = before.catch(() => this.#readHead(entry.project)).then((previous) => this.#write(entry, previous));
		this.#heads.set(entry.project, head);
		await head;
	}

	/** Walks the chain of a project. `broken_at` is the first `seq` that does not follow from the row before it. */
	async verify(project: string): Promise<{ rows: number; broken_at: number | null }> {
		const result = await this.#client.query({
			query: `SELECT project, toUInt32(seq) AS seq, toInt64(toUnixTimestamp64Milli(ts)) AS ts_ms, actor, action, target,
				detail, request_id, toString(previous_hash) AS previous_hash, toString(hash) AS hash
				FROM audit_log WHERE project = {project:String} ORDER BY seq, ts`,
			query_params: { project },
			format: "JSONEachRow",
		});
		let head = GENESIS;
		let rows = 0;
		for (const row of await result.json<AuditRow & { hash: string; ts_ms: string | number }>()) {
			rows++;
			const expected = auditHash({ ...row, ts_ms: Number(row.ts_ms) });
			if (row.seq !== head.seq + 1 || row.previous_hash !== head.hash || row.hash !== expected) {
				return { rows, broken_at: row.seq };
			}
			head = { seq: row.seq, hash: row.hash };
		}
		return { rows, broken_at: null };
	}

	async #readHead(project: string): Promise<Head> {
		const result = await this.#client.query({
			query: `SELECT toUInt32(seq) AS seq, toString(hash) AS hash FROM audit_log
				WHERE project = {project:String} ORDER BY seq DESC LIMIT 1`,
			query_params: { project },
			format: "JSONEachRow",
		});
		return (await result.json<Head>())[0] ?? GENESIS;
	}

	async #write(entry: AuditEntry, previous: Head): Promise<Head> {
		const row: AuditRow = {
			project: entry.project,
			seq: previous.seq + 1,
			ts_ms: this.#now(),
			actor: entry.actor,
			action: entry.action,
			target: entry.target,
			detail: JSON.stringify(entry.detail ?? {}),
			request_id: entry.request_id ?? "",
			previous_hash: previous.hash,
		};
		const hash = auditHash(row);
		const { ts_ms, ...columns } = row;
		await this.#client.insert({
			table: "audit_log",
			values: [{ ...columns, ts: clickHouseTime(new Date(ts_ms)), hash }],
			columns: ["project", "seq", "ts", "actor", "action", "target", "detail", "request_id", "previous_hash", "hash"],
			format: "JSONEachRow",
		});
		return { seq: row.seq, hash };
	}
}
