import { Hono } from "hono";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createAuth } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { errorHandler } from "../../../http/errors.ts";
import { KeyStore } from "../../../http/keys.ts";
import { LocalRateLimiter } from "../../../http/rate-limit.ts";
import type { Role } from "../../../http/roles.ts";
import { acknowledgeToken } from "../../../schema/acknowledge-link.ts";
import { AuditLog } from "../../../schema/audit.ts";
import { Definitions } from "../../../schema/definitions.ts";
import { openSecrets } from "../../../schema/sealed-notifications.ts";
import { SecretBox } from "../../../schema/secret-box.ts";
import { alertRule, notificationsAnswer, silenceAnswer, storedNotifications } from "../../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { AlertStore } from "../../../workers/alerts/store.ts";
import { firingId } from "../../measures/alerting/names.ts";
import { Queries } from "../../run.ts";
import { acknowledgeRoutes } from "./acknowledge.ts";
import { channelRoutes } from "./channels.ts";
import { silenceRoutes } from "./silences.ts";

const NOW = Date.parse("2026-03-02T10:00:00Z");
const CHANNELS = "/v1/monitoring/notification-channels";
const SILENCES = "/v1/monitoring/silences";
const box = new SecretBox(["a key of the tests"]);

let database: TestDatabase;
let app: Hono<AppEnv>;
const keys = new Map<string, string>();

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const { client } = database;
	const store = new KeyStore({ client });
	for (const project of ["a", "b"]) {
		for (const role of ["analytics_viewer", "analytics_editor", "admin"] as const)
			keys.set(`${project} ${role}`, (await store.create({ project, name: role, roles: [role] })).secret);
	}
	const requireRole = createAuth({ keys: store, limiter: new LocalRateLimiter() });
	const queries = new Queries({ client, secondLock: false });
	const deps = { client, queries, audit: new AuditLog(client), requireRole, box, now: () => NOW };
	app = new Hono<AppEnv>()
		.onError(errorHandler((error) => console.error(error)))
		.route("/", channelRoutes(deps))
		.route("/", silenceRoutes(deps))
		.route("/", acknowledgeRoutes(deps));
});
afterAll(() => database.stop());

