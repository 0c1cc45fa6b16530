/** `tidemark backup` and `tidemark restore`: ClickHouse's own, each backup proven by restoring it beside the live tables and counting. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { pino } from "pino";
import {
	BackupError,
	type BackupStore,
	diskStore,
	folderOf,
	isBucketUrl,
	type Manifest,
	run,
	storeAt,
} from "./backup-stores.ts";
import { FolderInUseError, lockFolder } from "./lock.ts";
import { AuditLog } from "./schema/audit.ts";
import { sha256 } from "./schema/canonical-json.ts";
import { type ClickHouse, connectClickHouse } from "./schema/clickhouse.ts";
import { LADDER } from "./schema/granularity.ts";
import { migrate } from "./schema/migrate.ts";
import type { Settings } from "./settings.ts";
import { DATABASE, retentionOf, serverOf, startEngineAlone } from "./storage.ts";
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
}

const ID = /^[\w-]{1,64}$/;

/** @param settings read when a command runs */
export function backupCommands(settings: () => Settings): Command[] {
	const backup = new Command("backup")
		.description("back up all tables, of a server that runs or not, and restore the copy beside them to count its rows")
		.option("--base <id>", "add to an earlier backup of the same place: only what is new since then is copied", id)
		.option("--to <url>", "s3://bucket/prefix; unset, ClickHouse's own disk", bucket)
		.action(async ({ base, to }: { base?: string; to?: string }) => {
			const made = await atDatabase(settings(), to, (place) => createBackup(place, base));
			process.stdout.write(`${made.backup_id}: ${total(made)} rows, data through ${made.data_through ?? "none"}\n`);
			const differences = Object.entries(made.differences ?? {});
			if (differences.length === 0) return;
			const list = differences.map(([check, records]) => `${check} by ${records}`).join(", ");
			process.stderr.write(`An insert was half-way when it was taken: ${list}. Take another one when it is calmer.\n`);
		});
	backup
		.command("list")
		.description("list backups, the oldest first")
		.option("--from <url>", "s3://bucket/prefix; unset, ClickHouse's own disk", bucket)
		.action(async ({ from }: { from?: string }) => {
			const all = settings();
			const manifests =
				from === undefined
					? await diskStore(folderOf(all)).list()
					: await atDatabase(all, from, ({ store }) => store.list());
			console.table(
				manifests.map(({ differences = {}, ...one }) => ({
					...one,
					tables: Object.keys(one.tables).length,
					rows: total(one),
					differences: total({ tables: differences }),
					sha256: one.sha256.slice(0, 12),
				})),
			);
		});
	const restore = new Command("restore")
		.description("restore a backup into an empty database; Tidemark must not run")
		.argument("<backup_id>", "as `backup list` shows it", id)
		.option("--from <url>", "s3://bucket/prefix; unset, ClickHouse's own disk", bucket)
		.option("--force", "drop what is there first")
		.action(async (backup_id: string, { force = false, from }: { force?: boolean; from?: string }) => {
			const all = settings();
			// A server that runs would store into tables that come and go.
			const lock = existsSync(all.dataDir) ? await lockFolder(all.dataDir) : undefined;
			try {
				const manifest = await atDatabase(all, from, async (place) => {
					const found = await place.store.read(backup_id);
					await restoreBackup(place, found, force);
					return found;
				});
				process.stdout.write(`${backup_id}: ${total(manifest)} rows are back\n`);
			} finally {
				await lock?.release();
			}
		});
	return [backup, restore];
}

/** @returns its manifest, once a copy was restored and counted */
export async function createBackup(place: BackupPlace, base?: string): Promise<Manifest> {
	const folder = folderOf(place.all);
	mkdirSync(folder, { recursive: true });
	const lock = await lockFolder(folder).catch((cause: unknown) => {
		throw cause instanceof FolderInUseError ? new BackupError("another backup is being made", { cause }) : cause;
	});
	try {
		return await createAlone(place, base);
	} finally {
		await lock.release();
	}
}

