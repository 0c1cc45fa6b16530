/** `tidemark backup` and `tidemark restore`: ClickHouse's own, each backup proven by restoring it beside the live tables and counting. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { pino } from "pino";
import type { Settings } from "./config.ts";
import { lockFolder } from "./lock.ts";
import { AuditLog } from "./schema/audit.ts";
import { canonicalJson, sha256 } from "./schema/canonical-json.ts";
import { type ClickHouse, connectClickHouse } from "./schema/clickhouse.ts";
import { migrate } from "./schema/migrate.ts";
import { DATABASE, retentionOf, serverOf, startEngineAlone } from "./storage.ts";

/** What stands beside a backup. */
export interface Manifest {
	readonly backup_id: string;
	readonly created_at: string;
	/** Receipt of the newest event, log or error in it; null when it has none. What was in a journal still is not in it. */
	readonly data_through: string | null;
	/** Id of the backup that it is an addition to. */
	readonly base: string | null;
	/** Rows by table, counted in a copy that was restored of it. */
	readonly tables: Readonly<Record<string, number>>;
	/** Hex, of all other members as canonical JSON. */
	readonly sha256: string;
}

/** The backup, or what was restored of it, is not what its manifest says. */
export class BackupError extends Error {
	override readonly name = "BackupError";
}

/** Where a backup is made of, or restored to. */
export interface BackupPlace {
	readonly all: Settings;
	readonly client: ClickHouse;
	readonly database: string;
	readonly audit: AuditLog;
}

const ID = /^[\w-]{1,64}$/;

/** @param settings read when a command runs */
export function backupCommands(settings: () => Settings): Command[] {
	const backup = new Command("backup")
		.description("back up all tables, of a server that runs or not, and restore the copy beside them to count its rows")
		.option("--base <id>", "add to an earlier backup: only what is new since then is copied", id)
		.action(async ({ base }: { base?: string }) => {
			const all = settings();
			const made = await atDatabase(all, (place) => createBackup(place, base));
			process.stdout.write(`${made.backup_id}: ${total(made)} rows, data through ${made.data_through ?? "none"}\n`);
		});
	backup
		.command("list")
		.description("list backups, the oldest first")
		.action(() => {
			console.table(
				listBackups(settings()).map((one) => ({
					...one,
					tables: Object.keys(one.tables).length,
					rows: total(one),
					sha256: one.sha256.slice(0, 12),
				})),
			);
		});
	const restore = new Command("restore")
		.description("restore a backup into an empty database; Tidemark must not run")
		.argument("<backup_id>", "as `backup list` shows it", id)
		.option("--force", "drop what is there first")
		.action(async (backup_id: string, { force = false }: { force?: boolean }) => {
			const all = settings();
			const manifest = readManifest(all, backup_id);
			// A server that runs would store into tables that come and go.
			const lock = existsSync(all.dataDir) ? await lockFolder(all.dataDir) : undefined;
			try {
				await atDatabase(all, (place) => restoreBackup(place, manifest, force));
			} finally {
				await lock?.release();
			}
			process.stdout.write(`${backup_id}: ${total(manifest)} rows are back\n`);
		});
	return [backup, restore];
}

/** @returns its manifest, once a copy was restored and counted */
export async function createBackup({ all, client, database, audit }: BackupPlace, base?: string): Promise<Manifest> {
	const created = new Date();
	const backup_id = `backup-${created.toISOString().replace(/\W/g, "").slice(0, 15)}-${sha256(String(Math.random())).slice(0, 6)}`;
	if (base !== undefined) readManifest(all, base);
	const settings = base === undefined ? "" : ` SETTINGS base_backup = ${target(base)}`;
	const copy = `${database}_verify_${backup_id.replaceAll("-", "_")}`;
	await run(client, `BACKUP DATABASE ${quote(database)} TO ${target(backup_id)}${settings}`);
	try {
		await run(client, `RESTORE DATABASE ${quote(database)} AS ${quote(copy)} FROM ${target(backup_id)}`);
		const said = {
			...{ backup_id, created_at: created.toISOString(), base: base ?? null },
			...{ data_through: await newestReceipt(client, copy), tables: await rowsByTable(client, copy) },
		};
		const manifest: Manifest = { ...said, sha256: sha256(said) };
		const path = manifestPath(all, backup_id);
		mkdirSync(folderOf(all), { recursive: true });
		writeFileSync(`${path}.part`, `${canonicalJson(manifest)}\n`, { flush: true });
		renameSync(`${path}.part`, path);
		const { tables: _, ...told } = manifest;
		const detail = { ...told, rows: total(manifest), status: "completed" };
		await audit.append({ project: "tidemark", actor: "operator", action: "backup.create", target: backup_id, detail });
		await audit.append({ project: "tidemark", actor: "operator", action: "restore.verify", target: backup_id, detail });
		return manifest;
	} finally {
		await client.command({ query: `DROP DATABASE IF EXISTS ${quote(copy)} SYNC` });
	}
}

