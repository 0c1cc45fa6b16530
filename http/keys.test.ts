import { Hono } from "hono";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AuditLog } from "../schema/audit.ts";
import { type ClickHouse, connectClickHouse } from "../schema/clickhouse.ts";
import { startDatabase, type TestDatabase } from "../tests/support/database.ts";
import { createApp } from "./app.ts";
import { createAuth } from "./auth.ts";
import type { AppEnv } from "./env.ts";
import { KEY_DOCS, keyRoutes } from "./key-routes.ts";
import { KeyStore } from "./keys.ts";
import { LocalRateLimiter } from "./rate-limit.ts";

let database: TestDatabase;
let client: ClickHouse;
let now = Date.parse("2026-11-18T15:00:00Z");
const clock = () => now;

beforeAll(async () => {
	database = await startDatabase();
	client = database.client;
});
afterAll(() => database?.stop());

const store = (refresh_ms = 5_000) => new KeyStore({ client, now: clock, refresh_ms });

/** A client that counts what it is asked, in front of the real one. */
function counting(): { client: ClickHouse; queries: () => number } {
	let queries = 0;
	const counted = new Proxy(client, {
		get(target, member) {
			if (member === "query" || member === "answers") queries++;
			const value = Reflect.get(target, member);
			return typeof value === "function" ? value.bind(target) : value;
		},
	});
	return { client: counted, queries: () => queries };
}

test("a key is known by its text, in its project, with its roles, also to another process", async () => {
	const { key, secret } = await store().create({ project: "shop", name: "app", roles: ["ingest"] });
	const principal = { key_id: key.key_id, project: "shop", name: "app", roles: ["ingest"], read_limit: 10_000 };
	expect(await store().verify(secret)).toEqual(principal);
	expect(await store().verify(`${secret}x`)).toBeUndefined();
	expect(await store().verify("")).toBeUndefined();
});

test("the text of a key is stored nowhere", async () => {
	const { secret } = await store().create({ project: "shop", name: "secret", roles: ["admin"] });
	const rows = await (await client.query({ query: "SELECT * FROM definitions", format: "JSONEachRow" })).text();
	expect(rows).toContain('\\"secret\\"');
	expect(rows).not.toContain(secret.slice(10));
});

test("a known key asks ClickHouse nothing, a thousand unknown ones ask once a second", async () => {
	const counted = counting();
	const keys = new KeyStore({ client: counted.client, now: clock });
	const { secret } = await keys.create({ project: "shop", name: "hot", roles: ["ingest"] });
	const before = counted.queries();
	for (let i = 0; i < 1_000; i++) await keys.verify(secret);
	expect(counted.queries()).toBe(before);
	for (let i = 0; i < 1_000; i++) await keys.verify(`tm_guess_${i}`);
	expect(counted.queries()).toBe(before);
	now += 1_001;
	for (let i = 0; i < 1_000; i++) await keys.verify(`tm_guess_${i}`);
	expect(counted.queries()).toBe(before + 1);
});

test("with ClickHouse away known keys still hold, and a process that never read any answers 503", async () => {
	const { secret } = await store().create({ project: "shop", name: "away", roles: ["ingest"] });
	let away = false;
	const broken = connectClickHouse({ url: "http://127.0.0.1:1", database: "tidemark" });
	const switching = new Proxy(client, {
		get(target, member) {
			const from = away ? broken : target;
			const value = Reflect.get(from, member);
			return typeof value === "function" ? value.bind(from) : value;
		},
	});
	const keys = new KeyStore({ client: switching, now: clock });
	expect(await keys.verify(secret)).toBeDefined();
	away = true;
	now += 3_600_000;
	expect(await keys.verify(secret)).toBeDefined();
	expect(await keys.verify("tm_unknown")).toBeUndefined();
	await expect(new KeyStore({ client: broken, now: clock }).verify(secret)).rejects.toMatchObject({ status: 503 });
	await broken.close();
});

