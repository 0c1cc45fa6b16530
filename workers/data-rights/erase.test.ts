import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TENANT_TABLES } from "../../query/sql.ts";
import { AuditLog } from "../../schema/audit.ts";
import { sha256 } from "../../schema/canonical-json.ts";
import { dataRequests, JOB_KIND_OF, sealWhom } from "../../schema/data-requests.ts";
import { LADDER } from "../../schema/granularity.ts";
import { JobStore } from "../../schema/jobs.ts";
import { RetentionBook } from "../../schema/project-retention.ts";
import { SecretBox } from "../../schema/secret-box.ts";
import { NOT_ABOUT_PEOPLE, SUBJECT_RULES, SUBTRACTIONS } from "../../schema/subject/tables.ts";
import { type DataRequestType, dataCertificate } from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { peopleEvents } from "../../tests/support/people.ts";
import {
	insertErrors,
	insertEvents,
	insertLogs,
	insertProfiles,
	insertSeries,
	type TestEvent,
} from "../../tests/support/records.ts";
import type { JobKind } from "../jobs/job.ts";
import { startJobs } from "../jobs/runner.ts";
import { startRedis } from "../redis.ts";
import { lookAfter } from "../upkeep/upkeep.ts";
import type { ErasureState } from "./erase.ts";
import { dataRightsJobs } from "./jobs.ts";
import { EVERYWHERE, MutationError, mutate, type Place } from "./mutations.ts";

let db: TestDatabase;
const box = new SecretBox(["a secret of the test"]);
const T0 = Date.UTC(2026, 2, 1);
const HOUR = 3_600_000;
/** With what breaks patterns, SQL and JSON. */
const ID = `o'Brien "x" (a+b)\\{1} é/人`;
const NEAR = `${ID}2`;

beforeAll(async () => {
	db = await startDatabase(NO_EXPIRY);
});
afterAll(() => db.stop());

async function rows<T>(sql: string, params: Record<string, unknown> = {}): Promise<T[]> {
	const result = await db.client.query({ query: sql, query_params: params, format: "JSONEachRow" });
	return result.json<T>();
}

/** Asks for it, as the route does. @returns its id */
async function request(
	project: string,
	type: DataRequestType,
	user_id: string,
	{ free_text = null as boolean | null, before_s = 2_000_000_000 } = {},
): Promise<string> {
	const request_id = `dr_${sha256([project, type, user_id]).slice(0, 12)}`;
	await dataRequests(db.client).put(project, request_id, {
		...{ type, sealed: sealWhom({ user_id }, box, project, request_id), free_text, before_s },
		...{ subject_sha256: sha256([request_id, user_id]), requested_by: "key_1", requested_at: 1, expires_at: null },
	});
	return request_id;
}

function rights(place: Place): JobKind[] {
	const audit = new AuditLog(db.client);
	return dataRightsJobs({ ...place, box, audit, storedThrough: async () => Number.POSITIVE_INFINITY });
}

/** Does the job of a request as a worker does, attempt after attempt. @param dies at which checkpoints */
async function run(
	project: string,
	type: DataRequestType,
	user_id: string,
	{
		dies = [],
		free_text = null,
		before_s = 2_000_000_000,
	}: { dies?: number[]; free_text?: boolean | null; before_s?: number } = {},
) {
	const request_id = await request(project, type, user_id, { free_text, before_s });
	const job = rights({ client: db.client, database: "tidemark" }).find(({ kind }) => kind === JOB_KIND_OF[type])!;
	let state: unknown;
	for (let attempt = 1; ; attempt++) {
		let checkpoints = 0;
		try {
			const signal = new AbortController().signal;
			const end = await job.run({
				...{ project, job_id: request_id, input: {}, state, attempt, signal, progress: () => undefined },
				async checkpoint(reached) {
					if (dies[attempt - 1] === checkpoints++) throw new Error("killed");
					state = JSON.parse(JSON.stringify(reached));
				},
			});
			return { request_id, certificate: dataCertificate.parse((end as { certificate: unknown }).certificate) };
		} catch (error) {
			if ((error as Error).message !== "killed") throw error;
		}
	}
}

