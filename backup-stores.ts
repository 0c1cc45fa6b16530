/** Where backups are kept: a folder of ClickHouse's, or a bucket; each with its manifest, written once it is proven. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, sha256 } from "./schema/canonical-json.ts";
import type { ClickHouse } from "./schema/clickhouse.ts";
import type { Settings } from "./settings.ts";

/** What stands beside a backup. One without is not a backup: its making broke off. */
export interface Manifest {
	readonly backup_id: string;
	readonly created_at: string;
	/** Receipt of the newest event, log or error in it; null when it has none. What was in a journal still is not in it. */
	readonly data_through: string | null;
	/** Id of the backup that it is an addition to. */
	readonly base: string | null;
	/** Rows by table, counted in a copy that was restored of it. */
	readonly tables: Readonly<Record<string, number>>;
	/**
	 * Records of its last hour that a table counts and the one made of it does not, or the other way, by check: an insert was half-way
	 * when it was taken. Empty when there are none; absent in manifests of before.
	 */
	readonly differences?: Readonly<Record<string, number>>;
	/** Hex, of all other members as canonical JSON. */
	readonly sha256: string;
}

/** The backup, or what was restored of it, is not what its manifest says; or it cannot be made. */
export class BackupError extends Error {
	override readonly name = "BackupError";
}

export interface BackupStore {
	/** As SQL, where ClickHouse keeps it. Secrets stand in it as literals, which ClickHouse itself hides wherever it shows queries. */
	target(backup_id: string): string;
	/** Oldest first. */
	list(): Promise<Manifest[]>;
	/** @throws BackupError when it is not there, or was changed */
	read(backup_id: string): Promise<Manifest>;
	/** From now on there is a backup. */
	write(manifest: Manifest): Promise<void>;
}

/** @param url `s3://bucket/prefix`; undefined for ClickHouse's own disk */
export function storeAt(all: Settings, client: ClickHouse, url: string | undefined): BackupStore {
	return url === undefined ? diskStore(folderOf(all)) : bucketStore(all, client, url);
}

/** The embedded engine reads and writes backups here; of a server only their manifests are here. */
export const folderOf = (all: Settings) => join(all.dataDir, all.clickhouseUrl ? "backups" : "clickhouse/backups");

/** Of a request to a bucket, over some 10 s: of its own, ClickHouse tries for an hour when nobody answers. */
const BUCKET_TRIES = { s3_retry_attempts: "10", backup_restore_s3_retry_attempts: "10" };

/** Of the list of manifests: what reads them tries for very long whatever it is told. */
const LIST_MS = 30_000;

/** Runs a statement without an answer. @throws BackupError of one line */
export async function run(client: ClickHouse, query: string): Promise<void> {
	await client.command({ query, clickhouse_settings: BUCKET_TRIES }).catch(rethrow);
}

/** On ClickHouse's own disk. @param folder of the manifests */
export function diskStore(folder: string): BackupStore {
	const pathOf = (backup_id: string) => join(folder, `${backup_id}.json`);
	const read = async (backup_id: string) => {
		if (!existsSync(pathOf(backup_id))) throw new BackupError(`no backup ${backup_id} in ${folder}`);
		return parse(readFileSync(pathOf(backup_id), "utf8"));
	};
	return {
		target: (backup_id) => `File(${text(backup_id)})`,
		read,
		async list() {
			if (!existsSync(folder)) return [];
			const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
			return sorted(await Promise.all(names.map((name) => read(name.slice(0, -".json".length)))));
		},
		async write(manifest) {
			mkdirSync(folder, { recursive: true });
			const path = pathOf(manifest.backup_id);
			writeFileSync(`${path}.part`, `${canonicalJson(manifest)}\n`, { flush: true });
			renameSync(`${path}.part`, path);
		},
	};
}

/** What ClickHouse reaches is reached by ClickHouse, also the manifests: this process may be on another network. */
function bucketStore(all: Settings, client: ClickHouse, url: string): BackupStore {
	const { backupS3Key: key, backupS3Secret: secret } = all;
	if (key === undefined || secret === undefined)
		throw new BackupError("a bucket needs TIDEMARK_BACKUP_S3_KEY and TIDEMARK_BACKUP_S3_SECRET");
	const base = bucketUrl(url, all.backupS3Endpoint, all.backupS3Region);
	const keys = `${text(key)}, ${text(secret)}`;
	// In a folder of their own: who lists them does not list the files of all backups.
	const manifests = (name: string) =>
		`s3(${text(`${base}/manifests/${name}.json`)}, ${keys}, 'LineAsString', 'line String')`;
	const list = async () => {
		const query = `SELECT line FROM ${manifests("*")}`;
		const limit = AbortSignal.timeout(LIST_MS);
		const result = await client.query({ query, format: "JSONEachRow", abort_signal: limit }).catch((cause: unknown) => {
			if (limit.aborted) throw new BackupError(`${base} does not answer`, { cause });
			return rethrow(cause);
		});
		return sorted((await result.json<{ line: string }>()).map(({ line }) => parse(line)));
	};
	return {
		target: (backup_id) => `S3(${text(`${base}/${backup_id}`)}, ${keys})`,
		list,
		async read(backup_id) {
			const found = (await list()).find((one) => one.backup_id === backup_id);
			if (!found) throw new BackupError(`no backup ${backup_id} in ${url}`);
			return found;
		},
		// An object of a bucket is there as a whole, or is not.
		write: (manifest) =>
			run(client, `INSERT INTO FUNCTION ${manifests(manifest.backup_id)} SELECT ${text(canonicalJson(manifest))}`),
	};
}

const BUCKET = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/[\w.=-]+)*)\/?$/;

/** Whether it can name a place of backups; `*` and the like would be patterns to ClickHouse. */
export const isBucketUrl = (url: string) => BUCKET.test(url);

/** The same by HTTP, without a slash at the end. @param endpoint of what is not AWS: buckets are in its path */
export function bucketUrl(url: string, endpoint: string | undefined, region: string): string {
	const [, bucket, prefix] = BUCKET.exec(url) ?? [];
	if (bucket === undefined) throw new BackupError(`expected s3://bucket/prefix instead of ${url}`);
	if (endpoint === undefined) return `https://${bucket}.s3.${region}.amazonaws.com${prefix}`;
	return `${endpoint.replace(/\/+$/, "")}/${bucket}${prefix}`;
}

function parse(json: string): Manifest {
	const manifest = JSON.parse(json) as Manifest;
	const { sha256: said, ...rest } = manifest;
	if (sha256(rest) !== said) throw new BackupError(`the manifest of ${manifest.backup_id} was changed`);
	return manifest;
}

const sorted = (manifests: Manifest[]) => manifests.sort((a, b) => (a.created_at < b.created_at ? -1 : 1));

/** A literal of SQL. */
const text = (value: string) => `'${value.replace(/[\\']/g, "\\$&")}'`;

function rethrow(cause: unknown): never {
	throw new BackupError((cause as Error).message.split("\n")[0]!, { cause });
}
