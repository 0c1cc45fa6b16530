// The audit log of the whole program: no route changes anything unseen, nobody known is turned away unseen, no byte changes unseen.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isChanging } from "../http/changing-calls.ts";
import { KEY_DOCS } from "../http/key-routes.ts";
import { INGEST_DOCS } from "../ingest/index.ts";
import { type ClickHouse, connectClickHouse } from "../schema/clickhouse.ts";
import { QUERY_ROLE_DOCS } from "../serve/query.ts";
import { type Server, startServer, until } from "./server.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const SETTINGS = {
	TIDEMARK_SELF_PROJECT: "off",
	TIDEMARK_COLLECT_INTERVAL: "off",
	TIDEMARK_OUTBOUND_ALLOW: "127.0.0.1",
};
let server: Server;
let client: ClickHouse;
beforeAll(async () => {
	server = await startServer({ env: SETTINGS });
	client = connectClickHouse(JSON.parse(readFileSync(join(server.dataDir, "engine.json"), "utf8")));
});
afterAll(async () => {
	await client?.close();
	await server?.stop();
});

// biome-ignore lint/suspicious/noExplicitAny: answers of any route
type Body = any;
const json = async (path: string, body?: unknown, method?: string): Promise<Body> => {
	const response = await server.request(path, {
		...(body === undefined ? {} : { body }),
		...(method === undefined ? {} : { method }),
	});
	const text = await response.text();
	expect(response.status, `${method ?? ""} ${path}: ${text}`).toBeLessThan(300);
	return text === "" ? undefined : JSON.parse(text);
};
const keyOf = async (roles: string[], more: object = {}) => json("/v1/keys", { name: "k", roles, ...more });
const M = "/v1/monitoring";
const alertBody = {
	name: "a",
	allow_unknown: true,
	// Not evaluated meanwhile: what the test makes burn would be put out.
	interval: "1d",
	conditions: [{ metric: "never.sent", operator: ">", value: 1, timeframe: "5m" }],
};
const makeAlert = async () => (await json(`${M}/alerts`, alertBody)).alert_id as string;
const testBody = () => ({ name: "t", type: "http", url: `${server.url}/livez`, frequency_minutes: 60 });
const makeTest = async () => (await json(`${M}/synthetic-tests`, testBody())).test_id as string;
const made = async (path: string, body: object, id: string) => `${path}/${(await json(path, body))[id]}`;
const silence = () => ({
	matchers: [{ name: "alertname", value: "a" }],
	ends_at: "2099-01-01T00:00:00Z",
	comment: "c",
});
const kpi = { name: "k", calculation: { numerator: "a", denominator: "b" }, target_value: 1 };

const LOAD = { test_id: "l", duration_minutes: 1 };
const EXPORT = { data: ["events"], timeframe: "24h" };
const DESTINATION = { bucket: "bucket", access_key_id: "a", secret_access_key: "s" };
const REPORT = { name: "r", template: "usage_summary" };

/** A call of every route that changes something: what it needs is made, then it is called. A new route needs a line here. */
const CALLS: Record<
	string,
	() => Promise<{ readonly path: string; readonly body?: object; readonly as?: { readonly api_key: string } }>
