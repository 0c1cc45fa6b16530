import { createHmac, timingSafeEqual } from "node:crypto";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { failingChannels } from "../../query/measures/alerting/channels.ts";
import { Definitions } from "../../schema/definitions.ts";
import { sealSecrets } from "../../schema/sealed-notifications.ts";
import { SecretBox } from "../../schema/secret-box.ts";
import {
	type AlertRule,
	alertRule,
	type NewAlert,
	NOTIFICATIONS_ID,
	NOTIFICATIONS_KIND,
	storedNotifications,
} from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { httpServer, type TestServer } from "../../tests/support/loopback.ts";
import { type Mailbox, mailServer } from "../../tests/support/mailbox.ts";
import { AlertStore, type HistoryRow } from "../alerts/store.ts";
import { openOutbound } from "../outbound/outbound.ts";
import { Notifier } from "./notifier.ts";

interface Received {
	readonly path: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string;
}

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const START = Date.parse("2026-03-02T10:00:00Z");
const MINUTE = 60_000;

let database: TestDatabase;
let receiver: TestServer;
let mailbox: Mailbox;
let received: Received[];
/** Statuses of the next answers of the receiver; 200 when there are none. */
let answers: { status: number; headers?: Record<string, string> }[];
/** Paths that answer 410 whatever is sent. */
let isGone: (path: string) => boolean;
let logged: string[];
let clock: number;
let project = 0;
const box = new SecretBox(["a key of the tests, long enough"]);

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	mailbox = await mailServer();
	receiver = await httpServer((request, response) => {
		let body = "";
		request.setEncoding("utf8").on("data", (text) => {
			body += text;
		});
		request.on("end", () => {
			const path = request.url!;
			received.push({ path, headers: request.headers as Record<string, string>, body });
			const { status, headers = {} } = isGone(path) ? { status: 410 } : (answers.shift() ?? { status: 200 });
			response.writeHead(status, headers).end("ok");
		});
	});
});
afterAll(async () => {
	await receiver.stop();
	await mailbox.stop();
	await database.stop();
});
beforeEach(() => {
	received = [];
	answers = [];
	isGone = () => false;
	logged = [];
	mailbox.mails.length = 0;
	mailbox.refuseWith(undefined);
	clock = START;
	project++;
});

const name = () => `project-${project}`;
const notifier = () =>
	new Notifier({
		...{ clickhouse: database.client, box, now: () => clock, mailFrom: "Tidemark <tidemark@example.org>" },
		outbound: openOutbound({ allow: ["127.0.0.1", "localhost"] }),
		logger: pino({}, { write: (line: string) => logged.push(line) }),
		publicUrl: () => "https://tidemark.example.org",
		smtpUrl: mailbox.url,
	});
const hook = (path = "/hook") => `http://127.0.0.1:${receiver.port}${path}`;

async function makeRule(given: Partial<NewAlert>): Promise<AlertRule> {
	const rules = new Definitions(database.client, "alert", alertRule, () => clock);
	const condition = { metric: "cpu", operator: "greater_than", threshold: 1, timeframe: "5m" } as const;
	const rule = alertRule.parse({ name: "CPU", conditions: [condition], ...given });
	const notifications = rule.notifications.map((one) => sealSecrets(one, box, name()));
	await rules.put(name(), "alert_1", { ...rule, notifications });
	return rule;
}

async function configure(config: { channels: object[]; contacts?: object }): Promise<void> {
	const definitions = new Definitions(database.client, NOTIFICATIONS_KIND, storedNotifications, () => clock);
	const channels = config.channels.map((one) => sealSecrets({ default: true, ...one }, box, name()));
	const stored = { contacts: {}, ...config, channels, secret: box.seal(SECRET, name()) };
	await definitions.put(name(), NOTIFICATIONS_ID, storedNotifications.parse(stored));
}

