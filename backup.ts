/** `tidemark backup` and `tidemark restore`: ClickHouse's own, each backup proven by restoring it beside the live tables and counting. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { pino } from "pino";
import {
	type BackupPlace,
	differencesIn,
	dropCopies,
	newestReceipt,
	quote,
	restoreCopy,
	rowsByTable,
	takePlace,
} from "./backup-copies.ts";
import { BackupError, diskStore, folderOf, isBucketUrl, type Manifest, run, storeAt } from "./backup-stores.ts";
import { FolderInUseError, lockFolder } from "./lock.ts";
import { AuditLog } from "./schema/audit.ts";
import { sha256 } from "./schema/canonical-json.ts";
import { type ClickHouse, connectClickHouse } from "./schema/clickhouse.ts";
import { migrate } from "./schema/migrate.ts";
import type { Settings } from "./settings.ts";
import { DATABASE, retentionOf, serverOf, startEngineAlone } from "./storage.ts";

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
			const found =
				from === undefined
					? await diskStore(folderOf(all)).list()
					: await atDatabase(all, from, ({ store }) => store.list());
			console.table(
				found.map((one) =>
					"problem" in one
						? one
						: {
								...one,
								tables: Object.keys(one.tables).length,
								rows: total(one),
								differences: total({ tables: one.differences ?? {} }),
								sha256: one.sha256.slice(0, 12),
							},
				),
			);
		});
	backup
		.command("remove")
		.description("remove a backup from the embedded ClickHouse's own disk, also one that is not finished")
		.argument("<backup_id>", "as `backup list` shows it", id)
		.action((backup_id: string) => atDatabase(settings(), undefined, (place) => removeBackup(place, backup_id)));
	const restore = new Command("restore")
		.description("restore a backup into an empty database; Tidemark must not run")
		.argument("<backup_id>", "as `backup list` shows it", id)
		.option("--from <url>", "s3://bucket/prefix; unset, ClickHouse's own disk", bucket)
		.option("--force", "replace what is there, once all of the backup stands beside it")
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
export function createBackup(place: BackupPlace, base?: string): Promise<Manifest> {
	return alone(place, () => createAlone(place, base));
}

/** What makes copies would take those of another one for leftovers. */
async function alone<T>({ all }: BackupPlace, work: () => Promise<T>): Promise<T> {
	const folder = folderOf(all);
	mkdirSync(folder, { recursive: true });
	const lock = await lockFolder(folder).catch((cause: unknown) => {
		if (!(cause instanceof FolderInUseError)) throw cause;
		throw new BackupError("another backup is being made or restored", { cause });
	});
	try {
		return await work();
	} finally {
		await lock.release();
	}
}

async function createAlone(place: BackupPlace, base: string | undefined): Promise<Manifest> {
	const { client, database, audit, store, now } = place;
	const created = new Date(now());
	const backup_id = `backup-${created.toISOString().replace(/\W/g, "").slice(0, 15)}-${sha256(String(Math.random())).slice(0, 6)}`;
	if (base !== undefined) await store.read(base);
	await store.begin({ backup_id, created_at: created.toISOString() });
	const settings = base === undefined ? "" : ` SETTINGS base_backup = ${store.target(base)}`;
	await dropCopies(place);
	await quietMoment(client);
	const taken = now();
	await run(client, `BACKUP DATABASE ${quote(database)} TO ${store.target(backup_id)}${settings}`);
	try {
		const copy = await restoreCopy(place, backup_id);
		const said = {
			...{ backup_id, created_at: created.toISOString(), base: base ?? null },
			...{ data_through: await newestReceipt(client, copy), tables: await rowsByTable(client, copy) },
			differences: await differencesIn(place, copy, taken),
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

/** @throws BackupError while it is made, or when others are additions to it */
export function removeBackup(place: BackupPlace, backup_id: string): Promise<void> {
	const { all, client, audit } = place;
	// ClickHouse has no statement for it, and nobody else can reach its files.
	if (all.clickhouseUrl) throw new BackupError("its files are on the disk of CLICKHOUSE_URL: remove them there");
	const store = diskStore(folderOf(all));
	return alone(place, async () => {
		const users = (await store.list()).filter((one) => "base" in one && one.base === backup_id);
		if (users.length > 0) throw new BackupError(`${users[0]!.backup_id} is an addition to ${backup_id}`);
		const result = await client.query({
			query: "SELECT 1 FROM system.backups WHERE name = {name:String} AND status IN ('CREATING_BACKUP', 'RESTORING')",
			query_params: { name: store.target(backup_id) },
			format: "JSONEachRow",
		});
		// It goes on without the command that was killed.
		if ((await result.json()).length > 0) throw new BackupError(`${backup_id} is being made still`);
		await store.remove(backup_id);
		await audit.append({ project: "tidemark", actor: "operator", action: "backup.remove", target: backup_id });
	});
}

/**
 * The live tables stay until all that was backed up is beside them.
 * @throws BackupError when there are rows already, or other ones than the manifest says come back
 */
export function restoreBackup(place: BackupPlace, manifest: Manifest, force: boolean): Promise<void> {
	return alone(place, () => restoreAlone(place, manifest, force));
}

async function restoreAlone(place: BackupPlace, manifest: Manifest, force: boolean): Promise<void> {
	const { all, client, database, audit } = place;
	const { backup_id } = manifest;
	const there = total({ tables: await rowsByTable(client, database) });
	if (there > 0 && !force) throw new BackupError(`${database} has ${there} rows: --force drops them`);
	await dropCopies(place);
	const copy = await provenCopy(place, manifest).catch(async (error: unknown) => {
		await dropCopies(place);
		throw error;
	});
	await takePlace(place, copy, backup_id);
	// Of an older version: it is brought up to this one.
	await migrate(client, { database, cluster: all.clickhouseCluster, retention: retentionOf(all) });
	await audit.append({
		...{ project: "tidemark", actor: "operator", action: "restore.create", target: backup_id },
		detail: { rows: total(manifest), sha256: manifest.sha256, status: "completed" },
	});
}

async function provenCopy(place: BackupPlace, { backup_id, tables }: Manifest): Promise<string> {
	const copy = await restoreCopy(place, backup_id);
	const found = await rowsByTable(place.client, copy);
	const names = new Set([...Object.keys(found), ...Object.keys(tables)]);
	const wrong = [...names].filter((name) => found[name] !== tables[name]);
	if (wrong.length === 0) return copy;
	const list = wrong.map((name) => `${name} (${found[name] ?? "none"} of ${tables[name] ?? "none"})`);
	throw new BackupError(`${backup_id} came back with other rows: ${list.join(", ")}`);
}

const total = ({ tables }: Pick<Manifest, "tables">) => Object.values(tables).reduce((sum, rows) => sum + rows, 0);

function id(text: string): string {
	if (ID.test(text)) return text;
	throw new InvalidArgumentError("expected the id of a backup");
}

function bucket(text: string): string {
	if (isBucketUrl(text)) return text;
	throw new InvalidArgumentError("expected s3://bucket/prefix");
}

/** On the server of the settings, on an engine that runs, or on one that is started for it. */
async function atDatabase<T>(
	all: Settings,
	bucketUrl: string | undefined,
	work: (place: BackupPlace) => Promise<T>,
): Promise<T> {
	if (all.clickhouseCluster) {
		const way = "use BACKUP and RESTORE … ON CLUSTER of ClickHouse itself";
		throw new BackupError(`CLICKHOUSE_CLUSTER is set, and this backs up single servers only: ${way}`);
	}
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
			...{ all, client, database, connect, now: Date.now, audit: new AuditLog(inside) },
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