/** Tables that hold a text, in whatever column. */
async function tablesWith(text: string, project?: string): Promise<string[]> {
	const columns = await rows<{ table: string; name: string; type: string }>(
		`SELECT table, name, type FROM system.columns WHERE database = 'tidemark' AND table NOT LIKE '%_view'
			AND type LIKE '%String%' AND type NOT LIKE 'AggregateFunction%' AND table NOT IN ('schema_migrations', 'erasure_subjects')`,
	);
	const found = new Set<string>();
	const json = JSON.stringify(text).slice(1, -1);
	for (const table of new Set(columns.map((column) => column.table))) {
		const own = columns.filter((column) => column.table === table);
		const texts = own.map(({ name }) => `toString(${name})`).join(", '\\n', ");
		const scope = project === undefined ? "1" : "project = {project:String}";
		const [row] = await rows<{ n: string }>(
			`SELECT count() AS n FROM ${table} WHERE ${scope} AND multiSearchAny(concat(${texts}, ''), [{text:String}, {json:String}, {map:String}])`,
			{ text, json, map: text.replace(/[\\']/g, "\\$&"), project },
		);
		if (row!.n !== "0") found.add(table);
	}
	return [...found].sort();
}

const COUNTED = "sum(n) AS s, sum(failed) AS f, round(sum(sum), 6) AS total";

/** What everybody else's numbers are made of, without what says when it was stored. */
async function sums(project: string): Promise<Record<string, unknown>> {
	const answer: Record<string, unknown> = {};
	const tables: Record<string, [keys: string, values: string]> = {
		event_counts_15m: ["event, bucket", "sum(n) AS s, sum(identified) AS i"],
		feature_uses_15m: ["feature, bucket, person", "sum(n) AS s, min(first) AS f"],
		session_hours: [
			"hour, session, person",
			"sum(n) AS s, sum(chats) AS c, sum(inferences) AS i, min(first) AS f, max(last) AS l",
		],
		user_days: ["day, person", "groupBitOr(quarters) AS q, min(first) AS f, max(country) AS c"],
		identities: ["anonymous", "min(first) AS f"],
		log_counts_1m: ["level, component, bucket", "sum(n) AS s"],
		events: ["event, ts, user_id, session_id", "count() AS s"],
		...Object.fromEntries(
			LADDER.flatMap(({ sketch, sketch_total }) => [
				[sketch, ["name, component, bucket", COUNTED]],
				...(sketch_total ? [[sketch_total, ["name, bucket", COUNTED]]] : []),
			]),
		),
	};
	for (const [table, [keys, values]] of Object.entries(tables)) {
		const alive = values.includes("sum(n)") ? "HAVING sum(n) != 0" : "";
		answer[table] = await rows(
			`SELECT ${keys}, ${values} FROM ${table} WHERE project = {project:String} GROUP BY ${keys} ${alive} ORDER BY ${keys}`,
			{ project },
		);
	}
	return answer;
}

test("an erased person is in no table and no sum, begun again wherever it stopped; namesakes and others are untouched", async () => {
	const events = peopleEvents({ from: T0, to: T0 + 5 * 24 * HOUR, visits: 60, users: 12, sessions: true, seed: 5 });
	const anons = new Set<unknown>(
		events.flatMap(({ user_id, properties: { anonymous_id } = {} }) =>
			user_id === "user 3" && anonymous_id !== undefined ? [anonymous_id] : [],
		),
	);
	const theirs = ({ user_id, properties }: TestEvent) =>
		user_id === undefined ? anons.has(properties?.anonymous_id) : user_id === "user 3" || anons.has(user_id);
	expect(events.filter(theirs).length).toBeGreaterThan(10);
	await insertEvents(db.client, "all", events);
	await insertEvents(
		db.client,
		"others",
		events.filter((event) => !theirs(event)),
	);
	await insertEvents(db.client, "namesake", events);
	const series = ["user 3", "user 4"].flatMap((user_id, i) =>
		["200", "503"].map((code) => ({
			...{ name: "http.server.request.duration", kind: "distribution" as const },
			tags: { user_id, component: "api", "http.response.status_code": code },
			points: Array.from({ length: 50 }, (_, k): [number, number] => [T0 + k * HOUR, 0.1 * (k + i + 1)]),
		})),
	);
	for (const project of ["all", "namesake"]) await insertSeries(db.client, project, series);
	await insertSeries(db.client, "others", series.slice(2));
	const before = await sums("namesake");

	const { certificate, request_id } = await run("all", "erase", "user 3", { dies: [0, 2, 6] });

	expect(await sums("all")).toEqual(await sums("others"));
	expect(await sums("namesake")).toEqual(before);
	expect(await tablesWith("user 3", "all")).toEqual([]);
	for (const id of anons) expect(await tablesWith(String(id), "all")).toEqual([]);
	expect(certificate.ids).toBe(anons.size + 1);
	expect(certificate.tables.every(({ rows_left }) => rows_left === 0)).toBe(true);
	const deleted = certificate.tables.find(({ table, action }) => table === "events" && action === "delete")!;
	expect(deleted.rows_found).toBe(events.filter(theirs).length);
	const { sha256: hash, key_id, signature, ...said } = certificate;
	expect(sha256(said)).toBe(hash);
	expect(box.signer.verify(hash, { key_id, signature })).toBe(true);
	expect(certificate.subject_sha256).toBe(sha256([request_id, "user 3"]));
	const audited = await rows<{ detail: string }>(
		"SELECT detail FROM audit_log WHERE project = 'all' AND action = 'data.erase'",
	);
	expect(audited.map(({ detail }) => JSON.parse(detail).certificate_sha256)).toEqual([hash]);
	expect(await rows("SELECT 1 FROM erasure_subjects")).toEqual([]);
});

test("every table with texts is looked through: ids in maps, JSON and messages go, a longer id stays", async () => {
	const of = async (project: string) => {
		await insertEvents(db.client, project, [
			{ event: "a", ts: T0, user_id: ID, session_id: "s1", account_id: "acme", properties: { plan: "pro" } },
			{
				event: "a",
				ts: T0,
				user_id: "w",
				properties: {
					invited_by: ID,
					note: `with ${ID}, twice ${ID}`,
					plan: "pro",
					[`scores.${ID.replaceAll(".", "")}`]: 3,
				},
			},
			{ event: "a", ts: T0, user_id: NEAR, account_id: NEAR, properties: { invited_by: NEAR, note: `with ${NEAR}.` } },
			{ event: "subscription.started", ts: T0, account_id: ID, properties: { plan: "pro", amount: 5 } },
			{ event: "model_inference_completed", ts: T0, user_id: ID, properties: { model: "m", latency_ms: 4 } },
		]);
		await insertLogs(db.client, project, [
			{ ts: T0, message: `signed in: ${ID}.`, component: "api" },
			{ ts: T0, message: "by its context", context: { user: { id: ID } }, component: "api" },
			{ ts: T0, message: `signed in: ${NEAR}.`, context: { user_id: NEAR }, component: "api" },
		]);
		await insertErrors(db.client, project, [
			{ ts: T0, error_type: "E", user_id: ID, issue_id: "7", message: `no ${ID}` },
			{ ts: T0, error_type: "E", user_id: "w", issue_id: "8", context: { from: [ID] } },
			{ ts: T0, error_type: "E", user_id: NEAR, issue_id: "8", message: `no ${NEAR}` },
		]);
		await insertSeries(db.client, project, [
			{ name: "cpu", tags: { user_id: ID }, points: [[T0, 1]] },
			{ name: "cpu", tags: { user_id: NEAR }, points: [[T0, 1]] },
		]);
		await insertProfiles(db.client, project, [{ ts: T0, operation: "op", wall_ns: 1 }]);
		await db.client.command({
			query: `INSERT INTO profiles (project, ts, id, operation, wall_ns, user_id) VALUES ('${project}', '2026-03-01 00:00:00', 9, 'op', 1, {id:String})`,
			query_params: { id: ID },
		});
		for (const id of [ID, NEAR]) {
			await db.client.insert({
				table: "quarantine",
				format: "JSONEachRow",
				values: [
					{
						project,
						received: "2026-03-01 00:00:00",
						target: "events",
						segment: "1",
						code: 1,
						reason: "r",
						record: JSON.stringify({ user_id: id }),
					},
				],
			});
			await db.client.insert({
				table: "requests",
				format: "JSONEachRow",
				values: [
					{ project, key: `k ${id}`, body_hash: 1, answer: "{}", received: new Date().toISOString().slice(0, 19) },
				],
			});
			await db.client.insert({
				table: "alert_instances",
				format: "JSONEachRow",
				values: [
					{ project, alert_id: "a", instance: JSON.stringify({ user_id: id }), version: 1, labels: { user_id: id } },
				],
			});
		}
	};
	await of("p");
	await of("q");
	const near = await tablesWith(NEAR, "p");
	const other = await tablesWith(ID, "q");
	expect(other).toEqual(
		expect.arrayContaining([
			"alert_instances",
			"billing_records",
			"errors",
			"events",
			"issues",
			"logs",
			"profiles",
			"quarantine",
			"requests",
			"series",
			"subscription_records",
		]),
	);

	const handed = await run("p", "export", ID);
	const { certificate } = await run("p", "erase", ID);

	expect((await tablesWith(ID, "p")).filter((table) => !near.includes(table))).toEqual([]);
	for (const table of near) {
		const whole = await rows(`SELECT * FROM ${table} WHERE project = 'p'`);
		expect(
			JSON.stringify(whole)
				.replaceAll(JSON.stringify(NEAR).slice(1, -1), "")
				.replaceAll(JSON.stringify(JSON.stringify(NEAR).slice(1, -1)).slice(1, -1), ""),
		).not.toContain("Brien");
	}
	expect(await tablesWith(NEAR, "p")).toEqual(near);
	expect(await tablesWith(ID, "q")).toEqual(other);
	const left = Object.fromEntries(
		certificate.tables.map(({ table, action, rows_found }) => [`${table} ${action}`, rows_found]),
	);
	expect(left).toMatchObject({
		...{
			"events delete": 3,
			"events redact": 1,
			"logs delete": 2,
			"errors delete": 2,
			"series delete": 1,
			"points delete": 1,
		},
		...{
			"rollup_1d delete": 1,
			"billing_records delete": 1,
			"subscription_records delete": 1,
			"model_calls redact": 1,
			"quarantine delete": 1,
			"requests delete": 1,
		},
		...{ "alert_instances delete": 1, "profiles delete": 1, "issues delete": 1 },
	});
	expect(await rows("SELECT event, strings, account_id FROM events WHERE project = 'p' AND user_id = 'w'")).toEqual([
		{ event: "a", strings: { plan: "pro" }, account_id: "" },
	]);
	expect(handed.certificate.tables).toEqual(
		expect.arrayContaining([
			{ table: "events", action: "export", rows_found: 3, rows_left: null },
			{ table: "logs", action: "export", rows_found: 2, rows_left: null },
		]),
	);
});

test("what the person sends after the request stays, and is counted", async () => {
	const at = 1_900_000_000;
	await insertEvents(db.client, "again", [
		{ event: "feature.used", ts: T0, user_id: "user-77", session_id: "s", properties: { feature: "f" } },
	]);
	const late = {
		project: "again",
		event: "feature.used",
		ts: "2026-03-01 00:01:00",
		event_id: "l",
		user_id: "user-77",
		account_id: "",
		session_id: "s",
		strings: { feature: "f" },
		numbers: {},
	};
	await db.client.insert({
		table: "events",
		values: [{ ...late, id: String(BigInt(at) << 32n) }],
		format: "JSONEachRow",
	});
	await run("again", "erase", "user-77", { before_s: at });
	expect(await rows("SELECT event_id FROM events WHERE project = 'again'")).toEqual([{ event_id: "l" }]);
	for (const table of ["event_counts_15m", "feature_uses_15m", "session_hours"]) {
		expect(await rows(`SELECT sum(n) AS n FROM ${table} WHERE project = 'again'`)).toEqual([{ n: "1" }]);
	}
	expect(await rows("SELECT uniq(person) AS n FROM user_days WHERE project = 'again'")).toEqual([{ n: "1" }]);
});

test("erasures that find the same rows take them out of the sums once, also when the first dies in between", async () => {
	const events: TestEvent[] = ["user-1", "user-2", "user-3"].map((user_id, i) => ({
		...{ event: "feature.used", ts: T0 + i, user_id, session_id: "s", properties: { feature: "f" } },
	}));
	const both = { ts: T0, message: "user-1 invited user-2", component: "api" };
	await insertEvents(db.client, "line", events);
	await insertLogs(db.client, "line", [both, { ts: T0, message: "up", component: "api" }]);
	await insertEvents(db.client, "line others", events.slice(2));
	await insertLogs(db.client, "line others", [{ ts: T0, message: "up", component: "api" }]);

	const order: string[] = [];
	const [erasure] = rights({ client: db.client, database: "tidemark" });
	const store = new JobStore(db.client);
	const ask = async (user_id: string) => {
		const job_id = await request("line", "erase", user_id);
		await store.create({ project: "line", kind: "erasure", job_id, input: {} });
		return job_id;
	};
	const dying = await ask("user-1");
	let isDead = () => {};
	const dead = new Promise<void>((resolve) => {
		isDead = resolve;
	});
	const run: JobKind["run"] = (context) => {
		order.push(context.job_id);
		return erasure!.run({
			...context,
			async checkpoint(state) {
				await context.checkpoint(state);
				const { reached } = state as { reached: ErasureState | null };
				if (order.length > 1 || reached?.subtracted.length !== SUBTRACTIONS.length) return;
				isDead();
				throw new Error("killed");
			},
		});
	};
	const folder = mkdtempSync(join(tmpdir(), "tidemark-erase-"));
	const logger = pino({ level: "silent" });
	const redis = await startRedis({ dataDir: folder, logger });
	const workers = [1, 2].map(() =>
		startJobs({ clickhouse: db.client, redisUrl: redis.url, logger, jobs: [{ ...erasure!, run }], tick_ms: 100 }),
	);
	try {
		await dead;
		const other = await ask("user-2");
		const isOver = async () => (await store.open(["erasure"])).length === 0;
		for (const deadline = Date.now() + 60_000; !(await isOver()); await sleep(100)) {
			if (Date.now() > deadline) throw new Error("the erasures did not end");
		}
		expect(order).toEqual([dying, dying, other]);
		for (const { status, job_id } of await store.list("line", { kind: "erasure" })) {
			expect([job_id, status]).toEqual([job_id, "completed"]);
		}
	} finally {
		await Promise.all(workers.map((worker) => worker.close()));
		await redis.stop();
		rmSync(folder, { recursive: true, force: true });
	}
	expect(await sums("line")).toEqual(await sums("line others"));
	expect(await rows("SELECT 1 FROM erasure_subjects")).toEqual([]);
});

test("a mutation of others is neither waited out as one's own nor killed", async () => {
	const place = { client: db.client, database: "tidemark" };
	await insertProfiles(db.client, "theirs", [{ ts: T0, operation: "op", wall_ns: 1 }]);
	await db.client.command({
		query: "ALTER TABLE profiles DELETE WHERE throwIf(project = 'theirs') = 1",
		clickhouse_settings: { mutations_sync: "0" },
	});
	// It cannot be done before theirs.
	await expect(mutate(place, "profiles", "DELETE", "project = 'nobody'")).rejects.toThrow(MutationError);
	const open = "table = 'profiles' AND NOT is_done";
	const commands = await rows<{ command: string }>(`SELECT command FROM system.mutations WHERE ${open}`);
	expect(commands.map(({ command }) => command)).toEqual([expect.stringContaining("throwIf")]);
	await db.client.command({ query: `KILL MUTATION WHERE ${open}` });
	await mutate(place, "profiles", "DELETE", "project = 'theirs'");
	expect(await rows("SELECT 1 FROM profiles WHERE project = 'theirs'")).toEqual([]);
});

test("whom a request was about is in no version of it once it is over, also when its forgetting died half-way", async () => {
	const place = { client: db.client, database: "tidemark" };
	const requests = dataRequests(db.client);
	const stored = (id: string) =>
		rows<{ body: string }>("SELECT body FROM definitions WHERE kind = 'data_request' AND id = {id:String}", { id });
	const sealed = async (id: string) => (await stored(id)).filter(({ body }) => !body.includes('"sealed":null')).length;
	const [over, open, died] = ["o", "w", "d"].map((user_id) => request("forgets", "export", user_id));
	for (const [id, expires_at] of [
		[await over!, 5] as const,
		[await open!, 2_000] as const,
		[await died!, 5] as const,
	]) {
		await requests.put("forgets", id, { ...(await requests.get("forgets", id))!.body, expires_at });
	}
	const half = (await requests.get("forgets", await died!))!.body;
	await requests.put("forgets", await died!, { ...half, sealed: null });
	const book = new RetentionBook(db.client);
	await lookAfter({ ...place, book, now: () => 1_000 });
	expect([await sealed(await over!), (await sealed(await open!)) > 0, await sealed(await died!)]).toEqual([0, true, 0]);
	expect((await requests.get("forgets", await over!))!.body.sealed).toBeNull();
	expect((await requests.get("forgets", await open!))!.body.sealed).not.toBeNull();
});

test("every column that could tell of a person is in the list of an erasure, or has its reason not to be", async () => {
	const columns = await rows<{ table: string; name: string }>(
		`SELECT DISTINCT table, name FROM system.columns WHERE database = 'tidemark' AND table NOT LIKE '%_view'
			AND (type LIKE '%String%' AND type NOT LIKE 'LowCardinality(String)' OR name IN ('person', 'anonymous', 'session'))
			AND name NOT IN ('project')`,
	);
	const ruled = new Set(SUBJECT_RULES.map(({ table }) => table));
	const tables = new Set([...columns.map(({ table }) => table), ...TENANT_TABLES]);
	expect([...tables].filter((table) => !ruled.has(table) && NOT_ABOUT_PEOPLE[table] === undefined)).toEqual([]);
	expect([...ruled, ...Object.keys(NOT_ABOUT_PEOPLE)].filter((table) => !tables.has(table))).toEqual([]);
	for (const { table, keys, sums: added, neutral = {} } of SUBTRACTIONS) {
		const names = await rows<{ name: string }>(
			`SELECT name FROM system.columns WHERE database = 'tidemark' AND table = '${table}'`,
		);
		// Extremes and sketches cannot be taken anything out of.
		const kept = ["country", "quantiles", ...(table.startsWith("sketch_") ? ["max"] : [])];
		expect([...Object.keys(keys), ...Object.keys(added), ...Object.keys(neutral), "project"].sort()).toEqual(
			names
				.map(({ name }) => name)
				.filter((name) => !kept.includes(name))
				.sort(),
		);
	}
});

test("tables that every node holds whole are known as such", () => {
	const folder = new URL("../../schema/migrations/", import.meta.url);
	const named = readdirSync(folder).flatMap((file) =>
		[
			...readFileSync(new URL(file, folder), "utf8").matchAll(/CREATE TABLE IF NOT EXISTS \{\{everywhere:(\w+)\}\}/g),
		].map(([, table]) => table),
	);
	expect(named.filter((table) => !EVERYWHERE.has(table!))).toEqual([]);
});