/** As another version of the program may have left it. */
const unreadable = (kind: string, id: string) =>
	database.client.insert({
		table: "definitions",
		values: [{ project: name(), kind, id, version: String((clock + 1) * 1_000), deleted: 0, body: '{"a":' }],
		format: "JSONEachRow",
	});

/** A change of state as the evaluation writes it. */
async function transition(notice: "fire" | "resolve", at: number, row: Partial<HistoryRow> = {}): Promise<void> {
	const of = { project: name(), alert_id: "alert_1", instance: "all", labels: {}, firing_id: "firing_1" };
	await new AlertStore(database.client, () => clock).write([
		{
			...{ ...of, ts: at, kind: "transition", from_state: "ok", to_state: notice === "fire" ? "firing" : "ok", notice },
			...{ metric: "cpu", operator: "greater_than", value: 2, threshold: 1, reason: "", severity: "high", actor: "" },
			...{ message: notice === "fire" ? "cpu is 2, above 1" : "cpu is 0, no longer above 1", rule_version: 1 },
			...row,
		},
	]);
}

async function acknowledge(at: number, firing_id = "firing_1"): Promise<void> {
	await transition("fire", at, { kind: "acknowledge", notice: "", firing_id });
}

/** What a worker does in one moment. */
async function run(by = notifier()): Promise<void> {
	for (const { project: of, message_id } of await by.sweep(name())) await by.send(of, message_id);
}

/** Of the project of this test, in the order of their keys. */
async function rows<Row = Record<string, unknown>>(select: string, message_id?: string): Promise<Row[]> {
	const where = `project = {project:String}${message_id === undefined ? "" : " AND message_id = {message_id:String}"}`;
	const [, head, tail] = /^(.*?)(?: WHERE (.*))?$/.exec(select)!;
	const result = await database.client.query({
		query: `${head} WHERE ${where}${tail === undefined ? "" : ` AND ${tail}`}`,
		query_params: { project: name(), message_id: message_id ?? "" },
		format: "JSONEachRow",
	});
	return result.json<Row>();
}

const bodies = () => received.map(({ body }) => JSON.parse(body));

