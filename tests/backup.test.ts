/** `tidemark backup` beside a server that runs, and `tidemark restore` into an empty folder. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBackup, restoreBackup } from "../backup.ts";
import type { BackupPlace } from "../backup-copies.ts";
import { BackupError, bucketUrl, diskStore, folderOf, isBucketUrl } from "../backup-stores.ts";
import { loadSettings } from "../config.ts";
import { AuditLog } from "../schema/audit.ts";
import { type ClickHouse, connectClickHouse } from "../schema/clickhouse.ts";
import { startServer, temporaryFolder, until } from "./server.ts";
import { startDatabase, type TestDatabase } from "./support/database.ts";
import { ACCESS_KEY, SECRET_KEY, startS3 } from "./support/s3.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const env = { TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off" };

async function tidemark(dataDir: string, ...args: string[]): Promise<string> {
	const options = { cwd: dataDir, env: { PATH: process.env.PATH, TIDEMARK_DATA: dataDir, ...keys } };
	const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...args], options);
	return stdout + stderr;
}

/** Of the bucket; set by the test that has one. */
let keys: Readonly<Record<string, string>> = {};

test("what was backed up of a running server, also in two parts, comes back into an empty folder; nothing else does", async () => {
	const dataDir = temporaryFolder();
	const server = await startServer({ dataDir, env });
	const send = (n: number) =>
		server.request("/v1/ingest/events?wait=true", {
			body: Array.from({ length: n }, (_, i) => ({ event: "a", user_id: `u${i}` })),
		});
	await send(300);
	await tidemark(dataDir, "backup");
	const kept = join(dataDir, "clickhouse/backups");
	const [first] = readdirSync(kept).filter((name) => name.endsWith(".json"));
	const base = first!.replace(".json", "");
	await send(200);
	await tidemark(dataDir, "backup", "--base", base);
	await send(50);
	const audited = await server.query("SELECT action FROM audit_log WHERE project = 'tidemark' ORDER BY seq");
	expect(audited.map(({ action }) => action)).toEqual([
		"backup.create",
		"restore.verify",
		"backup.create",
		"restore.verify",
	]);
	expect(await server.query("SELECT name FROM system.databases WHERE name LIKE '%verify%'")).toEqual([]);
	await server.stop();
	const second = readdirSync(kept)
		.find((name) => name.endsWith(".json") && name !== first)!
		.replace(".json", "");

	const empty = temporaryFolder();
	mkdirSync(join(empty, "clickhouse"));
	cpSync(kept, join(empty, "clickhouse/backups"), { recursive: true });
	expect(await tidemark(empty, "backup", "list")).toContain(second);
	await tidemark(empty, "restore", second);
	await expect(tidemark(empty, "restore", second)).rejects.toThrow("--force");
	const restored = await startServer({ dataDir: empty, env });
	expect(await restored.query("SELECT count() AS n FROM events")).toEqual([{ n: 500 }]);
	expect(await restored.query("SELECT sum(n) AS n FROM event_counts_15m")).toEqual([{ n: 500 }]);
	await restored.stop();

	await expect(tidemark(empty, "backup", "remove", base)).rejects.toThrow(`${second} is an addition to ${base}`);
	const path = join(empty, "clickhouse/backups", `${second}.json`);
	writeFileSync(path, readFileSync(path, "utf8").replace('"events":500', '"events":501'));
	await expect(tidemark(empty, "restore", second, "--force")).rejects.toThrow("was changed");
	const listed = await tidemark(empty, "backup", "list");
	expect(listed).toContain(`the manifest of ${second} was changed`);
	expect(listed.split(base).length - 1).toBe(1);
	await tidemark(empty, "backup", "remove", second);
	expect(readdirSync(join(empty, "clickhouse/backups")).sort()).toEqual([base, `${base}.json`]);
}, 240_000);

