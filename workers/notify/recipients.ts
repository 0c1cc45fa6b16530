/** Whom the names in a rule stand for. Pure. */
import { createHash } from "node:crypto";
import { OF_THE_RULE } from "../../query/measures/alerting/channels.ts";
import { whoIs } from "../../schema/contacts.ts";
import type { AlertRule, Channel, Notification, StoredNotifications } from "../../schema/wire/index.ts";
import type { ChannelType } from "./channels/types.ts";

/** A place to send to, as it is stored: secrets are sealed. */
export interface Destination {
	/** The same place has the same key, whoever names it. Holds no secret. */
	readonly key: string;
	/** How people call it. */
	readonly label: string;
	readonly type: ChannelType;
	readonly target: Channel;
}

export interface Routes {
	readonly told: readonly Destination[];
	readonly levels: readonly (readonly Destination[])[];
	/** Names that nobody has; the channels that are told by default stand in for them. */
	readonly unknown: readonly string[];
}

const NOTHING: StoredNotifications = { channels: [], contacts: {} };

/**
 * A rule that names nobody is told on the channels that are told by default, and so is a level whose contact nobody knows: a page to
 * too many is better than a page to nobody.
 */
export function routesOf(rule: Pick<AlertRule, "notifications" | "escalation_policy">, config = NOTHING): Routes {
	const unknown = new Set<string>();
	const named = (name: string): Destination[] => {
		const found = byName(name, config);
		if (found.length === 0) unknown.add(name);
		return found.length === 0 ? defaults(config) : found;
	};
	const levels = (rule.escalation_policy?.levels ?? []).map(({ notify }) => once(notify.flatMap(named)));
	const inline = rule.notifications.flatMap((notification, i) =>
		notification.type === "contact" ? named(notification.contact) : [inlineOf(notification, i, config)],
	);
	const namesNobody = rule.notifications.length === 0 && levels.length === 0;
	return { told: once(namesNobody ? defaults(config) : inline), levels, unknown: [...unknown] };
}

function defaults(config: StoredNotifications): Destination[] {
	return config.channels.filter((channel) => channel.default).map((channel) => channelDestination(channel, config));
}

function byName(name: string, config: StoredNotifications): Destination[] {
	const { channels, email } = whoIs(name, config) ?? { channels: [], email: [] };
	const found = channels.map((channel) => channelDestination(channel, config));
	return email.length === 0 ? found : [...found, mailTo(email, config)];
}

/** A configured channel. */
export function channelDestination(
	channel: StoredNotifications["channels"][number],
	config: StoredNotifications,
): Destination {
	const target = channel.type === "webhook" ? signed(channel, config) : channel;
	return { key: `channel:${channel.name}`, label: channel.name, type: channel.type, target };
}

/**
 * Where a place is by now: a message that was planned, tried before or is about the end of something goes to the address that is
 * configured, not to the one that was. What is configured no more, or as another type, is where it was.
 */
export function whereNow(
	then: Destination,
	rule: Pick<AlertRule, "notifications" | "escalation_policy"> | undefined,
	config: StoredNotifications | undefined,
): Destination {
	const { told, levels } = rule ? routesOf(rule, config) : { told: [], levels: [] };
	const channels = config?.channels.map((channel) => channelDestination(channel, config)) ?? [];
	const known = [...channels, ...told, ...levels.flat()];
	return known.find(({ key, type }) => key === then.key && type === then.type) ?? then;
}

function inlineOf(
	notification: Exclude<Notification, { type: "contact" }>,
	index: number,
	config: StoredNotifications,
): Destination {
	if (notification.type === "email") return mailTo(notification.recipients, config);
	const target: Channel = { ...notification, default: false };
	const label = `${notification.type} ${index + 1}${OF_THE_RULE}`;
	const key = `rule:${notification.type}:${index}`;
	return { key, label, type: notification.type, target: target.type === "webhook" ? signed(target, config) : target };
}

/** By the mail server of the project's first channel of mail, if it names one. */
function mailTo(recipients: readonly string[], config: StoredNotifications): Destination {
	const by = config.channels.find((channel) => channel.type === "email");
	const server =
		by?.type === "email" ? { ...(by.from && { from: by.from }), ...(by.smtp_url && { smtp_url: by.smtp_url }) } : {};
	const sorted = [...new Set(recipients)].sort();
	const digest = createHash("sha256").update(JSON.stringify(sorted)).digest("hex").slice(0, 16);
	return {
		...{ key: `email:${digest}`, label: `email to ${sorted.join(", ")}`, type: "email" },
		target: { type: "email", recipients: sorted, default: false, ...server },
	};
}

function signed<T extends Extract<Channel, { type: "webhook" }>>(target: T, { secret }: StoredNotifications): T {
	return target.secret === undefined && secret !== undefined ? { ...target, secret } : target;
}

function once(destinations: readonly Destination[]): Destination[] {
	return [...new Map(destinations.map((one) => [one.key, one])).values()];
}
