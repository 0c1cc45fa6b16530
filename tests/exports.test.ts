/** Exports in the whole program: by the API, the SDK and the command line; whatever is killed in the middle, finished once. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client, NotFoundError, PermissionError, TidemarkError, ValidationError } from "../client/index.ts";
import { KeyStore } from "../http/keys.ts";
import { connectClickHouse } from "../schema/clickhouse.ts";
import { EXPORT_DATA, type ExportManifest, exportAnswer } from "../schema/wire/index.ts";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";
import { type NarrowProxy, startNarrowProxy } from "./support/narrow-proxy.ts";
import { ACCESS_KEY, type S3Server, SECRET_KEY, startS3 } from "./support/s3.ts";

const BUCKET = "tidemark-system";
const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const dataDir = temporaryFolder();
const env = { TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off", TIDEMARK_OUTBOUND_ALLOW: "127.0.0.1" };
let server: Server;
let s3: S3Server;
let proxy: NarrowProxy;
let client: Client;

const LOGS = 30;
const start = new Date(Date.now() - 3_600_000).toISOString();

beforeAll(async () => {
	[server, s3] = await Promise.all([startServer({ dataDir, env }), startS3()]);
	proxy = await startNarrowProxy(s3.port);
	await s3.createBucket(BUCKET);
	client = clientOf(server.adminKey);
	keys = await makeKeys();
	const records = Array.from({ length: LOGS }, (_, i) => [
		{ type: "log", message: `line "${i}"\nand more`, component: "api" },
		{ type: "metric", name: "queue.depth", value: i, tags: { queue: "mail" } },
		{ type: "event", event: "opened", user_id: `u${i}`, properties: { page: i } },
		{ type: "error", error_type: "Broken", error_message: `no ${i}` },
	]).flat();
	const body = records.map((record) => JSON.stringify(record)).join("\n");
	const headers = { "Content-Type": "application/x-ndjson" };
	// Not waited for: what was acknowledged before an export is asked for is in it.
	expect((await server.request("/v1/ingest/batch", { body, headers })).status).toBe(202);
}, 90_000);
afterAll(async () => {
	await server?.stop();
	await proxy?.close();
	await s3?.stop();
});

const clientOf = (apiKey: string) => new Client({ apiKey, baseUrl: server.url, timeoutMs: 30_000 });
/** Made before the first is used: a program looks for keys that it does not know once in a while. */
const KEYS = { copy: "ingest", other: "admin", editor: "analytics_editor", viewer: "analytics_viewer" } as const;
let keys: Record<keyof typeof KEYS, string>;
async function makeKeys(): Promise<typeof keys> {
	const at = JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8"));
	const clickhouse = connectClickHouse({ ...at, database: "tidemark" });
	const made = Object.entries(KEYS).map(async ([name, role]) => {
		const project = role === "ingest" || role === "admin" ? name : "default";
		return [name, (await new KeyStore({ client: clickhouse }).create({ project, name, roles: [role] })).secret];
	});
	return Object.fromEntries(await Promise.all(made).finally(() => clickhouse.close()));
}
const quick = { intervalMs: 100 };

test("what was acknowledged a moment ago is exported, and comes back as it was sent", async () => {
	const { monitoring } = client;
	const asked = await monitoring.exportData({ start, format: "json", compression: "gzip" });
	expect(exportAnswer.parse(asked)).toMatchObject({ destination: "local", rows: null, sha256: null, parts: [] });
	const done = exportAnswer.parse(await monitoring.waitForExport(asked.export_id, quick));
	expect(done).toMatchObject({ status: "completed", progress: 1, data: [...EXPORT_DATA], rows: 4 * LOGS, error: null });
	expect(done.parts.map(({ data, rows }) => [data, rows])).toEqual(EXPORT_DATA.map((data) => [data, LOGS]));
	for (const { name, bytes, sha256, data } of done.parts) {
		const file = await monitoring.downloadExport(done.export_id, { part: name });
		const body = await buffer(file.stream as never);
		expect({ name: file.name, bytes: body.length }).toEqual({ name, bytes });
		expect(createHash("sha256").update(body).digest("hex")).toBe(sha256);
		if (data !== "logs") continue;
		const lines = gunzipSync(body)
			.toString()
			.trimEnd()
			.split("\n")
			.map((line) => JSON.parse(line));
		expect(lines.map(({ message }) => message).sort()).toEqual(
			Array.from({ length: LOGS }, (_, i) => `line "${i}"\nand more`).sort(),
		);
		// A line of it is taken in again.
		const again = await server.request("/v1/ingest/batch", {
			body: gunzipSync(body).toString(),
			headers: { "Content-Type": "application/x-ndjson", Authorization: `Bearer ${keys.copy}` },
		});
		expect(await again.json()).toMatchObject({ accepted: LOGS, rejected: [] });
	}
	const archive = await monitoring.downloadExport(done.export_id);
	const folder = join(temporaryFolder(), "tar");
	mkdirSync(folder);
	const untar = promisify(execFile)("tar", ["-xf", "-", "-C", folder]);
	untar.child.stdin!.end(await buffer(archive.stream as never));
	await untar;
	const manifest = JSON.parse(readFileSync(join(folder, done.export_id, "manifest.json"), "utf8")) as ExportManifest;
	expect(manifest.parts).toEqual(done.parts);
	expect(readdirSync(join(folder, done.export_id)).sort()).toEqual(
		["manifest.json", ...done.parts.map(({ name }) => name)].sort(),
	);
	expect((await monitoring.listExports()).exports.map(({ export_id }) => export_id)).toContain(done.export_id);
});