test("a bucket keeps backups too, tells whole ones from others, and nobody reads the secret there or in the engine", async () => {
	const dataDir = temporaryFolder();
	const [server, s3] = await Promise.all([startServer({ dataDir, env }), startS3()]);
	await s3.createBucket("kept");
	keys = {
		TIDEMARK_BACKUP_S3_ENDPOINT: s3.endpoint,
		TIDEMARK_BACKUP_S3_KEY: ACCESS_KEY,
		TIDEMARK_BACKUP_S3_SECRET: SECRET_KEY,
	};
	const place = "s3://kept/tidemark/a";
	const idOf = (said: string) => /^backup-[\w-]+/.exec(said)![0];
	const send = (n: number) =>
		server.request("/v1/ingest/events?wait=true", {
			body: Array.from({ length: n }, (_, i) => ({ event: "a", user_id: `u${i}` })),
		});
	const clickhouse = connectClickHouse(JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8")));
	try {
		await send(300);
		const killed = spawn(process.execPath, [MAIN, "backup", "--to", place], {
			cwd: dataDir,
			env: { PATH: process.env.PATH, TIDEMARK_DATA: dataDir, ...keys },
		});
		const shown = () =>
			server.query<{ name: string; status: string }>("SELECT name, toString(status) AS status FROM system.backups");
		await until(async () => (await shown()).length > 0, { interval_ms: 10, what: "the backup to begin" });
		killed.kill("SIGKILL");
		await once(killed, "exit");
		// As if it had come so far as to restore its copy.
		await clickhouse.command({ query: "CREATE DATABASE tidemark_verify_killed" });
		expect(await tidemark(dataDir, "backup", "list", "--from", place)).toMatch(/backup-[\w-]+ is not finished/);

		const first = idOf(await tidemark(dataDir, "backup", "--to", place));
		expect(await server.query("SELECT name FROM system.databases WHERE name LIKE '%verify%'")).toEqual([]);
		await send(200);
		const said = await tidemark(dataDir, "backup", "--to", place, "--base", first);
		expect(said).not.toContain("half-way");
		const second = idOf(said);
		await clickhouse.command({
			query: `INSERT INTO FUNCTION s3('${s3.endpoint}/kept/tidemark/a/manifests/backup-a.json', '${ACCESS_KEY}', '${SECRET_KEY}',
				'RawBLOB', 'json String') SELECT '{"backup_id":'`,
		});
		const listed = await tidemark(dataDir, "backup", "list", "--from", place);
		expect(listed).toContain("the manifest of backup-a is damaged");
		expect([first, second].map((one) => listed.split(one).length - 1)).toEqual([2, 1]);
		await expect(tidemark(dataDir, "backup", "--to", place, "--base", "backup-other")).rejects.toThrow("no backup");

		expect(JSON.stringify(await shown())).toContain(`${s3.endpoint}/kept/tidemark/a/${second}`);
		expect(JSON.stringify(await shown())).not.toContain(`'${SECRET_KEY}'`);
		for (const { key } of await s3.list("kept")) {
			if (/\.(backup|json)$/.test(key)) expect((await s3.get("kept", key)).toString()).not.toContain(`'${SECRET_KEY}'`);
		}

		// What an insert that is half-way looks like: counted here, and not there.
		await clickhouse.command({ query: "INSERT INTO event_counts_15m SELECT 'p', 'a', now('UTC'), 3, 0" });
		expect(await tidemark(dataDir, "backup")).toContain("half-way when it was taken: events by 3");
		const right = keys;
		keys = { ...right, TIDEMARK_BACKUP_S3_SECRET: "another-secret" };
		const refused = tidemark(dataDir, "backup", "--to", place);
		await expect(refused).rejects.toThrow("signature");
		await expect(refused).rejects.not.toThrow("another-secret");
		keys = right;
		await server.stop();

		const empty = temporaryFolder();
		expect(await tidemark(empty, "restore", second, "--from", place)).toMatch(/^backup-[\w-]+: \d+ rows are back/);
	} finally {
		keys = {};
		await clickhouse.close();
		await s3.stop();
	}
}, 240_000);

describe("beside the live tables", () => {
	const DAY_S = 86_400;
	let database: TestDatabase;
	let client: ClickHouse;
	let place: BackupPlace;

	beforeAll(async () => {
		database = await startDatabase();
		client = database.connect("default");
		const all = loadSettings({ TIDEMARK_DATA: temporaryFolder() }, temporaryFolder());
		place = {
			...{ all, client, connect: database.connect, database: "tidemark", now: Date.now },
			...{ audit: new AuditLog(database.client), store: diskStore(folderOf(all)) },
		};
	});
	afterAll(async () => {
		await client?.close();
		await database?.stop();
	});

	const ask = async <T>(query: string) =>
		(await (await database.client.query({ query, format: "JSONEachRow" })).json<T>()) as T[];
	const count = async (from: string) => Number((await ask<{ n: string }>(`SELECT count() AS n FROM ${from}`))[0]!.n);
	const copies = () => count("system.databases WHERE name LIKE '%verify%'");
	const events = (event: string, n: number, age_s = 0) =>
		database.client.command({
			query: `INSERT INTO events (project, event, ts, event_id, id) SELECT 'p', '${event}', now('UTC'), toString(number),
				bitShiftLeft(toUInt64(toUnixTimestamp(now()) - ${age_s}), 32) + number FROM numbers(${n})`,
		});

	test("rows past their age come back, for as long as they are counted, and then go as they would have", async () => {
		for (const table of ["logs", "event_ids"])
			await database.client.command({ query: `SYSTEM STOP TTL MERGES tidemark.${table}` });
		await events("old", 30, 8 * DAY_S);
		await database.client.command({
			query:
				"INSERT INTO logs (project, ts, level, message) SELECT 'p', now('UTC') - 86400 * 100, 'info', 'm' FROM numbers(20)",
		});
		const hurried = database.connect("default");
		const command = hurried.command.bind(hurried);
		// Whatever is restored is merged at once.
		hurried.command = async (params) => {
			const done = await command(params);
			const [, as] = /^RESTORE DATABASE `tidemark`(?: AS `(\w+)`)?/.exec(params.query) ?? [undefined, undefined];
			if (params.query.startsWith("RESTORE"))
				for (const table of ["logs", "event_ids"])
					await command({
						query: `OPTIMIZE TABLE ${as ?? "tidemark"}.${table} FINAL SETTINGS optimize_throw_if_noop = 0`,
					});
			return done;
		};
		try {
			const made = await createBackup({ ...place, client: hurried });
			expect(made.tables).toMatchObject({ logs: 20, event_ids: 30, events: 30 });
			await restoreBackup({ ...place, client: hurried }, made, true);
		} finally {
			await hurried.close();
		}
		expect(await copies()).toBe(0);
		await database.client.command({ query: "OPTIMIZE TABLE logs FINAL" });
		expect(await count("logs")).toBe(0);
	});

	test("the live tables stay when a backup does not come back as it was, and views feed what comes back", async () => {
		await events("before", 10);
		const made = await createBackup(place);
		await events("after", 5);
		const views = () =>
			ask(
				"SELECT name, create_table_query FROM system.tables WHERE database = 'tidemark' AND engine LIKE '%View' ORDER BY name",
			);
		const before = await views();
		const lost = { ...made, backup_id: "backup-lost" };
		await expect(restoreBackup(place, lost, true)).rejects.toThrow(BackupError);
		const others = { ...made, tables: { ...made.tables, points: 1 } };
		await expect(restoreBackup(place, others, true)).rejects.toThrow("other rows: points (0 of 1)");
		await expect(restoreBackup(place, made, false)).rejects.toThrow("--force");
		expect([await count("events WHERE event = 'after'"), await copies()]).toEqual([5, 0]);

		// The bucket goes away once the live tables are gone: no row is lost by it.
		const cut = database.connect("default");
		const command = cut.command.bind(cut);
		cut.command = (params) =>
			params.query.startsWith("RESTORE DATABASE `tidemark` FROM")
				? Promise.reject(new Error("the bucket is away"))
				: command(params);
		await expect(restoreBackup({ ...place, client: cut }, made, true).finally(() => cut.close())).rejects.toThrow(
			"restore again with --force. the bucket is away",
		);
		expect(await count("events WHERE event = 'before'")).toBe(10);

		await restoreBackup(place, made, true);
		expect([await count("events WHERE event = 'after'"), await count("events WHERE event = 'before'")]).toEqual([
			0, 10,
		]);
		expect(before.length).toBeGreaterThan(20);
		expect(await views()).toEqual(before);
		await events("again", 7);
		expect(await ask("SELECT toUInt32(sum(n)) AS n FROM event_counts_15m WHERE event = 'again'")).toEqual([{ n: 7 }]);
		expect(await count("audit_log WHERE action = 'restore.create'")).toBe(2);
	});

	test("an insert that was half-way is found however long the backup takes", async () => {
		const taken = Date.now() - 2 * 3_600_000;
		await database.client.command({
			query: `INSERT INTO event_counts_15m SELECT 'p', 'a', toDateTime(${Math.floor(taken / 1_000)}, 'UTC'), 3, 0`,
		});
		// When it begins, and when it is taken; then two hours go by.
		const times = [taken, taken];
		const made = await createBackup({ ...place, now: () => times.shift() ?? Date.now() });
		expect(made.differences).toEqual({ events: 3 });
	});
});

test("a cluster is refused, of which only one server would be backed up", async () => {
	keys = { CLICKHOUSE_URL: "http://127.0.0.1:1", CLICKHOUSE_CLUSTER: "all" };
	try {
		for (const args of [["backup"], ["restore", "backup-a", "--force"]])
			await expect(tidemark(temporaryFolder(), ...args)).rejects.toThrow("CLICKHOUSE_CLUSTER is set");
	} finally {
		keys = {};
	}
});

test.each([
	["s3://bucket", undefined, "https://bucket.s3.eu-west-1.amazonaws.com"],
	["s3://bucket/a/b/", undefined, "https://bucket.s3.eu-west-1.amazonaws.com/a/b"],
	["s3://bucket/a", "http://127.0.0.1:9000/", "http://127.0.0.1:9000/bucket/a"],
])("%s at %s is %s", (url, endpoint, by_http) => {
	expect(bucketUrl(url, endpoint, "eu-west-1")).toBe(by_http);
});

test.each([
	"bucket/a",
	"s3://",
	"s3://bucket/*",
	"s3://bucket/a{1..3}",
	"s3://bucket/a?b",
	"s3://bucket/a'b",
	"s3://B/a",
])("%s names no place of backups", (url) => expect(isBucketUrl(url)).toBe(false));
