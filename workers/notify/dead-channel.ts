/**
 * The alert of Tidemark itself: a channel takes no messages. It is a firing like any other, of a rule that nobody made, so that it is
 * told once, over the channels that work, and its end as well. Pure.
 */
import { createHash } from "node:crypto";
import type { FailingChannel } from "../../query/measures/alerting/channels.ts";
import type { Definition } from "../../schema/definitions.ts";
import { type AlertRule, alertRule, type StoredNotifications } from "../../schema/wire/index.ts";
import type { HistoryRow } from "../alerts/store.ts";
import type { RuleRoutes } from "./plan.ts";
import { channelDestination, type Destination } from "./recipients.ts";

/** Its id; those of people are made by the server, and look otherwise. */
export const CHANNEL_ALERT = "tidemark.channels";

const RULE = alertRule.parse({
	name: "A notification channel takes no messages",
	description: "Whoever is to be told of alerts by this channel is not. Tidemark says so over the channels that work.",
	conditions: [{ metric: "tidemark.notifications.failed", operator: ">", threshold: 0 }],
	severity: "high",
	group_by: ["channel"],
});

export function channelRule(project: string): Definition<AlertRule> {
	return { project, id: CHANNEL_ALERT, version: 0, body: RULE, created_at: new Date(0), updated_at: new Date(0) };
}

/** Those channels that are told by default and work, or else all that work. @param failing labels of those that do not */
export function channelRoutes(config: StoredNotifications | undefined, failing: ReadonlySet<string>): RuleRoutes {
	const channels = config?.channels.filter(({ name }) => !failing.has(name)) ?? [];
	const usual = channels.filter((channel) => channel.default);
	const told: Destination[] = (usual.length > 0 ? usual : channels).map((one) => channelDestination(one, config!));
	return { rule: RULE, told, levels: [] };
}

export interface ChannelOf {
	readonly project: string;
	readonly channel: string;
	/** The rule that it is part of, or empty. */
	readonly alert_id: string;
}

/** That it fails: the same row, whoever finds out, for as long as it lasts. */
export function deadRow(project: string, { channel, alert_id, failing_since, last_error }: FailingChannel): HistoryRow {
	const of = { project, channel, alert_id };
	const message = `${titleOf(of)} takes no messages: ${last_error}`;
	return {
		...base(of),
		...{ ts: failing_since, from_state: "ok", to_state: "firing", notice: "fire", reason: last_error, message },
		firing_id: `firing_${digest([project, channel, alert_id, failing_since])}`,
	};
}

/** That it works again. */
export function alive(of: ChannelOf, firing_id: string, at: number): HistoryRow {
	return { ...over(of, firing_id, at), reason: "", message: `${titleOf(of)} takes messages again` };
}

/** That nobody is told by it any more, whether it works or not. */
export function removed(of: ChannelOf, firing_id: string, at: number): HistoryRow {
	const reason = "nothing names the channel any more";
	return { ...over(of, firing_id, at), reason, message: `${titleOf(of)} is not configured any more` };
}

function over(of: ChannelOf, firing_id: string, at: number) {
	return { ...base(of), ts: at, from_state: "firing", to_state: "ok", notice: "resolve", firing_id } as const;
}

/** Whether somebody may still be told by a channel: it is configured, or a rule leads to it. */
export function isInUse(
	{ channel, alert_id }: Omit<ChannelOf, "project">,
	config: StoredNotifications | undefined,
	rules: ReadonlyMap<string, RuleRoutes>,
): boolean {
	if (alert_id === "" && config?.channels.some(({ name }) => name === channel)) return true;
	return [...rules].some(
		([id, { told, levels }]) =>
			(alert_id === "" || id === alert_id) && [...told, ...levels.flat()].some(({ label }) => label === channel),
	);
}

/** The channel that a firing of it is about. */
export function channelOf({ project, labels }: Pick<HistoryRow, "project" | "labels">): ChannelOf {
	return { project, channel: labels.channel ?? "", alert_id: labels.alert_id ?? "" };
}

/** Names the instance of a channel. */
export function channelInstance({ channel, alert_id }: Omit<ChannelOf, "project">): string {
	return digest([channel, alert_id]);
}

function titleOf({ channel, alert_id }: ChannelOf): string {
	return alert_id === "" ? `The channel ${channel}` : `The channel ${channel} ${alert_id}`;
}

function base({ project, channel, alert_id }: ChannelOf) {
	return {
		...{
			project,
			alert_id: CHANNEL_ALERT,
			instance: channelInstance({ channel, alert_id }),
			kind: "transition" as const,
		},
		labels: { channel, ...(alert_id === "" ? {} : { alert_id }) },
		...{ metric: "tidemark.notifications.failed", operator: "", value: null, threshold: null },
		...{ severity: RULE.severity, actor: "", rule_version: 0 },
	};
}

function digest(parts: readonly unknown[]): string {
	return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}