async function createAlone(place: BackupPlace, base: string | undefined): Promise<Manifest> {
	const { client, database, audit, store } = place;
	const created = new Date();
	const backup_id = `backup-${created.toISOString().replace(/\W/g, "").slice(0, 15)}-${sha256(String(Math.random())).slice(0, 6)}`;
	if (base !== undefined) await store.read(base);
	const settings = base === undefined ? "" : ` SETTINGS base_backup = ${store.target(base)}`;
	await dropCopies(place);
	await quietMoment(client);
	await run(client, `BACKUP DATABASE ${quote(database)} TO ${store.target(backup_id)}${settings}`);
	const copy = `${copiesOf(database)}${backup_id.replaceAll("-", "_")}`;
	try {
		await run(client, `RESTORE DATABASE ${quote(database)} AS ${quote(copy)} FROM ${store.target(backup_id)}`);
		const said = {
			...{ backup_id, created_at: created.toISOString(), base: base ?? null },
			...{ data_through: await newestReceipt(client, copy), tables: await rowsByTable(client, copy) },
			differences: await differencesIn(place, copy, Date.now()),
		};
		const manifest: Manifest = { ...said, sha256: sha256(said) };
		await store.write(manifest);
		const { tables: _, ...told } = manifest;
		const detail = { ...told, rows: total(manifest), status: "completed" };
		await audit.append({ project: "tidemark", actor: "operator", action: "backup.create", target: backup_id, detail });
		await audit.append({ project: "tidemark", actor: "operator", action: "restore.verify", target: backup_id, detail });
		return manifest;
	} finally {
		await dropCopies(place);
	}
}

const copiesOf = (database: string) => `${database}_verify_`;

/** This one's, and those of backups that were killed. */
async function dropCopies({ client, database }: BackupPlace): Promise<void> {
	const result = await client.query({
		query: "SELECT name FROM system.databases WHERE startsWith(name, {prefix:String})",
		query_params: { prefix: copiesOf(database) },
		format: "JSONEachRow",
	});
	for (const { name } of await result.json<{ name: string }>())
		await client.command({ query: `DROP DATABASE IF EXISTS ${quote(name)} SYNC` });
}

const QUIET_TRIES = 100;
const QUIET_MS = 20;

/** Waits for the end of the insert that runs: a backup taken within one has its records, and not yet what is counted of them. */
async function quietMoment(client: ClickHouse): Promise<void> {
	for (let tries = 0; tries < QUIET_TRIES; tries++) {
		const query = "SELECT toUInt32(count()) AS inserts FROM system.processes WHERE query_kind = 'Insert'";
		const result = await client.query({ query, format: "JSONEachRow" });
		if ((await result.json<{ inserts: number }>())[0]!.inserts === 0) return;
		await sleep(QUIET_MS);
	}
}

const EVENTS = {
	tier: "events",
	from: { table: "events", time: "ts", count: "count()" },
	to: { table: "event_counts_15m", time: "bucket", count: "sum(n)" },
	...{ step_s: 900, span_s: 7_200 },
};
/** The step of now is compared too: nothing comes in any more. */
const AHEAD_S = 900;

/** Records that a tier of a restored copy counts and the one below it does not, by tier; those that agree are left out. */
async function differencesIn({ connect }: BackupPlace, copy: string, now: number): Promise<Record<string, number>> {
	const client = connect(copy);
	try {
		const found: Record<string, number> = {};
		for (const link of [...linksOf(LADDER), EVENTS]) {
			const { sql, params } = countQuery(link, now / 1_000 + AHEAD_S);
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

/** @throws BackupError when there are rows already, or other ones than the manifest says come back */
export async function restoreBackup(
	{ all, client, database, audit, store }: BackupPlace,
	manifest: Manifest,
	force: boolean,
): Promise<void> {
	const { backup_id } = manifest;
	const there = total({ tables: await rowsByTable(client, database) });
	if (there > 0 && !force) throw new BackupError(`${database} has ${there} rows: --force drops them`);
	await client.command({ query: `DROP DATABASE IF EXISTS ${quote(database)} SYNC` });
	await run(client, `RESTORE DATABASE ${quote(database)} FROM ${store.target(backup_id)}`);
	const found = await rowsByTable(client, database);
	const names = new Set([...Object.keys(found), ...Object.keys(manifest.tables)]);
	const wrong = [...names].filter((name) => found[name] !== manifest.tables[name]);
	if (wrong.length > 0) {
		const list = wrong.map((name) => `${name} (${found[name] ?? "none"} of ${manifest.tables[name] ?? "none"})`);
		throw new BackupError(`${backup_id} came back with other rows: ${list.join(", ")}`);
	}
	// Of an older version: it is brought up to this one.
	await migrate(client, { database, cluster: all.clickhouseCluster, retention: retentionOf(all) });
	await audit.append({
		...{ project: "tidemark", actor: "operator", action: "restore.create", target: backup_id },
		detail: { rows: total(manifest), sha256: manifest.sha256, status: "completed" },
	});
}

const quote = (name: string) => `\`${name.replace(/[`\\]/g, "\\$&")}\``;

