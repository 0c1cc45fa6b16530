/** Backups restored beside the live tables: what proves that they can be, and what takes the place of the live ones. */
import { BackupError, type BackupStore, run } from "./backup-stores.ts";
import type { AuditLog } from "./schema/audit.ts";
import type { ClickHouse } from "./schema/clickhouse.ts";
import { LADDER } from "./schema/granularity.ts";
import type { Settings } from "./settings.ts";
import { countQuery, linksOf } from "./workers/reconcile/compare.ts";

/** Where a backup is made of, or restored to. */
export interface BackupPlace {
	readonly all: Settings;
	readonly client: ClickHouse;
	/** Another client, of another database of it. */
	readonly connect: (database: string) => ClickHouse;
	readonly database: string;
	readonly audit: AuditLog;
	readonly store: BackupStore;
	readonly now: () => number;
}

/**
 * Restores a backup as a database of its own. Rows past their age stay in it, so that it has the same ones whenever it is counted.
 * @returns its name
 */
export async function restoreCopy({ client, database, store }: BackupPlace, backup_id: string): Promise<string> {
	const copy = `${copiesOf(database)}${backup_id.replaceAll("-", "_")}`;
	const restore = `RESTORE DATABASE ${quote(database)} AS ${quote(copy)} FROM ${store.target(backup_id)}`;
	await run(client, `${restore} SETTINGS structure_only = true`);
	await eachStored(client, copy, (table) => `SYSTEM STOP TTL MERGES ${table}`);
	await run(client, restore);
	return copy;
}

/** Puts a copy where the live tables are: all rows are on this server already, and are moved by name. */
export async function takePlace(place: BackupPlace, copy: string, backup_id: string): Promise<void> {
	const { client, database, store } = place;
	const { stored, views } = await tablesOf(client, copy);
	await run(client, `DROP DATABASE IF EXISTS ${quote(database)} SYNC`);
	await run(client, `CREATE DATABASE ${quote(database)}`);
	for (const { name } of views) await run(client, `DROP TABLE ${quote(copy)}.${quote(name)} SYNC`);
	const moves = stored.map(({ name }) => `${quote(copy)}.${quote(name)} TO ${quote(database)}.${quote(name)}`);
	await run(client, `RENAME TABLE ${moves.join(", ")}`);
	// A view names its tables with their database, and in a copy it has lost their aliases: its definition comes from the backup.
	const definitions = `RESTORE DATABASE ${quote(database)} FROM ${store.target(backup_id)} SETTINGS structure_only = true`;
	await run(client, definitions).catch((cause: unknown) => {
		const { message } = cause as Error;
		throw new BackupError(`all rows are back, what feeds them is not: restore again with --force. ${message}`, {
			cause,
		});
	});
	await eachStored(client, database, (table) => `SYSTEM START TTL MERGES ${table}`);
	await dropCopies(place);
}

async function eachStored(client: ClickHouse, database: string, statement: (table: string) => string): Promise<void> {
	for (const { name } of (await tablesOf(client, database)).stored)
		await run(client, statement(`${quote(database)}.${quote(name)}`));
}

const copiesOf = (database: string) => `${database}_verify_`;

/** This one's, and those of backups that were killed. */
export async function dropCopies({ client, database }: BackupPlace): Promise<void> {
	const result = await client.query({
		query: "SELECT name FROM system.databases WHERE startsWith(name, {prefix:String})",
		query_params: { prefix: copiesOf(database) },
		format: "JSONEachRow",
	});
	for (const { name } of await result.json<{ name: string }>())
		await client.command({ query: `DROP DATABASE IF EXISTS ${quote(name)} SYNC` });
}

const EVENTS = {
	tier: "events",
	from: { table: "events", time: "ts", count: "count()" },
	to: { table: "event_counts_15m", time: "bucket", count: "sum(n)" },
	...{ step_s: 900, span_s: 7_200 },
};
/** The step of now is compared too: nothing comes into a copy any more. */
const AHEAD_S = 900;

/**
 * Records that a tier of a restored copy counts and the one below it does not, by tier; those that agree are left out.
 * @param taken when it was backed up: what it compares is what was new then
 */
export async function differencesIn(
	{ connect }: BackupPlace,
	copy: string,
	taken: number,
): Promise<Record<string, number>> {
	const client = connect(copy);
	try {
		const found: Record<string, number> = {};
		for (const link of [...linksOf(LADDER), EVENTS]) {
			const { sql, params } = countQuery(link, taken / 1_000 + AHEAD_S);
			const result = await client.query({ query: sql, query_params: params, format: "JSONEachRow" });
			const wrong = await result.json<{ difference: string }>();
			if (wrong.length > 0)
				found[link.tier] = wrong.reduce((sum, { difference }) => sum + Math.abs(Number(difference)), 0);
		}
		return found;
	} finally {
		await client.close();
	}
}

interface Table {
	readonly name: string;
	readonly engine: string;
}

/** Those that hold rows, and the views that feed them. */
async function tablesOf(client: ClickHouse, database: string): Promise<{ stored: Table[]; views: Table[] }> {
	const result = await client.query({
		query: "SELECT name, engine FROM system.tables WHERE database = {database:String} ORDER BY name",
		query_params: { database },
		format: "JSONEachRow",
	});
	const tables = await result.json<Table>();
	const isStored = ({ engine }: Table) => engine.endsWith("MergeTree");
	return { stored: tables.filter(isStored), views: tables.filter((table) => !isStored(table)) };
}

const PLAIN: ReadonlySet<string> = new Set(["MergeTree", "ReplicatedMergeTree"]);

/** Where rows of one key become one when parts merge, keys are counted: a copy that was merged on counts the same. */
export async function rowsByTable(client: ClickHouse, database: string): Promise<Record<string, number>> {
	const rows: Record<string, number> = {};
	for (const { name, engine } of (await tablesOf(client, database)).stored) {
		const merges = !PLAIN.has(engine);
		const query = `SELECT count() FROM ${quote(database)}.${quote(name)}${merges ? " FINAL" : ""}`;
		const result = await client.query({ query, format: "JSONCompactEachRow" });
		rows[name] = Number((await result.json<[string]>())[0]![0]);
	}
	return rows;
}

/** Rows say when they were received, in seconds. */
export async function newestReceipt(client: ClickHouse, database: string): Promise<string | null> {
	const newest = ["events", "logs", "errors"].map((table) => `SELECT max(id) AS id FROM ${quote(database)}.${table}`);
	const result = await client.query({
		query: `SELECT toUInt64(max(bitShiftRight(id, 32))) FROM (${newest.join(" UNION ALL ")})`,
		format: "JSONCompactEachRow",
	});
	const seconds = Number((await result.json<[string]>())[0]![0]);
	return seconds === 0 ? null : new Date(seconds * 1_000).toISOString();
}

export const quote = (name: string) => `\`${name.replace(/[`\\]/g, "\\$&")}\``;