> = {
	"POST /v1/keys": async () => ({ path: "/v1/keys", body: { name: "n", roles: ["ingest"] } }),
	"POST /v1/keys/{id}/rotate": async () => ({
		path: `/v1/keys/${(await keyOf(["ingest"])).key_id}/rotate`,
		body: { grace_seconds: 0 },
	}),
	"DELETE /v1/keys/{id}": async () => ({ path: `/v1/keys/${(await keyOf(["ingest"])).key_id}` }),
	[`PATCH ${M}/issues/{id}`]: async () => {
		const { issue_ids } = await json("/v1/ingest/errors?wait=true", { error_message: "m", error_type: "E" });
		return { path: `${M}/issues/${issue_ids[0]}`, body: { status: "resolved" } };
	},
	[`POST ${M}/kpis`]: async () => ({ path: `${M}/kpis`, body: kpi }),
	[`PATCH ${M}/kpis/{id}`]: async () => ({
		path: await made(`${M}/kpis`, kpi, "kpi_id"),
		body: { target_value: 2 },
	}),
	[`DELETE ${M}/kpis/{id}`]: async () => ({ path: await made(`${M}/kpis`, kpi, "kpi_id") }),
	[`POST ${M}/alerts`]: async () => ({ path: `${M}/alerts`, body: alertBody }),
	[`PATCH ${M}/alerts/{id}`]: async () => ({ path: `${M}/alerts/${await makeAlert()}`, body: { name: "b" } }),
	[`DELETE ${M}/alerts/{id}`]: async () => ({ path: `${M}/alerts/${await makeAlert()}` }),
	[`POST ${M}/alerts/{id}/acknowledge`]: async () => {
		const alert_id = await makeAlert();
		await burn(alert_id);
		return { path: `${M}/alerts/${alert_id}/acknowledge`, body: { note: "n" } };
	},
	[`POST ${M}/alerts/{id}/test`]: async () => ({ path: `${M}/alerts/${await makeAlert()}/test`, body: {} }),
	[`POST ${M}/synthetic-tests`]: async () => ({ path: `${M}/synthetic-tests`, body: testBody() }),
	[`PATCH ${M}/synthetic-tests/{id}`]: async () => ({
		path: `${M}/synthetic-tests/${await makeTest()}`,
		body: { name: "other" },
	}),
	[`DELETE ${M}/load-tests/{id}`]: async () => ({ path: await made(`${M}/load-tests`, LOAD, "load_test_id") }),
	[`DELETE ${M}/synthetic-tests/{id}`]: async () => ({ path: `${M}/synthetic-tests/${await makeTest()}` }),
	[`POST ${M}/synthetic-tests/{id}/run`]: async () => ({ path: `${M}/synthetic-tests/${await makeTest()}/run` }),
	[`POST ${M}/load-tests`]: async () => ({ path: `${M}/load-tests`, body: LOAD }),
	[`PUT ${M}/notification-channels`]: async () => ({ path: `${M}/notification-channels`, body: { channels: [] } }),
	[`POST ${M}/dashboards`]: async () => ({ path: `${M}/dashboards`, body: { name: "d" } }),
	[`POST ${M}/dashboards/import`]: async () => ({
		path: `${M}/dashboards/import`,
		body: { format: "tidemark.dashboard", version: 1, dashboard: { name: "d" } },
	}),
	[`PATCH ${M}/dashboards/{id}`]: async () => ({
		path: await made(`${M}/dashboards`, { name: "d" }, "dashboard_id"),
		body: { name: "e" },
	}),
	[`DELETE ${M}/dashboards/{id}`]: async () => ({ path: await made(`${M}/dashboards`, { name: "d" }, "dashboard_id") }),
	[`POST ${M}/dashboards/{id}/reset`]: async () => ({ path: `${M}/dashboards/main_dashboard/reset` }),
	[`PUT ${M}/retention`]: async () => ({ path: `${M}/retention`, body: { logs_days: 30 } }),
	[`POST ${M}/exports`]: async () => ({ path: `${M}/exports`, body: EXPORT }),
	[`POST ${M}/exports/{id}/cancel`]: async () => ({
		path: `${await made(`${M}/exports`, EXPORT, "export_id")}/cancel`,
	}),
	[`PUT ${M}/destinations/{name}`]: async () => ({ path: `${M}/destinations/d`, body: DESTINATION }),
	[`DELETE ${M}/destinations/{name}`]: async () => {
		await json(`${M}/destinations/e`, DESTINATION, "PUT");
		return { path: `${M}/destinations/e` };
	},
	[`POST ${M}/data-requests`]: async () => ({
		path: `${M}/data-requests`,
		body: { type: "export", user_id: "nobody" },
	}),
	[`POST ${M}/reports`]: async () => ({ path: `${M}/reports`, body: REPORT }),
	[`DELETE ${M}/reports/{id}`]: async () => ({ path: await made(`${M}/reports`, REPORT, "report_id") }),
	[`POST ${M}/reports/{id}/run`]: async () => ({ path: `${await made(`${M}/reports`, REPORT, "report_id")}/run` }),
	"POST /analytics/reports/custom": async () => ({
		path: "/analytics/reports/custom",
		body: { name: "r", metrics: ["usage.ai_requests"] },
	}),
	[`POST ${M}/compliance/reports`]: async () => ({ path: `${M}/compliance/reports`, body: { standard: "SOX" } }),
	[`POST ${M}/compliance/reports/{id}/attest`]: async () => {
		const path = await made(`${M}/compliance/reports`, { standard: "SOX" }, "report_id");
		return { path: `${path}/attest`, body: {}, as: await keyOf(["compliance_officer"]) };
	},
	[`POST ${M}/compliance/controls/{id}/attest`]: async () => ({
		path: `${M}/compliance/controls/sox.change_approval/attest`,
		body: { statement: "s", valid_until: new Date(Date.now() + 1e9).toISOString() },
		as: await keyOf(["compliance_officer"]),
	}),
	[`POST ${M}/compliance/access-reviews`]: async () => {
		const as = await keyOf(["compliance_officer"]);
		const { active_keys } = await json(`${M}/compliance/access-reviews`);
		const decisions = active_keys.map(({ key_id }: Body) => ({ key_id, decision: "keep" }));
		return { path: `${M}/compliance/access-reviews`, body: { statement: "s", decisions }, as };
	},
	[`POST ${M}/silences`]: async () => ({ path: `${M}/silences`, body: silence() }),
	[`DELETE ${M}/silences/{id}`]: async () => ({ path: await made(`${M}/silences`, silence(), "silence_id") }),
};