test("one person's data is handed out as it was certified", async () => {
	const { monitoring } = client;
	const { request_id } = await monitoring.createDataRequest({ type: "export", user_id: "u7" });
	const done = await until(
		async () => {
			const answer = await monitoring.getDataRequest(request_id);
			return answer.status === "completed" && answer;
		},
		{ deadline_ms: 50_000, interval_ms: 250, what: "the request to be done" },
	);
	const { name, stream } = await monitoring.downloadDataRequest(request_id);
	const lines = await buffer(stream as never);
	expect(name).toBe(`${request_id}.ndjson`);
	expect(createHash("sha256").update(lines).digest("hex")).toBe(done.certificate!.export!.sha256);
	const rows = lines.toString().trimEnd().split("\n");
	expect(rows.map((line) => JSON.parse(line))).toMatchObject([{ _table: "events", event: "opened", user_id: "u7" }]);
	await expect(clientOf(keys.other).monitoring.downloadDataRequest(request_id)).rejects.toThrow(NotFoundError);
});

test("keys to a bucket go in and do not come out, and only an admin sees that there are some", async () => {
	const { monitoring } = client;
	const secret = { access_key_id: ACCESS_KEY, secret_access_key: SECRET_KEY };
	await expect(monitoring.exportData({ destination: `s3://${BUCKET}/x/` })).rejects.toThrow(ValidationError);
	const endpoint = `http://127.0.0.1:${proxy.port}`;
	const put = await monitoring.putDestination("archive", { bucket: BUCKET, prefix: "monitoring", endpoint, ...secret });
	expect(put).toMatchObject({ name: "archive", bucket: BUCKET, secret_access_key: "***" });
	// Masked, it stays; led elsewhere, it does not go along.
	await monitoring.putDestination("archive", {
		...secret,
		bucket: BUCKET,
		prefix: "monitoring",
		endpoint,
		secret_access_key: "***",
	});
	const elsewhere = { ...secret, bucket: BUCKET, endpoint: "https://elsewhere.example", secret_access_key: "***" };
	await expect(monitoring.putDestination("archive", elsewhere)).rejects.toThrow(ValidationError);
	expect(JSON.stringify(await server.query("SELECT * FROM definitions WHERE kind = 'destination'"))).not.toContain(
		SECRET_KEY,
	);
	const editor = clientOf(keys.editor);
	await expect(editor.monitoring.listDestinations()).rejects.toThrow(PermissionError);
	await expect(editor.monitoring.exportData({ destination: `s3://${BUCKET}/other/` })).rejects.toThrow(ValidationError);
	const { export_id } = await editor.monitoring.exportData({
		start,
		destination: `s3://${BUCKET}/monitoring/a`,
		format: "parquet",
	});
	const done = await editor.monitoring.waitForExport(export_id, quick);
	expect((await s3.list(BUCKET, `monitoring/a/${export_id}/`)).length).toBe(EXPORT_DATA.length + 1);
	expect(done).toMatchObject({ rows: 4 * LOGS, download_url: null, destination_name: "archive" });
	await expect(editor.monitoring.downloadExport(export_id)).rejects.toMatchObject({ status: 409 });
	expect(JSON.stringify(await server.query("SELECT * FROM jobs"))).not.toContain(ACCESS_KEY);
});

test("an export is its project's: others neither see nor cancel it, and get none of its records", async () => {
	const { export_id } = (await client.monitoring.listExports({ limit: 1 })).exports[0]!;
	const other = clientOf(keys.other);
	for (const ask of [
		() => other.monitoring.getExport(export_id),
		() => other.monitoring.downloadExport(export_id),
		() => other.monitoring.cancelExport(export_id),
		() => other.monitoring.getDestination("archive"),
	]) {
		await expect(ask()).rejects.toThrow(NotFoundError);
	}
	expect(await other.monitoring.listExports()).toEqual({ exports: [] });
	const empty = await other.monitoring.exportData({ start });
	expect((await other.monitoring.waitForExport(empty.export_id, quick)).rows).toBe(0);
	const viewer = clientOf(keys.viewer);
	await expect(viewer.monitoring.exportData({ start })).rejects.toThrow(PermissionError);
	expect((await viewer.monitoring.getExport(export_id)).export_id).toBe(export_id);
});

