import { type AuditRow, auditHash, auditRows, GENESIS, type Head, walkChain } from "./audit-chain.ts";
import type { ClickHouse } from "./clickhouse.ts";
import { clickHouseTime } from "./definitions.ts";

/** Something that someone did to a project, or was not allowed to do. */
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

/** So many others were faster, one after the other, that something is wrong. */
const MAX_TRIES = 200;

/**
 * Appends to `audit_log`, each row with the hash of the one before. Any number of processes may do so at once: a row is put in only
 * while the chain ends where its writer thinks, and of two inserts at one place the second is a no-op by its token. Whoever was
 * slower finds the other's row there, and goes on behind it.
 */
export class AuditLog {
	readonly #client: ClickHouse;
	readonly #now: () => number;
	/** Ends of the chains as this process knows them; another one may be further. */
	readonly #heads = new Map<string, Promise<Head>>();

	constructor(client: ClickHouse, now: () => number = Date.now) {
		this.#client = client;
		this.#now = now;
	}

	/** Resolves once the row is stored. */
	async append(entry: AuditEntry): Promise<void> {
		const before = this.#heads.get(entry.project) ?? this.#readHead(entry.project);
		// After a failure nobody knows how far the chain is: the next append reads its end again.
		const head = before.catch(() => this.#readHead(entry.project)).then((known) => this.#append(entry, known));
		this.#heads.set(entry.project, head);
		await head;
	}

	/** Walks the chain of a project. `broken_at` is the first `seq` at which it does not hold; a row that is missing has one too. */
	async verify(project: string): Promise<{ rows: number; broken_at: number | null }> {
		const { rows, broken_at } = await walkChain(auditRows(this.#client, project));
		return { rows, broken_at };
	}

	async #append(entry: AuditEntry, known: Head): Promise<Head> {
		let head = known;
		for (let tries = 0; tries < MAX_TRIES; tries++) {
			const row: AuditRow = {
				project: entry.project,
				seq: head.seq + 1,
				ts_ms: this.#now(),
				actor: entry.actor,
				action: entry.action,
				target: entry.target,
				detail: JSON.stringify(entry.detail ?? {}),
				request_id: entry.request_id ?? "",
				previous_hash: head.hash,
			};
			const hash = auditHash(row);
			// When it fails nobody knows whether it went in. What stands there says so.
			const failure = await this.#insert(row, hash).then(
				() => undefined,
				(error: unknown) => ({ error }),
			);
			const standing = await this.#readAt(entry.project, row.seq);
			if (standing === hash) return { seq: row.seq, hash };
			if (failure) throw failure.error;
			head = await this.#readHead(entry.project);
		}
		throw new Error(`the audit log of ${entry.project} could not be continued: others were faster ${MAX_TRIES} times`);
	}

	async #insert({ ts_ms, ...row }: AuditRow, hash: string): Promise<void> {
		const columns = { ...row, seq: String(row.seq), ts: clickHouseTime(new Date(ts_ms)), hash };
		const types: Partial<Record<keyof typeof columns, string>> = { seq: "UInt64", ts: "DateTime64(3, 'UTC')" };
		const names = Object.keys(columns) as (keyof typeof columns)[];
		// The token is remembered for the last few thousand rows of all projects: the condition is for a writer that slept longer.
		await this.#client.command({
			query: `INSERT INTO audit_log (${names.join(", ")})
				SELECT ${names.map((name) => `{${name}:${types[name] ?? "String"}}`).join(", ")}
				WHERE (SELECT max(seq) FROM audit_log WHERE project = {project:String}) = {seq:UInt64} - 1`,
			query_params: columns,
			clickhouse_settings: {
				insert_deduplicate: 1,
				insert_deduplication_token: `audit ${row.project} ${row.seq}`,
			},
		});
	}

	async #readHead(project: string): Promise<Head> {
		return (await this.#read<Head>(project, "ORDER BY seq DESC LIMIT 1"))[0] ?? GENESIS;
	}

	async #readAt(project: string, seq: number): Promise<string | undefined> {
		return (await this.#read<Head>(project, "AND seq = {seq:UInt64} LIMIT 1", seq))[0]?.hash;
	}

	async #read<T>(project: string, rest: string, seq = 0): Promise<T[]> {
		return await this.#client.answers.rows<T>(
			`SELECT toUInt32(seq) AS seq, toString(hash) AS hash FROM audit_log WHERE project = {project:String} ${rest}`,
			{ project, seq: String(seq) },
		);
	}
}
