import { expect, it } from "vitest";
import { alertRule, type NewAlert, storedNotifications } from "../../../schema/wire/index.ts";
import type { FailingChannel } from "../../measures/alerting/channels.ts";
import { warningsOf } from "./warnings.ts";

const config = storedNotifications.parse({
	channels: [
		{ type: "pagerduty", name: "pager", integration_key: "k" },
		{ type: "email", name: "team", recipients: ["a@example.org"], default: false },
	],
	contacts: { oncall_primary: { channels: ["pager"] }, management: { email: ["b@example.org"] } },
});
const since = Date.parse("2026-03-02T09:00:00Z");
const failing = (channel: string, alert_id = ""): FailingChannel => ({
	...{ channel, alert_id, failing_since: since, last_attempt: since, last_error: "answered 410", attempts: 1 },
	gave_up: true,
});
const dead = (channel: string) => `${channel}: takes no messages since 2026-03-02T09:00:00.000Z: answered 410`;
const escalating = (...notify: string[]) => ({ escalation_policy: { levels: [{ delay_minutes: 0, notify }] } });
const slack = { notifications: [{ type: "slack" as const, webhook_url: "https://hooks.slack.com/x" }] };

it.each<[string, Partial<NewAlert>, FailingChannel[], string[]]>([
	["contacts and channels that are known", escalating("oncall_primary", "management", "team"), [], []],
	[
		"a contact that is misspelt",
		escalating("oncall_primry"),
		[],
		["No contact or channel is called oncall_primry (oncall_primary?): pager is told instead"],
	],
	[
		"a channel that fails, and is used",
		escalating("oncall_primary"),
		[failing("pager"), failing("team")],
		[dead("pager")],
	],
	[
		"a rule that names nobody is told on the default channels",
		{},
		[failing("pager"), failing("team")],
		[dead("pager")],
	],
	[
		"its own channel fails, and that of another rule of the same name",
		slack,
		[failing("slack 1 of the rule", "alert_1"), failing("slack 1 of the rule", "alert_2")],
		[dead("slack 1 of the rule")],
	],
])("%s", (_, given, channels, expected) => {
	const condition = { metric: "cpu", operator: ">", value: 1 } as const;
	const rule = alertRule.parse({ name: "CPU", conditions: [condition], ...given });
	expect(warningsOf("alert_1", rule, { config, failing: channels })).toEqual(expected);
});

it("before channels are configured every name is unknown, and a rule that names nobody tells nobody", () => {
	const conditions = [{ metric: "cpu", operator: ">", value: 1 }];
	const none = { config: undefined, failing: [] };
	const named = alertRule.parse({ name: "CPU", conditions, ...escalating("oncall_primary") });
	expect(warningsOf("a", named, none)).toEqual(["No contact or channel is called oncall_primary: nobody is told"]);
	expect(warningsOf("a", alertRule.parse({ name: "CPU", conditions }), none)).toEqual([
		"It names nobody, and no channel is told by default: nobody hears of it",
	]);
	expect(warningsOf("a", alertRule.parse({ name: "CPU", conditions, ...slack }), none)).toEqual([]);
});