/** @throws BackupError when there are rows already, or other ones than the manifest says come back */
export async function restoreBackup(
	{ all, client, database, audit }: BackupPlace,
	manifest: Manifest,
	force: boolean,
): Promise<void> {
	const { backup_id } = manifest;
	const there = total({ tables: await rowsByTable(client, database) });
	if (there > 0 && !force) throw new BackupError(`${database} has ${there} rows: --force drops them`);
	await client.command({ query: `DROP DATABASE IF EXISTS ${quote(database)} SYNC` });
	await run(client, `RESTORE DATABASE ${quote(database)} FROM ${target(backup_id)}`);
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

export function listBackups(all: Settings): Manifest[] {
	const folder = folderOf(all);
	if (!existsSync(folder)) return [];
	return readdirSync(folder)
		.filter((name) => name.endsWith(".json"))
		.map((name) => readManifest(all, name.slice(0, -".json".length)))
		.sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
}

function readManifest(all: Settings, backup_id: string): Manifest {
	const path = manifestPath(all, backup_id);
	if (!existsSync(path)) throw new BackupError(`no backup ${backup_id} in ${folderOf(all)}`);
	const manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
	const { sha256: said, ...rest } = manifest;
	if (sha256(rest) !== said) throw new BackupError(`the manifest of ${backup_id} was changed`);
	return manifest;
}

/** The embedded engine reads and writes backups here; of a server only their manifests are here. */
const folderOf = (all: Settings) => join(all.dataDir, all.clickhouseUrl ? "backups" : "clickhouse/backups");

const manifestPath = (all: Settings, backup_id: string) => join(folderOf(all), `${backup_id}.json`);

/** Where ClickHouse keeps it, as SQL. */
function target(backup_id: string): string {
	return `File('${backup_id}')`;
}

async function run(client: ClickHouse, query: string): Promise<void> {
	await client.command({ query }).catch((cause: unknown) => {
		throw new BackupError((cause as Error).message.split("\n")[0]!, { cause });
	});
}

const quote = (name: string) => `\`${name.replace(/[`\\]/g, "\\$&")}\``;

const total = ({ tables }: Pick<Manifest, "tables">) => Object.values(tables).reduce((sum, rows) => sum + rows, 0);

function id(text: string): string {
	if (ID.test(text)) return text;
	throw new InvalidArgumentError("expected the id of a backup");
}

async function rowsByTable(client: ClickHouse, database: string): Promise<Record<string, number>> {
	const result = await client.query({
		query: `SELECT name, toUInt64(sum(part.rows)) AS n FROM system.tables AS tables
			LEFT JOIN (SELECT table, rows FROM system.parts WHERE database = {database:String} AND active) AS part ON tables.name = part.table
			WHERE database = {database:String} AND engine LIKE '%MergeTree' GROUP BY name ORDER BY name`,
		query_params: { database },
		format: "JSONEachRow",
	});
	return Object.fromEntries((await result.json<{ name: string; n: string }>()).map(({ name, n }) => [name, Number(n)]));
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
async function atDatabase<T>(all: Settings, work: (place: BackupPlace) => Promise<T>): Promise<T> {
	const running = all.clickhouseUrl ? serverOf(all) : await answers(all);
	const engine = running ? undefined : await startEngineAlone(all, pino({ level: "silent" }));
	const { url, user, password } = (running ?? engine)!;
	const database = all.clickhouseUrl ? serverOf(all).database : DATABASE;
	// Of the database `default`, since the other one may not be there.
	const client = connectClickHouse({ url, user, password, database: "default", timeout_ms: 86_400_000 });
	const inside = connectClickHouse({ url, user, password, database });
	try {
		return await work({ all, client, database, audit: new AuditLog(inside) });
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