test("rotation: the new text holds at once, the old one until the end of its grace", async () => {
	const keys = store();
	const { key, secret } = await keys.create({ project: "shop", name: "rotating", roles: ["ingest"] });
	const rotated = await keys.rotate("shop", key.key_id, 600);
	expect(rotated.key.key_id).toBe(key.key_id);
	expect(await keys.verify(rotated.secret)).toBeDefined();
	expect(await keys.verify(secret)).toBeDefined();
	now += 599_000;
	expect(await store().verify(secret)).toBeDefined();
	now += 2_000;
	expect(await keys.verify(secret)).toBeUndefined();
	expect(await keys.verify(rotated.secret)).toBeDefined();
});

test("revoked and expired keys open nothing, a revocation in another process counts after the refresh", async () => {
	const [here, there] = [store(), store()];
	const a = await here.create({ project: "shop", name: "a", roles: ["ingest"] });
	const b = await here.create({ project: "shop", name: "b", roles: ["ingest"], expires_at: now + 10_000 });
	expect(await there.verify(a.secret)).toBeDefined();
	await here.revoke("shop", a.key.key_id);
	expect(await here.verify(a.secret)).toBeUndefined();
	now += 5_001;
	await there.verify(a.secret);
	await there.refresh();
	expect(await there.verify(a.secret)).toBeUndefined();
	expect(await here.verify(b.secret)).toBeDefined();
	now += 5_000;
	expect(await here.verify(b.secret)).toBeUndefined();
	await expect(here.revoke("shop", b.key.key_id)).rejects.toMatchObject({ status: 404 });
	await expect(here.rotate("other", a.key.key_id, 0)).rejects.toMatchObject({ status: 404 });
});

test("the first start makes one admin key, the next starts none; a set key replaces the one set before", async () => {
	const secret = await store().ensureAdminKey();
	expect(secret).toMatch(/^tm_admin_/);
	expect(await store().ensureAdminKey()).toBeUndefined();
	expect(await store().verify(secret!)).toMatchObject({ project: "default", roles: ["admin"] });
	const keys = store();
	await keys.ensureAdminKey({ adminKey: "sixteen-or-more-1" });
	expect(await keys.verify("sixteen-or-more-1")).toMatchObject({ project: "default", roles: ["admin"] });
	await keys.ensureAdminKey({ adminKey: "sixteen-or-more-2" });
	expect(await keys.verify("sixteen-or-more-1")).toBeUndefined();
	expect(await keys.verify("sixteen-or-more-2")).toBeDefined();
});

test("last use is kept, stored in batches, and never undoes a revocation", async () => {
	const keys = store();
	const { key, secret } = await keys.create({ project: "uses", name: "a", roles: ["ingest"] });
	await keys.verify(secret);
	const used = now;
	expect((await keys.list("uses"))[0]).toMatchObject({ last_used_at: used });
	await keys.revoke("uses", key.key_id);
	await keys.flushUses();
	expect((await store().list("uses"))[0]).toMatchObject({ last_used_at: used, revoked_at: now });
});

