import { expect, it } from "vitest";
import type { Channel } from "../../../schema/wire/index.ts";
import { MAX_LISTED, type Message, NOTICE_KINDS } from "../message.ts";
import { judge } from "../outcome.ts";
import { CHANNELS } from "./index.ts";

const AT = Date.parse("2026-03-02T10:00:00Z");
const instance = {
	...{
		instance: "x",
		firing_id: "firing_1",
		labels: { host: "<!channel> & co" },
		metric: "cpu",
		value: 2,
		threshold: 1,
	},
	...{ message: "cpu is 2 on <!channel> & *co*", fired_at: AT, resolved_at: null },
};
const message: Message = {
	...{
		message_id: "msg_1",
		kind: "fire",
		project: "p",
		alert_id: "alert_1",
		name: "CPU",
		description: "",
		severity: "high",
	},
	...{
		level: 0,
		labels: { team: "ops" },
		runbook_url: "https://example.org/runbook",
		acknowledge_url: "https://t/acknowledge/x",
	},
	...{ instances: [instance], isTest: false, at: AT },
};
const targets = {
	slack: { type: "slack", webhook_url: "https://hooks.slack.com/services/x", default: true },
	pagerduty: { type: "pagerduty", integration_key: "key", default: true },
	teams: { type: "teams", webhook_url: "https://example.org/workflows", default: true },
	webhook: {
		type: "webhook",
		url: "https://example.org/",
		headers: { "Webhook-Id": "mine", "X-Team": "ops" },
		default: true,
	},
} as const satisfies Partial<Record<Channel["type"], Channel>>;

it.each(NOTICE_KINDS.map((kind) => [kind]))(
	"PagerDuty has one incident for a firing, whatever the reason: %s",
	(kind) => {
		const { url, body } = CHANNELS.pagerduty.request({ ...message, kind }, targets.pagerduty, AT);
		const event = JSON.parse(body);
		const actions = {
			fire: "trigger",
			repeat: "trigger",
			flapping: "trigger",
			acknowledge: "acknowledge",
			resolve: "resolve",
		};
		expect(url).toBe("https://events.pagerduty.com/v2/enqueue");
		expect(event).toMatchObject({ routing_key: "key", dedup_key: "tidemark/firing_1", event_action: actions[kind] });
		expect("payload" in event).toBe(actions[kind] === "trigger");
	},
);

it.each([
	["low", "info", "info"],
	["medium", "warning", "info"],
	["high", "error", "warning"],
	["critical", "critical", "error"],
] as const)("PagerDuty's severity of %s is %s, or what the channel maps it to", (severity, usual, mapped) => {
	const mapping = { critical: "error", high: "warning", medium: "info" } as const;
	const severityOf = (target: Extract<Channel, { type: "pagerduty" }>) =>
		JSON.parse(CHANNELS.pagerduty.request({ ...message, severity }, target, AT).body).payload.severity;
	expect(severityOf(targets.pagerduty)).toBe(usual);
	expect(severityOf({ ...targets.pagerduty, severity_mapping: mapping })).toBe(mapped);
});

it("a test does not touch an incident that is open", () => {
	const { body } = CHANNELS.pagerduty.request({ ...message, isTest: true }, targets.pagerduty, AT);
	expect(JSON.parse(body).dedup_key).toBe("tidemark/msg_1");
});

it("what stands in a label mentions nobody in Slack and formats nothing in Teams", () => {
	const slack = CHANNELS.slack.request(message, targets.slack, AT).body;
	expect(slack).not.toContain("<!channel>");
	expect(slack).toContain("&lt;!channel&gt; &amp; *co*");
	const card = JSON.parse(CHANNELS.teams.request(message, targets.teams, AT).body).attachments[0];
	expect(card.contentType).toBe("application/vnd.microsoft.card.adaptive");
	expect(card.content.body[1].text).toBe("cpu is 2 on <!channel> & \\*co\\*");
	expect(card.content.actions.map(({ title }: { title: string }) => title)).toEqual(["Acknowledge", "Runbook"]);
});

it("headers of a webhook do not replace those of its protocol", () => {
	const { headers } = CHANNELS.webhook.request(message, targets.webhook, AT);
	expect(headers).toEqual({
		...{ "content-type": "application/json", "webhook-id": "msg_1", "webhook-timestamp": String(AT / 1_000) },
		"x-team": "ops",
	});
});

it("many instances are counted, and so many are listed that every service takes the message", () => {
	const instances = Array.from({ length: 1_000 }, () => ({ ...instance, message: "x".repeat(1_000) }));
	const many = { ...message, instances };
	const slack = JSON.parse(CHANNELS.slack.request(many, targets.slack, AT).body).attachments[0].blocks;
	expect(slack[0].text.text.length).toBeLessThanOrEqual(150);
	expect(slack[1].text.text.length).toBeLessThanOrEqual(3_000);
	const { data } = JSON.parse(CHANNELS.webhook.request(many, targets.webhook, AT).body);
	expect([data.instances.length, data.total_instances]).toEqual([MAX_LISTED, 1_000]);
	// Teams refuses what is over 28 KB.
	expect(CHANNELS.teams.request(many, targets.teams, AT).body.length).toBeLessThan(28_000);
});

it("a name with line breaks stays one line in the head of a mail", () => {
	const target = { type: "email" as const, recipients: ["a@example.org"], default: true };
	const { subject, html } = CHANNELS.email.mail({ ...message, name: "CPU\r\nBcc: x@example.org" }, target);
	expect(subject).toBe("[FIRING] CPU Bcc: x@example.org (high)");
	expect(html).not.toContain("<!channel>");
});

it.each([
	[200, {}, "sent", undefined],
	[202, {}, "sent", undefined],
	[302, {}, "failed", undefined],
	[400, {}, "failed", undefined],
	[404, {}, "failed", undefined],
	[408, {}, "retry", undefined],
	[429, { "retry-after": "30" }, "retry", 30_000],
	[503, { "retry-after": "Mon, 02 Mar 2026 10:01:00 GMT" }, "retry", 60_000],
	[503, { "retry-after": "soon" }, "retry", undefined],
	[500, {}, "retry", undefined],
] as const)("an answer of %s with %j is %s", (status, headers, outcome, retry_after_ms) => {
	const judged = judge(status, headers as Record<string, string>, undefined, AT);
	expect(judged.outcome).toBe(outcome);
	expect("retry_after_ms" in judged ? judged.retry_after_ms : undefined).toBe(retry_after_ms);
});

it("an old connector of Teams that says 200 and means 429 is tried again", () => {
	const refusal = CHANNELS.teams.refusal?.(
		"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429",
	);
	expect(judge(200, {}, refusal, AT).outcome).toBe("retry");
});