/** Standard Webhooks, by another implementation than the one that signs. */
function isSigned({ headers, body }: Received, secret: string): boolean {
	const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
	const content = Buffer.concat([
		Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`),
		Buffer.from(body),
	]);
	const expected = createHmac("sha256", key).update(content).digest();
	return headers["webhook-signature"]!.split(" ").some((part) => {
		const [version, signature = ""] = part.split(",");
		return version === "v1" && timingSafeEqual(Buffer.from(signature, "base64"), expected);
	});
}

it("finds what is due in every project", async () => {
	const projects: string[] = [];
	for (const _ of [1, 2]) {
		project++;
		projects.push(name());
		await makeRule({ notifications: [{ type: "webhook", url: hook() }] });
		await transition("fire", START);
	}
	expect((await notifier().sweep()).map((one) => one.project).sort()).toEqual(projects.sort());
	expect((await notifier().sweep(projects[0])).map((one) => one.project)).toEqual([projects[0]]);
});

it("tells a webhook that an alert fires and that it is over, signed, once each", async () => {
	await configure({ channels: [] });
	await makeRule({ notifications: [{ type: "webhook", url: hook(), headers: { Authorization: "Bearer t" } }] });
	await transition("fire", START);
	await run();
	await run();
	await transition("resolve", START + MINUTE);
	clock += MINUTE;
	await run();
	await run();
	expect(bodies().map(({ type }) => type)).toEqual(["alert.firing", "alert.resolved"]);
	const [fired] = bodies();
	expect(fired).toMatchObject({ version: 1, data: { name: "CPU", severity: "high", test: false, total_instances: 1 } });
	expect(fired.data.instances[0]).toMatchObject({ value: 2, threshold: 1, started_at: "2026-03-02T10:00:00.000Z" });
	expect(received[0]!.headers.authorization).toBe("Bearer t");
	expect(received.every((one) => isSigned(one, SECRET))).toBe(true);
	expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(2);
});

it("sends mail as HTML and as text, and the end of a firing into the same conversation", async () => {
	await makeRule({
		name: "CPU <high>",
		notifications: [{ type: "email", recipients: ["a@example.org", "b@example.org"] }],
	});
	await transition("fire", START);
	await run();
	await transition("resolve", START + MINUTE);
	await run();
	expect(mailbox.mails.map(({ to }) => to)).toEqual([
		["a@example.org", "b@example.org"],
		["a@example.org", "b@example.org"],
	]);
	const [fired, resolved] = mailbox.mails;
	expect(fired!.headers.subject).toBe("[FIRING] CPU <high> (high)");
	expect(fired!.raw).toContain("Content-Type: text/plain");
	expect(fired!.raw).toContain("Content-Type: text/html");
	expect(fired!.raw).toContain("CPU &lt;high&gt;");
	expect(fired!.headers["message-id"]).toMatch(/^<msg_[0-9a-f]{24}@example\.org>$/);
	expect(fired!.headers["auto-submitted"]).toBe("auto-generated");
	expect(resolved!.headers["in-reply-to"]).toBe(fired!.headers["in-reply-to"]);
	expect(resolved!.headers.subject).toBe("[RESOLVED] CPU <high> (high)");
});

it("tells each level of an escalation when its delay has passed, and none after an acknowledgement", async () => {
	await configure({
		channels: [
			{ type: "webhook", name: "first", url: hook("/first") },
			{ type: "webhook", name: "second", url: hook("/second") },
			{ type: "webhook", name: "third", url: hook("/third") },
		],
		contacts: { primary: { channels: ["first"] } },
	});
	const levels = [
		{ delay_minutes: 0, notify: ["primary"] },
		{ delay_minutes: 15, notify: ["second"] },
		{ delay_minutes: 30, notify: ["third"] },
	];
	await makeRule({ escalation_policy: { levels } });
	await transition("fire", START);
	const told: number[] = [];
	for (const minute of [0, 1, 14, 15, 20, 30, 31]) {
		clock = START + minute * MINUTE;
		if (minute === 20) await acknowledge(clock);
		const before = received.length;
		await run();
		if (received.length > before) told.push(minute);
	}
	expect(told).toEqual([0, 15]);
	expect(bodies().map(({ data }) => data.level)).toEqual([1, 2]);
});

it("retries what fails for now, as late as the other side asks, with the same id", async () => {
	await configure({ channels: [{ type: "webhook", name: "hook", url: hook() }] });
	await makeRule({});
	await transition("fire", START);
	answers = [{ status: 503 }, { status: 429, headers: { "Retry-After": "120" } }];
	const tried: number[] = [];
	for (const second of [0, 9, 10, 11, 129, 130, 240]) {
		clock = START + second * 1_000;
		const before = received.length;
		await run();
		if (received.length > before) tried.push(second);
	}
	expect(tried).toEqual([0, 10, 130]);
	expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
	expect(await rows("SELECT attempt, outcome, status_code FROM alert_delivery_attempts FINAL")).toEqual([
		{ attempt: 1, outcome: "retry", status_code: 503 },
		{ attempt: 2, outcome: "retry", status_code: 429 },
		{ attempt: 3, outcome: "sent", status_code: 200 },
	]);
});

it("sends what was tried, and the end of what was told, to the address that is configured by then", async () => {
	const configured = async (version: string) => {
		await configure({ channels: [{ type: "webhook", name: "hook", url: hook(`/hook-${version}`) }] });
		const own = { type: "webhook", url: hook(`/own-${version}`) } as const;
		await makeRule({ notifications: [{ type: "contact", contact: "hook" }, own] });
	};
	await configured("1");
	await transition("fire", START);
	answers = [{ status: 503 }, { status: 503 }];
	for (const version of ["2", "3"]) {
		await run();
		await configured(version);
		clock += MINUTE;
		if (version === "3") await transition("resolve", clock);
	}
	await run();
	expect(received.map(({ path }) => path).sort()).toEqual(
		["1", "2", "3"].flatMap((version) => [`/hook-${version}`, `/own-${version}`]).sort(),
	);
});

it("does not retry after an acknowledgement", async () => {
	await configure({ channels: [{ type: "webhook", name: "hook", url: hook() }] });
	await makeRule({});
	await transition("fire", START);
	answers = [{ status: 500 }];
	await run();
	await acknowledge(START + 1_000);
	for (const minute of [0, 1, 5, 9]) {
		clock = START + minute * MINUTE;
		await run();
	}
	expect(received).toHaveLength(1);
	expect(await rows("SELECT status FROM alert_deliveries FINAL")).toEqual([{ status: "cancelled" }]);
});

it.each([
	["a redirect", { status: 302, headers: { Location: "/elsewhere" } }],
	["an address that is gone", { status: 410 }],
])("gives up on %s at once, and says so in the log and in the history, without the secrets", async (_, answer) => {
	await makeRule({ notifications: [{ type: "slack", webhook_url: hook("/services/T0/secret-path") }] });
	await transition("fire", START);
	answers = [answer];
	await run();
	clock += 3_600_000;
	await run();
	expect(received).toHaveLength(1);
	expect(logged.join()).toContain("could not be told");
	const [undelivered] = await rows("SELECT reason FROM alert_transitions WHERE kind = 'undelivered'");
	expect(undelivered?.reason).toContain(`answered ${answer.status}`);
	const kept = await rows("SELECT * FROM alert_deliveries");
	const attempts = await rows("SELECT * FROM alert_delivery_attempts");
	expect(logged.join() + JSON.stringify([kept, attempts, undelivered])).not.toContain("secret-path");
});

it("gives up after a day", async () => {
	await makeRule({ notifications: [{ type: "email", recipients: ["a@example.org"] }] });
	await transition("fire", START);
	mailbox.refuseWith(451);
	for (const hour of [0, 12, 24, 25, 30]) {
		clock = START + hour * 3_600_000;
		await run();
	}
	expect(await rows("SELECT status, detail FROM alert_deliveries FINAL")).toEqual([
		{ status: "failed", detail: expect.stringContaining("451") },
	]);
	const [last] = await rows<{ hours: number }>(
		`SELECT dateDiff('hour', min(started_at), max(started_at)) AS hours FROM alert_delivery_attempts FINAL`,
	);
	expect(Number(last?.hours)).toBe(24);
});

it("sends nothing into the operator's own network unless it is allowed", async () => {
	await makeRule({ notifications: [{ type: "webhook", url: hook() }] });
	await transition("fire", START);
	const closed = new Notifier({
		...{ clickhouse: database.client, box, now: () => clock, mailFrom: "t@example.org", publicUrl: () => "" },
		...{ outbound: openOutbound({ allow: [] }), logger: pino({ level: "silent" }) },
	});
	await run(closed);
	expect(received).toHaveLength(0);
	expect(await rows("SELECT status FROM alert_deliveries FINAL")).toEqual([{ status: "failed" }]);
});

it("does not send again what was interrupted while it was sent, but what had no connection yet", async () => {
	await configure({
		channels: [
			{ type: "webhook", name: "connecting", url: hook("/connecting") },
			{ type: "webhook", name: "sending", url: hook("/sending") },
		],
	});
	await makeRule({});
	await transition("fire", START);
	const due = await notifier().sweep(name());
	for (const { message_id } of due) {
		const [notice] = await rows<{ channel: string }>("SELECT channel FROM alert_deliveries FINAL", message_id);
		const outcome = notice!.channel === "channel:sending" ? "sending" : "started";
		const attempt = {
			project: name(),
			message_id,
			attempt: 1,
			version: 1,
			outcome,
			started_at: "2026-03-02 10:00:00.000",
		};
		await database.client.insert({ table: "alert_delivery_attempts", values: [attempt], format: "JSONEachRow" });
	}
	await run();
	expect(received).toHaveLength(0);
	clock += MINUTE;
	await run();
	await run();
	await transition("resolve", clock);
	await run();
	expect(
		bodies()
			.map(({ type }) => type)
			.sort(),
	).toEqual(["alert.firing", "alert.resolved", "alert.resolved"]);
	const [note] = await rows("SELECT reason FROM alert_transitions WHERE kind = 'undelivered'");
	expect(note?.reason).toContain("sending: interrupted");
});

it("tests a rule over every channel it names, for real and marked as a test, and says of each what came of it", async () => {
	await configure({
		channels: [{ type: "slack", name: "chat", webhook_url: hook("/chat") }],
		contacts: { boss: { email: ["boss@example.org"] } },
	});
	const escalation_policy = { levels: [{ delay_minutes: 5, notify: ["chat", "boss"] }] };
	await makeRule({ notifications: [{ type: "webhook", url: hook("/gone") }], escalation_policy });
	answers = [{ status: 404 }];
	const { deliveries } = await notifier().test(name(), "alert_1");
	expect(deliveries.map(({ channel, status }) => `${channel} ${status}`).sort()).toHaveLength(3);
	expect(deliveries.filter(({ status }) => status === "sent")).toHaveLength(2);
	expect(mailbox.mails[0]!.headers.subject).toBe("[TEST] [FIRING] CPU (medium)");
	expect(received.every(({ body }) => body.includes("TEST") || JSON.parse(body).data.test === true)).toBe(true);
	expect(await rows("SELECT 1 FROM alert_deliveries")).toEqual([]);
});

it("logs in to the mail server of a channel, and a login never leaves the box", async () => {
	const url = new URL(mailbox.url);
	const smtp_url = `smtp://user:pa%20ss@${url.host}`;
	await configure({
		channels: [{ type: "email", name: "mail", recipients: ["a@example.org"], smtp_url, from: "x@example.net" }],
	});
	await makeRule({});
	await transition("fire", START);
	await run();
	expect(mailbox.mails[0]!.from).toBe("x@example.net");
	const stored = await database.client.query({ query: "SELECT body FROM definitions", format: "JSONEachRow" });
	const everything = JSON.stringify([await stored.json(), await rows("SELECT * FROM alert_deliveries"), logged]);
	for (const secret of ["pa%20ss", "pa ss", SECRET]) expect(everything).not.toContain(secret);
});

it("sends what is due of a rule that cannot be read any more, and to others than unreadable channels", async () => {
	await configure({ channels: [{ type: "slack", name: "chat", webhook_url: hook("/chat") }] });
	await makeRule({ notifications: [{ type: "webhook", url: hook() }] });
	await transition("fire", START);
	await unreadable(NOTIFICATIONS_KIND, NOTIFICATIONS_ID);
	const due = await notifier().sweep(name());
	expect(due).toHaveLength(1);
	await unreadable("alert", "alert_1");
	for (const { project: of, message_id } of due) await notifier().send(of, message_id);
	await transition("resolve", START + MINUTE);
	clock += MINUTE;
	await run();
	expect(bodies().map(({ type, data }) => [type, data.alert_name ?? data.name])).toEqual([
		["alert.firing", "CPU"],
		["alert.resolved", "CPU"],
	]);
});

it("a channel that takes no messages is told of over those that do, once, and so is that it works again", async () => {
	await configure({
		channels: [
			{ type: "webhook", name: "dead", url: hook("/dead") },
			{ type: "webhook", name: "alive", url: hook("/alive") },
			{ type: "webhook", name: "spare", url: hook("/spare"), default: false },
		],
		contacts: { only: { channels: ["dead"] } },
	});
	await makeRule({ notifications: [{ type: "contact", contact: "only" }] });
	isGone = (path) => path === "/dead";
	await transition("fire", START);
	for (const second of [0, 5, 10, 60]) {
		clock = START + second * 1_000;
		await run();
	}
	// Another message over the same channel is no other news.
	await transition("fire", clock, { instance: "other", firing_id: "firing_2" });
	await run();
	const own = () =>
		received
			.map(({ path, body }) => ({ path, ...JSON.parse(body) }))
			.filter(({ data }) => data.alert_id === "tidemark.channels");
	expect(own().map(({ path, type }) => `${path} ${type}`)).toEqual(["/alive alert.firing"]);
	expect(own()[0].data).toMatchObject({
		...{ name: "A notification channel takes no messages", severity: "high", acknowledge_url: null },
		instances: [{ labels: { channel: "dead" }, message: "The channel dead takes no messages: answered 410" }],
	});
	const question = failingChannels(clock);
	const result = await database.client.query({
		query: question.sql,
		query_params: { ...question.params.values, project: name() },
		format: "JSONEachRow",
		clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
	});
	expect(question.read(await result.json())).toMatchObject([
		{ channel: "dead", alert_id: "", failing_since: START, attempts: 2, gave_up: true, last_error: "answered 410" },
	]);
	isGone = () => false;
	clock += MINUTE;
	await notifier().test(name(), "alert_1");
	await run();
	await run();
	expect(own().map(({ path, type }) => `${path} ${type}`)).toEqual(["/alive alert.firing", "/alive alert.resolved"]);
});

it("a dead channel that nothing names any more is over, but not while nobody can read what is configured", async () => {
	const hooks = (...names: string[]) => names.map((one) => ({ type: "webhook", name: one, url: hook(`/${one}`) }));
	const own = { type: "slack", webhook_url: hook("/own") } as const;
	await configure({ channels: hooks("dead", "alive") });
	await makeRule({ notifications: [{ type: "contact", contact: "dead" }, own] });
	isGone = (path) => path !== "/alive";
	await transition("fire", START);
	await run();
	await run();
	const told = () =>
		bodies()
			.filter(({ data }) => data?.alert_id === "tidemark.channels")
			.flatMap(({ type, data }) => data.instances.map(({ message }: { message: string }) => `${type}: ${message}`))
			.sort();
	clock += MINUTE;
	await run();
	const dead = ["dead", "slack 2 of the rule alert_1"].map(
		(one) => `alert.firing: The channel ${one} takes no messages: answered 410`,
	);
	expect(told()).toEqual(dead);
	await unreadable(NOTIFICATIONS_KIND, NOTIFICATIONS_ID);
	await makeRule({ notifications: [{ type: "contact", contact: "alive" }] });
	await run();
	await run();
	expect(told()).toEqual(dead);
	clock += MINUTE;
	await configure({ channels: hooks("alive") });
	await run();
	await run();
	expect(told()).toEqual([
		...dead,
		"alert.resolved: The channel dead is not configured any more",
		"alert.resolved: The channel slack 2 of the rule alert_1 is not configured any more",
	]);
});

it("a channel whose messages are tried again for a quarter of an hour is dead, also one that only a rule has", async () => {
	await configure({ channels: [{ type: "email", name: "mail", recipients: ["a@example.org"] }] });
	await makeRule({ notifications: [{ type: "slack", webhook_url: hook("/chat") }] });
	answers = Array.from({ length: 100 }, () => ({ status: 503 }));
	await transition("fire", START);
	for (const minute of [0, 14, 16, 18, 31]) {
		clock = START + minute * MINUTE;
		await run();
	}
	const [mail, ...others] = mailbox.mails;
	expect(others).toEqual([]);
	expect(mail!.headers.subject).toBe("[FIRING] A notification channel takes no messages (high)");
	// Lines of mails are folded.
	const text = mail!.raw.replaceAll(/=\r?\n/g, "");
	expect(text).toContain("slack 1 of the rule alert_1 takes no messages: answered 503");
	const [fired] = await rows<{ ms: string }>(
		"SELECT toUnixTimestamp64Milli(recorded_at) AS ms FROM alert_transitions WHERE alert_id = 'tidemark.channels'",
	);
	expect(Number(fired!.ms)).toBeGreaterThanOrEqual(START + 15 * MINUTE);
});