test("the routes: roles are asked for, allowances kept, keys administered, and all of it audited", async () => {
	const keys = store();
	const audit = new AuditLog(client, clock);
	const requireRole = createAuth({ keys, limiter: new LocalRateLimiter(clock) });
	const app = createApp({
		version: "0",
		readiness: {},
		metrics: new Registry(),
		docs: KEY_DOCS,
		onRequest: () => undefined,
		onError: (error) => {
			throw error;
		},
	});
	app.route("/", keyRoutes({ keys, audit, requireRole }));
	app.route(
		"/",
		new Hono<AppEnv>()
			.get("/read", requireRole("analytics_viewer"), (c) => c.json(c.get("key")))
			.get("/stream", requireRole("analytics_viewer", { acceptQueryKey: true }), (c) => c.text("data")),
	);
	const call = async (path: string, secret?: string, init: RequestInit = {}) => {
		const headers = { ...(init.headers as object), ...(secret ? { Authorization: `Bearer ${secret}` } : {}) };
		const response = await app.request(path, { ...init, headers });
		const text = await response.text();
		return {
			status: response.status,
			headers: response.headers,
			body: text ? JSON.parse(text.startsWith("{") ? text : '""') : null,
		};
	};
	const admin = (await keys.create({ project: "r", name: "root", roles: ["admin"] })).secret;
	const other = (await keys.create({ project: "s", name: "root", roles: ["admin"] })).secret;

	expect(await call("/read")).toMatchObject({ status: 401, body: { code: 401 } });
	expect(await call("/read", "tm_admin_wrong")).toMatchObject({ status: 401 });
	expect((await app.request("/read", { headers: { "X-API-Key": admin } })).status).toBe(200);
	expect((await app.request(`/read?api_key=${admin}`)).status).toBe(401);
	expect((await app.request(`/stream?api_key=${admin}`)).status).toBe(200);

	const post = (body: object) => ({
		method: "POST",
		body: JSON.stringify(body),
		headers: { "Content-Type": "application/json" },
	});
	const made = await call("/v1/keys", admin, post({ name: "app", roles: ["ingest"] }));
	expect(made.status).toBe(201);
	expect(made.body).toMatchObject({ name: "app", roles: ["ingest"], revoked_at: null });
	expect(await call("/read", made.body.api_key)).toMatchObject({
		status: 403,
		body: { code: 403, required_role: "analytics_viewer", current_permissions: ["ingest"] },
	});
	expect(await call("/v1/keys", made.body.api_key)).toMatchObject({ status: 403, body: { required_role: "admin" } });
	expect(await call("/v1/keys", admin, post({ name: "x", roles: ["root"] }))).toMatchObject({
		status: 400,
		body: { details: { parameter: "roles.0", provided: "root" } },
	});

	const viewer = await call("/v1/keys", admin, post({ name: "v", roles: ["analytics_viewer"], read_limit: 2 }));
	const first = await call("/read", viewer.body.api_key);
	expect([first.status, first.headers.get("ratelimit-limit"), first.headers.get("ratelimit-remaining")]).toEqual([
		200,
		"2",
		"1",
	]);
	await call("/read", viewer.body.api_key);
	const third = await call("/read", viewer.body.api_key);
	expect(third).toMatchObject({ status: 429, body: { code: 429, limit: 2, window: 3_600, retry_after: 1_800 } });
	expect([third.headers.get("retry-after"), third.headers.get("ratelimit-remaining")]).toEqual(["1800", "0"]);

	const id = made.body.key_id;
	expect(await call(`/v1/keys/${id}`, other, { method: "DELETE" })).toMatchObject({ status: 404 });
	expect((await call("/v1/keys", other)).body.keys.map((key: { name: string }) => key.name)).toEqual(["root"]);
	const rotated = await call(`/v1/keys/${id}/rotate`, admin, post({ grace_seconds: 0 }));
	expect(rotated.body.api_key).not.toBe(made.body.api_key);
	expect(await keys.verify(made.body.api_key)).toBeUndefined();
	expect((await call(`/v1/keys/${id}`, admin, { method: "DELETE" })).status).toBe(204);
	expect(await keys.verify(rotated.body.api_key)).toBeUndefined();

	expect(await audit.verify("r")).toEqual({ rows: 4, broken_at: null });
	const actions = await (
		await client.query({
			query: "SELECT action FROM audit_log WHERE project = 'r' ORDER BY seq",
			format: "JSONEachRow",
		})
	).json<{ action: string }>();
	expect(actions.map((row) => row.action)).toEqual(["key.create", "key.create", "key.rotate", "key.revoke"]);
});

test("the audit chain: appends at once keep their order, a changed or missing row is told", async () => {
	const audit = new AuditLog(client, clock);
	await Promise.all(
		Array.from({ length: 10 }, (_, i) =>
			audit.append({ project: "chain", actor: "k", action: "a", target: `t${i}`, detail: { i } }),
		),
	);
	await new AuditLog(client, clock).append({ project: "chain", actor: "system", action: "b", target: "ü" });
	expect(await audit.verify("chain")).toEqual({ rows: 11, broken_at: null });
	await client.command({
		query: "ALTER TABLE audit_log DELETE WHERE project = 'chain' AND seq = 5 SETTINGS mutations_sync = 2",
	});
	expect(await audit.verify("chain")).toMatchObject({ broken_at: 5 });
});