const total = ({ tables }: Pick<Manifest, "tables">) => Object.values(tables).reduce((sum, rows) => sum + rows, 0);

function id(text: string): string {
	if (ID.test(text)) return text;
	throw new InvalidArgumentError("expected the id of a backup");
}

function bucket(text: string): string {
	if (isBucketUrl(text)) return text;
	throw new InvalidArgumentError("expected s3://bucket/prefix");
}

/** Where rows of one key become one when parts merge, keys are counted: a copy that was merged on counts the same. */
async function rowsByTable(client: ClickHouse, database: string): Promise<Record<string, number>> {
	const tables = await client.query({
		query: `SELECT name, engine NOT IN ('MergeTree', 'ReplicatedMergeTree') AS merges FROM system.tables
			WHERE database = {database:String} AND engine LIKE '%MergeTree' ORDER BY name`,
		query_params: { database },
		format: "JSONEachRow",
	});
	const rows: Record<string, number> = {};
	for (const { name, merges } of await tables.json<{ name: string; merges: 0 | 1 }>()) {
		const query = `SELECT count() FROM ${quote(database)}.${quote(name)}${merges ? " FINAL" : ""}`;
		const result = await client.query({ query, format: "JSONCompactEachRow" });
		rows[name] = Number((await result.json<[string]>())[0]![0]);
	}
	return rows;
}

/** Rows say when they were received, in seconds. */
async function newestReceipt(client: ClickHouse, database: string): Promise<string | null> {
	const newest = ["events", "logs", "errors"].map((table) => `SELECT max(id) AS id FROM ${quote(database)}.${table}`);
	const result = await client.query({
		query: `SELECT toUInt64(max(bitShiftRight(id, 32))) FROM (${newest.join(" UNION ALL ")})`,
		format: "JSONCompactEachRow",
	});
	const seconds = Number((await result.json<[string]>())[0]![0]);
	return seconds === 0 ? null : new Date(seconds * 1_000).toISOString();
}

/** On the server of the settings, on an engine that runs, or on one that is started for it. */
async function atDatabase<T>(
	all: Settings,
	bucketUrl: string | undefined,
	work: (place: BackupPlace) => Promise<T>,
): Promise<T> {
	const running = all.clickhouseUrl ? serverOf(all) : await answers(all);
	const engine = running ? undefined : await startEngineAlone(all, pino({ level: "silent" }));
	const { url, user, password } = (running ?? engine)!;
	const database = all.clickhouseUrl ? serverOf(all).database : DATABASE;
	// Of the database `default`, since the other one may not be there.
	const connect = (to: string) => connectClickHouse({ url, user, password, database: to, timeout_ms: 86_400_000 });
	const client = connect("default");
	const inside = connect(database);
	try {
		return await work({
			...{ all, client, database, connect, audit: new AuditLog(inside) },
			store: storeAt(all, client, bucketUrl),
		});
	} finally {
		await Promise.all([client.close(), inside.close()]);
		await engine?.stop();
	}
}

interface Address {
	readonly url: string;
	readonly user: string | undefined;
	readonly password: string | undefined;
}

async function answers(all: Settings): Promise<Address | undefined> {
	const path = join(all.dataDir, "engine.json");
	if (!existsSync(path)) return undefined;
	const at = JSON.parse(readFileSync(path, "utf8")) as Address;
	const ok = await fetch(`${at.url}/ping`).then(
		(response) => response.ok,
		() => false,
	);
	return ok ? at : undefined;
}