// biome-ignore lint/suspicious/noExplicitAny: any route's answer
type Answer = { status: number; body: any };
async function ask(method: string, path: string, body?: unknown, project = "a", role: Role = "admin"): Promise<Answer> {
	const response = await app.request(path, {
		method,
		headers: { "X-API-Key": keys.get(`${project} ${role}`)!, "Content-Type": "application/json" },
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});
	const text = await response.text();
	return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

async function auditOf(project: string): Promise<string> {
	const result = await database.client.query({
		query: "SELECT action, target, detail FROM audit_log WHERE project = {project:String} ORDER BY seq",
		query_params: { project },
		format: "JSONEachRow",
	});
	return JSON.stringify(await result.json());
}

it("takes the document's channels as they are written, and answers none of their secrets", async () => {
	const channels = [
		{
			type: "pagerduty",
			integration_key: "your-pagerduty-key",
			severity_mapping: { critical: "error", high: "warning", medium: "info" },
		},
		{ type: "teams", webhook_url: "https://outlook.office.com/webhook/very-secret", format: "adaptive_card" },
	];
	const { status, body } = await ask("PUT", CHANNELS, { channels });
	expect(status).toBe(200);
	expect(notificationsAnswer.parse(body)).toEqual(body);
	expect(body.channels).toEqual([
		{ ...channels[0], name: "pagerduty", default: true, integration_key: "***" },
		{ ...channels[1], name: "teams", default: true, webhook_url: "https://outlook.office.com/***" },
	]);
	expect(body.warnings).toEqual([expect.stringContaining("Workflows")]);
	expect(body.signing_secret).toMatch(/^whsec_/);
	const again = await ask("GET", CHANNELS);
	expect(again.body).toEqual({ ...body, signing_secret: "***" });
	const stored = await (
		await database.client.query({ query: "SELECT body FROM definitions", format: "JSONEachRow" })
	).text();
	for (const text of [stored, await auditOf("a")]) {
		expect(text).not.toContain("your-pagerduty-key");
		expect(text).not.toContain("very-secret");
	}
	expect(await auditOf("a")).toContain("notification_channels.update");
});

it("keeps a secret that is sent back masked, and refuses a mask that stands for nothing", async () => {
	const url = "https://example.org/secret-path";
	const channels = [{ type: "webhook", name: "hook", url, headers: { Authorization: "Bearer t" } }];
	await ask("PUT", CHANNELS, { channels }, "b");
	const before = (await ask("GET", CHANNELS, undefined, "b")).body;
	const { channels: masked, contacts } = before;
	expect((await ask("PUT", CHANNELS, { channels: masked, contacts }, "b")).status).toBe(200);
	const definitions = new Definitions(database.client, "notification_channels", storedNotifications);
	const stored = (await definitions.get("b", "channels"))!.body;
	expect(openSecrets(stored.channels[0]!, box, "b")).toMatchObject({ url, headers: { Authorization: "Bearer t" } });
	const renamed = await ask("PUT", CHANNELS, { channels: [{ ...masked[0], name: "other" }] }, "b");
	expect(renamed.status).toBe(400);
	expect(renamed.body.details.parameter).toBe("channels.other.url");
});

it("secrets of a channel stay with the origin that they were given for", async () => {
	const url = "https://example.org/secret-path";
	const channels = [
		{ type: "webhook", name: "hook", url, headers: { Authorization: "Bearer t" } },
		{ type: "pagerduty", name: "pd", integration_key: "pd-key" },
		{ type: "slack", name: "chat", webhook_url: url },
	];
	await ask("PUT", CHANNELS, { channels }, "b");
	const masked = (await ask("GET", CHANNELS, undefined, "b")).body.channels;
	const put = (changed: object) => ask("PUT", CHANNELS, { channels: [changed] }, "b");
	for (const [changed, parameter] of [
		[{ ...masked[0], url: "https://mine.example/" }, "channels.hook.url"],
		[{ ...masked[0], url: "https://mine.example/***" }, "channels.hook.url"],
		[{ ...masked[1], url: "https://mine.example/" }, "channels.pd.url"],
		[{ ...masked[2], webhook_url: "https://mine.example/***" }, "channels.chat.webhook_url"],
	]) {
		const { status, body } = await put(changed);
		expect([status, body.details?.parameter]).toEqual([400, parameter]);
	}
	expect((await put({ ...masked[0], url: "https://example.org/other-path" })).status).toBe(200);
	const elsewhere = { ...masked[0], url: "https://mine.example/", headers: { Authorization: "Bearer mine" } };
	expect((await put(elsewhere)).status).toBe(200);
});

it.each([
	["a type that there is none", { channels: [{ type: "pigeon" }] }, "channels.0.type"],
	["an address that is none", { channels: [{ type: "slack", webhook_url: "x" }] }, "channels.0.webhook_url"],
	[
		"two of one name",
		{ channels: [1, 2].map(() => ({ type: "email", name: "m", recipients: ["a@example.org"] })) },
		"channels.1.name",
	],
	[
		"a contact of a channel that is not there",
		{ channels: [], contacts: { x: { channels: ["y"] } } },
		"contacts.x.channels",
	],
	["a contact of nothing", { channels: [], contacts: { x: {} } }, "contacts.x"],
	["no channels", {}, "channels"],
])("refuses %s by its name", async (_, body, parameter) => {
	const answer = await ask("PUT", CHANNELS, body);
	expect(answer.status).toBe(400);
	expect(answer.body.details.parameter).toBe(parameter);
});

it("lets administrators configure channels, editors silence, viewers look, and nobody into another project", async () => {
	expect((await ask("GET", CHANNELS, undefined, "a", "analytics_editor")).status).toBe(403);
	expect((await ask("PUT", CHANNELS, { channels: [] }, "a", "analytics_editor")).status).toBe(403);
	const body = { matchers: [{ name: "host", value: "x" }], ends_at: "2026-03-02T11:00:00Z" };
	expect((await ask("POST", SILENCES, body, "a", "analytics_viewer")).status).toBe(403);
	const made = await ask("POST", SILENCES, body, "a", "analytics_editor");
	expect(made.status).toBe(201);
	expect(silenceAnswer.parse(made.body)).toEqual(made.body);
	expect(made.body).toMatchObject({
		state: "active",
		silent_now: true,
		starts_at: "2026-03-02T10:00:00.000Z",
		recurrence: null,
	});
	const id = made.body.silence_id;
	expect((await ask("GET", SILENCES, undefined, "b", "analytics_viewer")).body.silences).toEqual([]);
	expect((await ask("DELETE", `${SILENCES}/${id}`, undefined, "b", "analytics_editor")).status).toBe(404);
	expect((await ask("GET", `${SILENCES}?state=active`, undefined, "a", "analytics_viewer")).body.total).toBe(1);
	expect((await ask("DELETE", `${SILENCES}/${id}`, undefined, "a", "analytics_editor")).status).toBe(204);
	expect((await ask("DELETE", `${SILENCES}/${id}`, undefined, "a", "analytics_editor")).status).toBe(404);
	expect((await ask("GET", SILENCES)).body.silences).toEqual([]);
	expect(await auditOf("a")).toMatch(/silence\.create.*silence\.delete/);
});

it.each([
	["without an end", { matchers: [{ name: "a", value: "b" }] }, "ends_at"],
	["that is over", { matchers: [{ name: "a", value: "b" }], ends_at: "2026-03-02T09:00:00Z" }, "ends_at"],
	["of everything", { matchers: [], ends_at: "2026-03-03T00:00:00Z" }, "matchers"],
	[
		"by a regular expression that looks around",
		{ matchers: [{ name: "a", operator: "=~", value: "a(?=b)" }], ends_at: "2026-03-03T00:00:00Z" },
		"matchers.0.value",
	],
	[
		"in a zone that there is none",
		{
			matchers: [{ name: "a", value: "b" }],
			ends_at: "2026-03-03T00:00:00Z",
			recurrence: { from: "01:00", to: "02:00", timezone: "Mars/Base" },
		},
		"recurrence.timezone",
	],
])("refuses a silence %s", async (_, body, parameter) => {
	const answer = await ask("POST", SILENCES, body);
	expect(answer.status).toBe(400);
	expect(answer.body.details.parameter).toBe(parameter);
});

it("acknowledges by a link only when its button is pressed, and only what the link is for", async () => {
	const { client } = database;
	const conditions = [{ metric: "cpu", operator: ">", value: 1, timeframe: "5m" }];
	const rule = alertRule.parse({ name: "<script>alert(1)</script>", conditions, group_by: ["host"] });
	await new Definitions(client, "alert", alertRule).put("a", "alert_1", rule);
	const standing = {
		...{
			state: "firing" as const,
			since: NOW,
			breach_since: NOW,
			clear_since: null,
			unknown_since: null,
			fired_at: NOW,
		},
		...{ value: 2, threshold: 1 },
	} as const;
	const instance = (name: string) => ({
		...{ instance: name, labelSet: JSON.stringify([name]), labels: { host: name }, standing, evaluated_at: NOW },
		...{ recent: "b", metric: "cpu", operator: ">", message: "", severity: "high" as const },
	});
	const progress = { evaluated_at: NOW, watching: "", rule_version: 1, error: "" };
	const change = {
		project: "a",
		alert_id: "alert_1",
		after: 0,
		progress,
		instances: [instance("x"), instance("y")],
		gone: [],
		history: [],
	};
	await new AlertStore(client, () => NOW).save([change]);
	const firing_ids = [firingId("a", "alert_1", "x", NOW)];
	const link = { project: "a", alert_id: "alert_1", firing_ids, expires_at: NOW + 1 };
	const page = async (method: string, given = acknowledgeToken(link, box)) => {
		const response = await app.request(`/acknowledge/${given}`, { method });
		return {
			status: response.status,
			text: await response.text(),
			csp: response.headers.get("content-security-policy"),
		};
	};
	const acknowledged = async () => {
		const query = "SELECT firing_id, actor FROM alert_transitions WHERE kind = 'acknowledge'";
		return (await client.query({ query, format: "JSONEachRow" })).json();
	};
	const looked = await page("GET");
	expect(looked).toMatchObject({ status: 200, csp: expect.stringContaining("default-src 'none'") });
	expect(looked.text).toContain("<button");
	expect(looked.text).not.toContain("<script>");
	expect(await acknowledged()).toEqual([]);
	expect((await page("POST")).text).toContain("Acknowledged.");
	expect(await acknowledged()).toEqual([{ firing_id: firing_ids[0], actor: "link" }]);
	expect((await page("POST")).status).toBe(200);
	expect(await acknowledged()).toHaveLength(1);
	expect((await page("GET")).text).not.toContain("<button");
	expect((await page("POST", acknowledgeToken({ ...link, expires_at: NOW }, box))).status).toBe(410);
	expect((await page("POST", `${acknowledgeToken(link, box)}x`)).status).toBe(404);
	expect(await auditOf("a")).toContain("alert.acknowledge");
});

it("shows a channel as failing from the first message that it did not take until one arrives, and to its own project only", async () => {
	const channels = [
		{ type: "pagerduty", name: "pager", integration_key: "k" },
		{ type: "email", name: "team", recipients: ["a@example.org"] },
	];
	await ask("PUT", CHANNELS, { channels });
	await ask("PUT", CHANNELS, { channels }, "b");
	const attempt = (at: string, channel: string, outcome: string, detail = "") =>
		database.client.insert({
			table: "alert_delivery_attempts",
			values: [
				{
					...{ project: "a", message_id: `${at} ${channel}`, attempt: 1, version: 1, alert_id: "alert_1", channel },
					...{ outcome, detail, started_at: `2026-03-02 ${at}:00.000` },
				},
			],
			format: "JSONEachRow",
		});
	await attempt("08:00", "pager", "failed", "answered 400");
	await attempt("08:05", "pager", "sent");
	await attempt("09:00", "pager", "retry", "answered 500");
	await attempt("09:05", "pager", "failed", "answered 410");
	await attempt("09:06", "slack 1 of the rule", "failed", "answered 404");
	await attempt("09:07", "gone", "failed", "answered 404");
	await attempt("09:08", "team", "sending");
	const { body } = await ask("GET", CHANNELS);
	expect(notificationsAnswer.parse(body).failing).toEqual([
		{
			...{ channel: "pager", failing_since: "2026-03-02T09:00:00.000Z", last_attempt: "2026-03-02T09:05:00.000Z" },
			...{ last_error: "answered 410", attempts: 2 },
		},
	]);
	const said = "pager: takes no messages since 2026-03-02T09:00:00.000Z: answered 410";
	expect(body.warnings).toEqual([said]);
	expect((await ask("GET", CHANNELS, undefined, "b")).body).toMatchObject({ failing: [], warnings: [] });
	await attempt("09:30", "pager", "sent");
	expect((await ask("GET", CHANNELS)).body).toMatchObject({ failing: [], warnings: [] });
});