/** As the evaluation writes it. */
async function burn(alert_id: string): Promise<void> {
	const standing = JSON.stringify({ state: "firing", since: 1, fired_at: 1, value: 2, threshold: 1 });
	const row = { project: "default", alert_id, instance: "all", version: 1, state: "firing", standing };
	await client.insert({ table: "alert_instances", values: [row], format: "JSONEachRow" });
}

const DOCS = [...KEY_DOCS, ...INGEST_DOCS, ...QUERY_ROLE_DOCS];
const CHANGING = DOCS.filter(isChanging).map(({ method, path }) => `${method.toUpperCase()} ${path}`);

test("every route of the server is among those that are looked at here", async () => {
	const { paths } = await json("/openapi.json");
	const served = Object.entries(paths).flatMap(([path, methods]) =>
		Object.keys(methods as object).flatMap((method) => (method === "get" ? [] : [`${method} ${path}`])),
	);
	const known = DOCS.filter(({ method }) => method !== "get").map(({ method, path }) => `${method} ${path}`);
	expect(served.sort()).toEqual(known.sort());
	expect(Object.keys(CALLS).sort()).toEqual([...CHANGING].sort());
});

describe("a change has its row, with who, what and which request", () => {
	test.each(CHANGING)("%s", async (route) => {
		const { path, body, as } = await CALLS[route]!();
		const [method] = route.split(" ") as [string];
		const id = `audit-${CHANGING.indexOf(route)}`;
		const response = await server.request(path, {
			method,
			...(body ? { body } : {}),
			headers: { "X-Request-Id": id, ...(as && { Authorization: `Bearer ${as.api_key}` }) },
		});
		expect(response.status, `${route}: ${await response.text()}`).toBeLessThan(300);
		const rows = await server.query<Record<string, string>>(
			"SELECT actor, action, target FROM audit_log WHERE project = 'default' AND request_id = {id:String}",
			{ id },
		);
		expect(rows).toEqual([
			{
				actor: expect.stringMatching(/^key_/),
				action: expect.stringMatching(/^\w+\.\w+$/),
				target: expect.any(String),
			},
		]);
	});

	test("and is counted apart from the log, by which a forgotten row is found", async () => {
		const counted = await until(async () => {
			const rows = await server.query<{ route: string }>(
				"SELECT DISTINCT concat(method, ' ', replaceRegexpAll(route, ':(\\\\w+)', '{\\\\1}')) AS route FROM changing_calls",
			);
			return rows.length >= CHANGING.length && rows.map(({ route }) => route);
		});
		expect(counted.sort()).toEqual([...CHANGING].sort());
	});
});

