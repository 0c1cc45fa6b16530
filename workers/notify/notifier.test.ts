import { createHmac, timingSafeEqual } from "node:crypto";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
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
			received.push({ headers: request.headers as Record<string, string>, body });
			const { status, headers = {} } = answers.shift() ?? { status: 200 };
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
	for (const { project: of, message_id } of await by.sweep()) if (of === name()) await by.send(of, message_id);
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
	for (let minute = 0; minute <= 40; minute++) {
		clock = START + minute * MINUTE;
		if (minute === 20) await acknowledge(clock);
		const before = received.length;
		await run();
		if (received.length > before) told.push(minute);
	}
	expect(told).toEqual([0, 15]);
	expect(bodies().map(({ data }) => data.level)).toEqual([1, 2]);
});
