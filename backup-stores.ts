/** Where backups are kept: a folder of ClickHouse's, or a bucket; each with its manifest, which is whole once it is proven. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, sha256 } from "./schema/canonical-json.ts";
import type { ClickHouse } from "./schema/clickhouse.ts";
import type { Settings } from "./settings.ts";

/** What stands beside a backup. Until it is proven there is only its id and when it was begun. */
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

/** What cannot be restored from: it is not finished, or its manifest is damaged. */
export interface Unusable {
	readonly backup_id: string;
	readonly problem: string;
}

/** The backup, or what was restored of it, is not what its manifest says; or it cannot be made. */
export class BackupError extends Error {
	override readonly name = "BackupError";
}

export interface BackupStore {
	/** As SQL, where ClickHouse keeps it. Secrets stand in it as literals, which ClickHouse itself hides wherever it shows queries. */
	target(backup_id: string): string;
	/** Oldest first. */
	list(): Promise<(Manifest | Unusable)[]>;
	/** @throws BackupError when it is not there, or cannot be used */
	read(backup_id: string): Promise<Manifest>;
	/** From now on there may be files of it. */
	begin(begun: Pick<Manifest, "backup_id" | "created_at">): Promise<void>;
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
export function diskStore(folder: string): BackupStore & { remove(backup_id: string): Promise<void> } {
	const pathOf = (backup_id: string) => join(folder, `${backup_id}.json`);
	const put = async (said: Pick<Manifest, "backup_id">) => {
		mkdirSync(folder, { recursive: true });
		const path = pathOf(said.backup_id);
		writeFileSync(`${path}.part`, `${canonicalJson(said)}\n`, { flush: true });
		renameSync(`${path}.part`, path);
	};
	const found = (backup_id: string): Found => ({ backup_id, json: readFileSync(pathOf(backup_id), "utf8") });
	return {
		target: (backup_id) => `File(${text(backup_id)})`,
		async read(backup_id) {
			if (!existsSync(pathOf(backup_id))) throw new BackupError(`no backup ${backup_id} in ${folder}`);
			return parse(found(backup_id));
		},
		async list() {
			if (!existsSync(folder)) return [];
			const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
			return listed(names.map((name) => found(name.slice(0, -".json".length))));
		},
		begin: put,
		write: put,
		/** With its files, where the folder has them. */
		async remove(backup_id) {
			if (!existsSync(pathOf(backup_id))) throw new BackupError(`no backup ${backup_id} in ${folder}`);
			// Broken off in the middle, it must not look like a whole one.
			await put({ backup_id });
			rmSync(join(folder, backup_id), { recursive: true, force: true });
			rmSync(pathOf(backup_id));
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
		`s3(${text(`${base}/manifests/${name}.json`)}, ${keys}, 'RawBLOB', 'json String')`;
	const select = async (where: string) => {
		const query = `SELECT _file AS file, json FROM ${manifests("*")} ${where}`;
		const limit = AbortSignal.timeout(LIST_MS);
		const result = await client.query({ query, format: "JSONEachRow", abort_signal: limit }).catch((cause: unknown) => {
			if (limit.aborted) throw new BackupError(`${base} does not answer`, { cause });
			return rethrow(cause);
		});
		const rows = await result.json<{ file: string; json: string }>();
		return rows.map(({ file, json }): Found => ({ backup_id: file.slice(0, -".json".length), json }));
	};
	// An object of a bucket is there as a whole, or is not.
	const put = (said: Pick<Manifest, "backup_id">) =>
		run(
			client,
			`INSERT INTO FUNCTION ${manifests(said.backup_id)} SETTINGS s3_truncate_on_insert = 1 SELECT ${text(canonicalJson(said))}`,
		);
	return {
		target: (backup_id) => `S3(${text(`${base}/${backup_id}`)}, ${keys})`,
		list: async () => listed(await select("")),
		async read(backup_id) {
			const [found] = await select(`WHERE _file = ${text(`${backup_id}.json`)}`);
			if (!found) throw new BackupError(`no backup ${backup_id} in ${url}`);
			return parse(found);
		},
		begin: put,
		write: put,
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

/** A manifest as it lies there. */
interface Found {
	readonly backup_id: string;
	readonly json: string;
}

function parse({ backup_id, json }: Found): Manifest {
	let manifest: Manifest;
	try {
		manifest = JSON.parse(json) as Manifest;
	} catch (cause) {
		throw new BackupError(`the manifest of ${backup_id} is damaged`, { cause });
	}
	const { sha256: said, ...rest } = manifest;
	if (said === undefined) throw new BackupError(`${backup_id} is not finished`);
	if (sha256(rest) !== said) throw new BackupError(`the manifest of ${backup_id} was changed`);
	return manifest;
}

/** One that is damaged keeps nobody from the others. */
function listed(all: readonly Found[]): (Manifest | Unusable)[] {
	const read = (found: Found) => {
		try {
			return parse(found);
		} catch (error) {
			return { backup_id: found.backup_id, problem: (error as Error).message };
		}
	};
	// An id begins with its time.
	return all.map(read).sort((a, b) => (a.backup_id < b.backup_id ? -1 : 1));
}

/** A literal of SQL. */
const text = (value: string) => `'${value.replace(/[\\']/g, "\\$&")}'`;

function rethrow(cause: unknown): never {
	throw new BackupError((cause as Error).message.split("\n")[0]!, { cause });
}