test("who is known and not let in is told: without the role, revoked, expired, rotated; and how often", async () => {
	const viewer = await keyOf(["analytics_viewer"]);
	const revoked = await keyOf(["admin"]);
	const rotated = await keyOf(["admin"]);
	const expired = await keyOf(["admin"], { expires_at: "2020-01-01T00:00:00Z" });
	await json(`/v1/keys/${revoked.key_id}`, undefined, "DELETE");
	await json(`/v1/keys/${rotated.key_id}/rotate`, { grace_seconds: 0 });
	const as = (key: { api_key: string }, path: string, times = 1) =>
		Promise.all(
			Array.from({ length: times }, async () =>
				expect((await fetch(server.url + path, { headers: { "X-API-Key": key.api_key } })).status).toBeGreaterThan(400),
			),
		);
	await as(viewer, "/v1/keys", 20);
	await as(viewer, `${M}/health?explain=true`);
	await as(revoked, "/v1/keys");
	await as(rotated, "/v1/keys");
	await as(expired, "/v1/keys");
	await as({ api_key: "tm_admin_nobody" }, "/v1/keys");
	const denied = await until(async () => {
		const { entries } = await json(`${M}/audit-log?action=access.denied`);
		return entries.length >= 5 && entries;
	});
	const of = (key: { key_id: string }) =>
		denied
			.filter(({ actor }: Body) => actor === key.key_id)
			.map(({ target, detail }: Body) => [target, detail.reason, detail.status])
			.sort();
	expect(of(viewer)).toEqual([
		["GET /v1/keys", "role", 403],
		[`GET ${M}/health`, "role", 403],
	]);
	expect([of(revoked), of(rotated), of(expired)].map(([row]) => row)).toEqual([
		["GET /v1/keys", "revoked", 401],
		["GET /v1/keys", "rotated", 401],
		["GET /v1/keys", "expired", 401],
	]);
});

test("the log is read by role, time, actor and action, in pages, and by nobody else", async () => {
	const officer = await keyOf(["compliance_officer"]);
	const editor = await keyOf(["analytics_editor"]);
	const read = (key: { api_key: string }, query = "") =>
		fetch(`${server.url}${M}/audit-log${query}`, { headers: { "X-API-Key": key.api_key } });
	expect((await read(editor)).status).toBe(403);
	const { entries } = (await (await read(officer, "?limit=1000")).json()) as Body;
	expect(entries.at(-1).seq).toBe(1);
	const paged: Body[] = [];
	for (let cursor: string | null = ""; cursor !== null; ) {
		const page = (await (await read(officer, `?limit=7${cursor && `&cursor=${cursor}`}`)).json()) as Body;
		paged.push(...page.entries);
		cursor = page.next_cursor;
	}
	// What was asked before is not in the way: denials of this very test may have come.
	expect(paged.filter(({ seq }) => seq <= entries[0].seq)).toEqual(entries);
	const filtered = (await (await read(officer, "?action=key.*&limit=1000")).json()) as Body;
	expect(new Set(filtered.entries.map(({ action }: Body) => action))).toEqual(
		new Set(["key.create", "key.rotate", "key.revoke"]),
	);
	const one = entries[3];
	const exact = (await (
		await read(officer, `?start=${one.timestamp}&actor=${one.actor}&target=${one.target}`)
	).json()) as Body;
	expect(exact.entries).toContainEqual(one);
	const before = (await (await read(officer, `?end=${entries.at(-1).timestamp}`)).json()) as Body;
	expect(before.entries).toEqual([]);
	expect((await read(officer, "?action=a%20b")).status).toBe(400);
});

/** `tidemark audit verify` on the folder of the server. */
async function verify(...args: string[]): Promise<{ code: number | null; said: string }> {
	const child = spawn(process.execPath, [MAIN, "audit", "verify", ...args], {
		env: { PATH: process.env.PATH, TIDEMARK_DATA: server.dataDir },
		cwd: server.dataDir,
	});
	let said = "";
	for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
	const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
	return { code, said };
}

test("a worker verifies the chain by itself; the command line does, and tells a changed byte with the place and 1", async () => {
	const { verification } = await until(async () => {
		const answer = await json(`${M}/audit-log?limit=1`);
		return answer.verification !== null && answer;
	});
	expect(verification).toMatchObject({ broken_at: null, reason: null });
	expect(await verify("--project", "default")).toMatchObject({ code: 0, said: expect.stringContaining("holds") });
	await client.command({
		query: "ALTER TABLE audit_log UPDATE detail = replaceOne(detail, 'n', 'N') WHERE project = 'default' AND seq = 2",
		clickhouse_settings: { mutations_sync: "2" },
	});
	const found = await verify();
	expect(found).toMatchObject({ code: 1, said: expect.stringContaining("default: BROKEN at seq 2: changed") });
});