test("the command line brings the files home, checked", async () => {
	const out = temporaryFolder();
	const args = ["export", "--start", start, "--metrics", "queue.depth", "--compression", "none", "--out", out];
	const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args], {
		cwd: out,
		env: { PATH: process.env.PATH, TIDEMARK_URL: server.url, TIDEMARK_KEY: server.adminKey },
	});
	const [, folder] = /^30 rows, \d+ bytes in 1 files: (.*)\n$/.exec(stdout) ?? [];
	expect(readdirSync(folder!).sort()).toEqual(["manifest.json", "metrics-00001.csv"]);
	const [head, ...rows] = readFileSync(join(folder!, "metrics-00001.csv"), "utf8").trimEnd().split("\n");
	expect(head).toBe('"timestamp","name","value","kind","unit","component","tags"');
	expect(rows.map((row) => Number(row.split(",")[2])).sort((a, b) => a - b)).toEqual(
		Array.from({ length: LOGS }, (_, i) => i),
	);
});

test("killed in the middle with its Redis flushed, then its engine: the export is finished once, and nothing is half delivered", {
	timeout: 120_000,
}, async () => {
	// Its uploads are looked for, its first part arrives; the second hangs.
	proxy.serve(2);
	const before = proxy.connections;
	const { export_id } = await client.monitoring.exportData({
		start,
		destination: `s3://${BUCKET}/monitoring/k`,
		format: "csv",
	});
	const names = async () =>
		(await s3.list(BUCKET, `monitoring/k/${export_id}/`)).map(({ key }) => key.split("/").at(-1)!);
	await until(() => proxy.connections > before + 2, { what: "the second part" });
	expect(await names()).toEqual(["metrics-00001.csv.gz"]);
	await server.kill("SIGKILL");
	rmSync(join(dataDir, "redis"), { recursive: true, force: true });
	server = await startServer({ dataDir, env });
	client = clientOf(server.adminKey);
	proxy.serve(1);
	// It is taken over when its lease is over, and hangs again: now the engine goes.
	const reached = proxy.connections;
	await until(() => proxy.connections > reached + 1, { what: "another attempt", deadline_ms: 60_000 });
	const engine = JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8")) as { pid: number };
	process.kill(engine.pid, "SIGKILL");
	proxy.serve(Number.POSITIVE_INFINITY);
	proxy.drop();
	const done = await until(
		async () => {
			const seen = await client.monitoring.getExport(export_id).catch(() => undefined);
			return seen?.status === "completed" ? seen : undefined;
		},
		{ what: "the export", deadline_ms: 60_000 },
	);
	expect(done.rows).toBe(4 * LOGS);
	expect((await names()).sort()).toEqual(["manifest.json", ...done.parts.map(({ name }) => name)].sort());
	for (const { name, sha256 } of done.parts) {
		const body = await s3.get(BUCKET, `monitoring/k/${export_id}/${name}`);
		expect(createHash("sha256").update(body).digest("hex")).toBe(sha256);
	}
	const over = await server.query(
		"SELECT count() AS n FROM jobs FINAL WHERE job_id = {export_id:String} AND fact = 'over'",
		{ export_id },
	);
	expect(over).toEqual([{ n: 1 }]);
	expect(await s3.uploads(BUCKET)).toEqual([]);
});

test("what is cancelled has no files, and every change and download has its row in the audit log", async () => {
	proxy.serve(0);
	const { export_id } = await client.monitoring.exportData({ start, destination: `s3://${BUCKET}/monitoring/c` });
	await until(async () => (await client.monitoring.getExport(export_id)).status === "running", { what: "its start" });
	await client.monitoring.cancelExport(export_id);
	proxy.serve(Number.POSITIVE_INFINITY);
	await expect(client.monitoring.waitForExport(export_id, quick)).rejects.toThrow(TidemarkError);
	expect(await client.monitoring.getExport(export_id)).toMatchObject({ status: "cancelled", parts: [], rows: null });
	expect(await s3.list(BUCKET, `monitoring/c/${export_id}/`)).toEqual([]);
	await expect(client.monitoring.cancelExport(export_id)).rejects.toMatchObject({ status: 409 });
	const rows = await server.query<{ action: string }>(
		"SELECT DISTINCT action FROM audit_log WHERE project = 'default'",
	);
	expect(rows.map(({ action }) => action)).toEqual(
		expect.arrayContaining(["export.create", "export.download", "export.cancel", "destination.put"]),
	);
});

test("files that were removed, or lie elsewhere, are not pretended", async () => {
	const { export_id } = await client.monitoring.exportData({ start, data: ["logs"] });
	await client.monitoring.waitForExport(export_id, quick);
	rmSync(join(dataDir, "exports"), { recursive: true });
	await expect(client.monitoring.downloadExport(export_id)).rejects.toMatchObject({
		status: 503,
		body: { part: "exports" },
	});
	await expect(client.monitoring.downloadExport(export_id, { part: "../../x" })).rejects.toThrow(ValidationError);
	await client.monitoring.deleteDestination("archive");
	expect(await client.monitoring.listDestinations()).toEqual({ destinations: [] });
});
