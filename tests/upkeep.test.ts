/** What is done with data that is there already, in the whole program: by routes, through deaths of its parts. */
import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { auditHash, GENESIS } from "../schema/audit-chain.ts";
import { verifications } from "../schema/audit-verification.ts";
import { connectClickHouse } from "../schema/clickhouse.ts";
import { JOB_KIND_OF } from "../schema/data-requests.ts";
import { clickHouseTime } from "../schema/definitions.ts";
import { JobStore } from "../schema/jobs.ts";
import { dataRequestAnswer, dataRequestsAnswer, retentionAnswer } from "../schema/wire/index.ts";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";
import { insertSeries } from "./support/records.ts";

const PATH = "/v1/monitoring/data-requests";
const DAY_MS = 86_400_000;
const dataDir = temporaryFolder();
const start = () => startServer({ dataDir, env: { TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off" } });
let server: Server;
let viewer: string;

beforeAll(async () => {
	server = await start();
	const made = await server.request("/v1/keys", { body: { name: "reads", roles: ["analytics_viewer"] } });
	viewer = ((await made.json()) as { api_key: string }).api_key;
});
afterAll(async () => {
	await server?.stop();
});

async function json(path: string, init?: Parameters<Server["request"]>[1]) {
	const response = await server.request(path, init);
	const text = await response.text();
	return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

async function finished(request_id: string) {
	return await until(
		async () => {
			const answer = dataRequestAnswer.parse((await json(`${PATH}/${request_id}`)).body);
			if (answer.status === "failed") throw new Error(answer.error ?? "failed");
			return answer.status === "completed" ? answer : undefined;
		},
		{ what: "the request to be done", deadline_ms: 50_000 },
	);
}

const events = (user: string, n: number) =>
	Array.from({ length: n }, (_, i) => ({
		...{ event: "feature.used", user_id: user, session_id: `s-${user}`, event_id: `${user.length}-${i}` },
		properties: { feature: "search" },
	}));

test("a person is handed out, then erased: once, though program, engine and Redis die meanwhile, and records wait in the journal", async () => {
	const sent = await json("/v1/ingest/events", { body: [...events("person-1", 400), ...events("person-12", 300)] });
	expect(sent.status).toBe(202);
	await json("/v1/ingest/logs", {
		body: [{ message: "hello person-1", context: { user_id: "person-1" } }, { message: "bye" }],
	});

	const asked = await json(PATH, { body: { type: "export", user_id: "person-1", reason: "they asked" } });
	expect(asked.status, JSON.stringify(asked.body)).toBe(202);
	expect(dataRequestAnswer.parse(asked.body)).toMatchObject({ user_id: "person-1", reason: "they asked" });
	const handed = await finished(asked.body.request_id);
	expect(handed.certificate!.tables).toEqual([
		{ table: "events", action: "export", rows_found: 400, rows_left: null },
		{ table: "logs", action: "export", rows_found: 1, rows_left: null },
	]);
	const lines = Buffer.from(await (await server.request(handed.download!)).arrayBuffer());
	expect(createHash("sha256").update(lines).digest("hex")).toBe(handed.certificate!.export!.sha256);
	const rows = lines
		.toString()
		.trimEnd()
		.split("\n")
		.map((line) => JSON.parse(line));
	expect(rows.filter(({ _table, user_id }) => _table === "events" && user_id === "person-1")).toHaveLength(400);

	const again = await json("/v1/ingest/events", { body: events("person-1", 500).slice(400) });
	expect(again.status).toBe(202);
	const erasing = await json(PATH, { body: { type: "erase", user_id: "person-1" } });
	await until(async () => (await server.query("SELECT 1 FROM erasure_subjects")).length > 0, { interval_ms: 5 });
	process.kill(JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8")).pid, "SIGKILL");
	await until(async () => dataRequestAnswer.parse((await json(`${PATH}/${erasing.body.request_id}`)).body));
	await server.kill("SIGKILL");
	rmSync(join(dataDir, "redis"), { recursive: true, force: true, maxRetries: 5 });
	server = await start();
	const { certificate, user_id } = await finished(erasing.body.request_id);

	expect(user_id).toBeNull();
	expect(certificate!.tables.filter(({ rows_left }) => rows_left !== 0)).toEqual([]);
	expect(certificate!.tables.find(({ table }) => table === "events")).toMatchObject({ rows_found: 500 });
	expect(await server.query("SELECT user_id, count() AS n FROM events GROUP BY user_id")).toEqual([
		{ user_id: "person-12", n: 300 },
	]);
	for (const table of ["event_counts_15m", "feature_uses_15m", "session_hours"]) {
		expect(await server.query(`SELECT sum(n) AS n FROM ${table}`), table).toEqual([{ n: 300 }]);
	}
	expect(await server.query("SELECT message FROM logs")).toEqual([{ message: "bye" }]);
	const audited = await server.query<{ action: string }>(
		"SELECT action FROM audit_log WHERE action LIKE 'data%' ORDER BY seq",
	);
	expect(audited.map(({ action }) => action)).toEqual([
		...["data_request.create", "data.export", "data_request.download", "data_request.create", "data.erase"],
	]);
	// A repetition of what was erased is none of its coming back; what is new is.
	await json("/v1/ingest/events?wait=true", { body: events("person-1", 501).slice(499) });
	expect(await server.query("SELECT event_id FROM events WHERE user_id = 'person-1'")).toEqual([{ event_id: "8-500" }]);
}, 120_000);

/** A chain that takes a while to walk. */
function longChain(project: string, length: number): object[] {
	let previous_hash = GENESIS.hash;
	return Array.from({ length }, (_, i) => {
		const row = { project, seq: i + 1, ts_ms: Date.UTC(2026, 0, 1) + i, actor: "k", action: "a", target: "t" };
		const linked = { ...row, detail: "{}", request_id: "", previous_hash };
		previous_hash = auditHash(linked);
		const { ts_ms, ...columns } = linked;
		return { ...columns, ts: clickHouseTime(new Date(ts_ms)), hash: previous_hash };
	});
}

test("a walk over an audit log, a run of retention and a person's export that are killed in the middle, with engine and Redis, are done by the next program, once", async () => {
	// The schedule of the next hour would ask for a walk of its own.
	await until(() => new Date().getUTCMinutes() < 58, { deadline_ms: 150_000, interval_ms: 1_000 });
	const connect = () => connectClickHouse(JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8")));
	let client = connect();
	const rows = 150_000;
	await client.insert({ table: "audit_log", values: longChain("long", rows), format: "JSONEachRow" });
	const old = Date.now() - 60 * DAY_MS;
	const points = Array.from({ length: 5_000 }, (_, i) => [old + i * 60_000, i] as const);
	await insertSeries(client, "default", [{ name: "aged", kind: "distribution", points }]);
	const own = { metrics_days: 7, rollups_days: 30, logs_days: null, events_days: null };
	expect((await json("/v1/monitoring/retention", { method: "PUT", body: own })).status).toBe(200);

	const [day, hour] = [10, 13].map((length) => new Date().toISOString().slice(0, length));
	const { request_id } = (await json(PATH, { body: { type: "export", user_id: "person-12" } })).body;
	const [walk, retention, access] = [
		{ project: "long", kind: "audit_verify", job_id: `hour-${hour}` },
		{ project: "default", kind: "retention", job_id: `retention ${day}` },
		{ project: "default", kind: JOB_KIND_OF.export, job_id: request_id as string },
	] as const;
	const found = () => {
		const store = new JobStore(client);
		return Promise.all(
			[walk, retention, access].map(async ({ project, kind, job_id }) => (await store.get(project, kind, job_id))!),
		);
	};
	await new JobStore(client).create({ ...walk, input: {} });
	await new JobStore(client).create({ ...retention, of: "retention", input: { day } });
	await until(async () => (await found()).every(({ attempt }) => attempt > 0), {
		...{ what: "all three to begin", interval_ms: 5, deadline_ms: 30_000 },
	});
	process.kill(JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8")).pid, "SIGKILL");
	await server.kill("SIGKILL");
	await client.close();
	rmSync(join(dataDir, "redis"), { recursive: true, force: true, maxRetries: 5 });
	server = await start();
	client = connect();
	expect((await found()).map(({ finished_at }) => finished_at)).toEqual([null, null, null]);
	const done = await until(
		async () => {
			const all = await found();
			return all.every(({ finished_at }) => finished_at !== null) && all;
		},
		{ what: "all three to be done", deadline_ms: 90_000 },
	);

	for (const { status, attempt } of done) expect([status, attempt > 1]).toEqual(["completed", true]);
	expect(done[0]!.state).toMatchObject({ rows, last_seq: rows, broken_at: null });
	expect(await verifications(client, "long")).toHaveLength(1);
	for (const table of ["points", "rollup_1m", "rollup_1d", "sketch_1d"]) {
		expect(await server.query(`SELECT count() AS n FROM ${table} WHERE name = 'aged'`), table).toEqual([{ n: 0 }]);
	}
	const { certificate, download } = await finished(request_id);
	const lines = Buffer.from(await (await server.request(download!)).arrayBuffer());
	expect(createHash("sha256").update(lines).digest("hex")).toBe(certificate!.export!.sha256);
	expect(certificate!.export!.rows).toBe(300);
	const audited = await server.query(
		"SELECT action, count() AS n FROM audit_log WHERE project = 'default' AND target IN ({targets:Array(String)}) AND actor = 'system' GROUP BY action ORDER BY action",
		{ targets: [request_id, retention.job_id] },
	);
	expect(audited).toEqual([
		{ action: "data.export", n: 1 },
		{ action: "retention.enforce", n: 1 },
	]);
	await json("/v1/monitoring/retention", { method: "PUT", body: { ...own, metrics_days: null, rollups_days: null } });
	await client.close();
}, 360_000);

test("points and lines that come after an erasure have their tags and their pattern, without a restart", async () => {
	const send = async () => {
		await json("/v1/ingest/metrics?wait=true", {
			body: { name: "cart.size", value: 3, tags: { "user.id": "person-20" } },
		});
		await json("/v1/ingest/logs?wait=true", { body: { message: "cart of person-20 is full" } });
	};
	const stored = async () => ({
		tags: await server.query(
			"SELECT tags, count() AS n FROM points INNER JOIN series USING (project, name, series_id) WHERE name = 'cart.size' GROUP BY tags",
		),
		lines: await server.query(
			"SELECT count() AS n FROM logs WHERE message LIKE 'cart%' AND pattern_id IN (SELECT pattern_id FROM log_patterns)",
		),
	});
	const once = { tags: [{ tags: { "user.id": "person-20" }, n: 1 }], lines: [{ n: 1 }] };
	await send();
	expect(await stored()).toEqual(once);
	const { body } = await json(PATH, { body: { type: "erase", user_id: "person-20" } });
	await finished(body.request_id);
	expect(await stored()).toEqual({ tags: [], lines: [{ n: 0 }] });
	await send();
	expect(await stored()).toEqual(once);
}, 60_000);

test("only an admin asks, about the project of the key", async () => {
	const refused = await json(PATH, {
		body: { type: "erase", user_id: "x" },
		headers: { Authorization: `Bearer ${viewer}` },
	});
	expect(refused).toMatchObject({ status: 403, body: { required_role: "admin" } });
	expect((await json(PATH, { body: { type: "forget", user_id: "x" } })).body).toMatchObject({
		details: { parameter: "type", valid_options: ["erase", "export"] },
	});
	const { data_requests, total } = dataRequestsAnswer.parse((await json(`${PATH}?type=erase`)).body);
	expect({ total, n: data_requests.length }).toEqual({ total: 2, n: 2 });
	expect((await json(`${PATH}/dr_none`)).status).toBe(404);
	expect((await json(`${PATH}/${data_requests[0]!.request_id}/download`)).status).toBe(404);
});

test("a project keeps less than the server, never more, and answers reach no further", async () => {
	const path = "/v1/monitoring/retention";
	const before = retentionAnswer.parse((await json(path)).body);
	expect(before).toMatchObject({
		own: { logs_days: null },
		server: { logs_days: 90, events_days: 400, rollups_days: 1_826 },
	});
	const longer = await json(path, { method: "PUT", body: { logs_days: 91 } });
	expect(longer).toMatchObject({ status: 400, body: { details: { parameter: "logs_days", provided: 91 } } });
	const upsideDown = await json(path, { method: "PUT", body: { rollups_days: 10 } });
	expect(upsideDown).toMatchObject({ status: 400, body: { details: { parameter: "rollups_days" } } });
	const reads = (start: number) => {
		const from = new Date(Date.now() - start * 86_400_000).toISOString();
		return Promise.all(
			["errors/analysis?", "behavior?", "databases?"].map(
				async (route) => (await server.request(`/v1/monitoring/${route}start=${from}`)).status,
			),
		);
	};
	await json("/v1/ingest/errors?wait=true", {
		body: { error_message: "m", error_type: "E", timestamp: new Date(Date.now() - 80 * 86_400_000).toISOString() },
	});
	expect(await reads(50)).toEqual([200, 200, 200]);
	const set = await json(path, {
		method: "PUT",
		body: { metrics_days: 40, rollups_days: 40, logs_days: 40, events_days: 40 },
	});
	expect(set.status, JSON.stringify(set.body)).toBe(200);
	expect(retentionAnswer.parse(set.body).effective).toEqual({
		metrics_days: 40,
		rollups_days: 40,
		logs_days: 40,
		events_days: 40,
	});
	expect(await reads(50)).toEqual([400, 400, 400]);
	expect(await reads(30)).toEqual([200, 200, 200]);
	const refused = await json(path, { method: "PUT", body: {}, headers: { Authorization: `Bearer ${viewer}` } });
	expect(refused.status).toBe(403);
	await json(path, { method: "PUT", body: {} });
	expect(await reads(50)).toEqual([200, 200, 200]);
});
