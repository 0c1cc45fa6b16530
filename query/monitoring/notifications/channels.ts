/** `/v1/monitoring/notification-channels`: where people are told of alerts. Secrets go in, and do not come out. */
import { randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { badParameter } from "../../../http/errors.ts";
import type { RouteDoc } from "../../../http/openapi.ts";
import { parseBody, parseQuery } from "../../../http/validate.ts";
import type { AuditLog } from "../../../schema/audit.ts";
import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../../schema/definitions.ts";
import { mapSecrets, sealSecrets } from "../../../schema/sealed-notifications.ts";
import type { SecretBox } from "../../../schema/secret-box.ts";
import {
	type Channel,
	MASK,
	NOTIFICATIONS_ID,
	NOTIFICATIONS_KIND,
	type NotificationsAnswer,
	notificationsAnswer,
	notificationsBody,
	type StoredNotifications,
	storedNotifications,
} from "../../../schema/wire/index.ts";
import { type FailingChannel, failingChannels } from "../../measures/alerting/channels.ts";
import { clickHouseError, type Queries } from "../../run.ts";
import { failingText } from "../alerts/warnings.ts";
import { isOldConnector } from "./old-connector.ts";

const PATH = "/v1/monitoring/notification-channels";
const noParameters = z.strictObject({});

export const CHANNEL_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "put", path: PATH, tag: "Monitoring", role: "admin" },
		summary:
			"Configure where people are told of alerts: channels, and the contacts that rules and escalation levels name",
		description:
			"Replaces what was configured. Webhooks are signed as standardwebhooks.com describes. A secret that is sent back masked stays what it was.",
		body: notificationsBody,
		answers: { 200: notificationsAnswer },
	},
	{
		...{ method: "get", path: PATH, tag: "Monitoring", role: "admin" },
		summary: "The notification channels and contacts, without their secrets",
		answers: { 200: notificationsAnswer },
	},
];

export interface ChannelDeps {
	readonly client: ClickHouse;
	readonly queries: Queries;
	readonly audit: AuditLog;
	readonly requireRole: RequireRole;
	readonly box: SecretBox;
	readonly now?: () => number;
}

type Named = StoredNotifications["channels"][number];

export function channelRoutes({ client, queries, audit, requireRole, box, now = Date.now }: ChannelDeps): Hono<AppEnv> {
	const config = new Definitions(client, NOTIFICATIONS_KIND, storedNotifications, now);
	const admin = requireRole("admin");
	const projectOf = (c: Context<AppEnv>) => c.get("key").project;
	const failing = async (c: Context<AppEnv>) =>
		(await queries.of(projectOf(c), c.req.raw.signal).ask(failingChannels(now()))).filter((one) => one.alert_id === "");
	return new Hono<AppEnv>()
		.put(PATH, admin, async (c) => {
			parseQuery(c, noParameters);
			const body = await parseBody(c, notificationsBody);
			const project = projectOf(c);
			// What cannot be read is replaced, like anything else.
			const [before] = await stored(config.list(project));
			const channels = named(body.channels).map((channel) => sealSecrets(kept(channel, before?.body), box, project));
			assertKnown(body.contacts, channels);
			const made = body.signing_secret === undefined && before?.body.secret === undefined;
			const signing_secret = body.signing_secret ?? (made ? `whsec_${randomBytes(32).toString("base64")}` : undefined);
			const secret = signing_secret === undefined ? before!.body.secret! : box.seal(signing_secret, project);
			const saved = await stored(config.put(project, NOTIFICATIONS_ID, { channels, contacts: body.contacts, secret }));
			await stored(
				audit.append({
					...{ project, actor: c.get("key").key_id, action: "notification_channels.update", target: NOTIFICATIONS_ID },
					detail: {
						channels: channels.map(({ name, type }) => `${type} ${name}`),
						contacts: Object.keys(body.contacts),
					},
					request_id: c.get("requestId"),
				}),
			);
			return c.json(answer(saved, await failing(c), made ? signing_secret : undefined));
		})
		.get(PATH, admin, async (c) => {
			parseQuery(c, noParameters);
			return c.json(answer(await stored(config.get(projectOf(c), NOTIFICATIONS_ID)), await failing(c)));
		});
}

/** Unnamed ones are called by their type. @throws ApiError 400 for a name that two have */
function named(channels: readonly Channel[]): Named[] {
	const taken = new Set(channels.flatMap(({ name }) => name ?? []));
	const seen = new Set<string>();
	return channels.map((channel, i) => {
		const free = (n: number): string => {
			const name = n === 1 ? channel.type : `${channel.type}-${n}`;
			return taken.has(name) || seen.has(name) ? free(n + 1) : name;
		};
		const name = channel.name ?? free(1);
		if (seen.has(name)) {
			const reason = "another channel has this name";
			throw badParameter({ parameter: `channels.${i}.name`, provided: name, valid_options: [], reason });
		}
		seen.add(name);
		return { ...channel, name };
	});
}

/** @throws ApiError 400 when nothing is stored that a mask could stand for */
function kept(channel: Named, before: StoredNotifications | undefined): Named {
	const old = before?.channels.find(({ name, type }) => name === channel.name && type === channel.type);
	const secrets = new Map<string, string>();
	if (old) eachSecret(old, (path, text) => secrets.set(path, text));
	const isElsewhere = old !== undefined && originOf(old) !== originOf(channel);
	return withPaths(channel, (path, text) => {
		if (!text.includes(MASK)) return text;
		const secret = secrets.get(path);
		if (secret !== undefined && isElsewhere) {
			// Whoever could lead a channel elsewhere and keep its secrets would be sent them.
			const reason = "leads elsewhere, where what is stored is not sent: send the secrets of the channel with it";
			const parameter = `channels.${channel.name}.${addressOf(channel).member}`;
			throw badParameter({ parameter, provided: originOf(channel), valid_options: [], reason });
		}
		if (secret !== undefined) return secret;
		const reason = `is masked, and channel ${channel.name} has no such secret yet: send the secret itself`;
		throw badParameter({ parameter: `channels.${channel.name}.${path}`, provided: MASK, valid_options: [], reason });
	});
}

function addressOf(channel: Named): { readonly member: string; readonly url: string | undefined } {
	switch (channel.type) {
		case "email":
			return { member: "smtp_url", url: channel.smtp_url };
		case "slack":
		case "teams":
			return { member: "webhook_url", url: channel.webhook_url };
		case "webhook":
		case "pagerduty":
			return { member: "url", url: channel.url };
	}
}

/** Undefined where the channel names no address. Sealed addresses show it. */
function originOf(channel: Named): string | undefined {
	const { url } = addressOf(channel);
	if (url === undefined) return undefined;
	const { protocol, host } = new URL(url);
	return `${protocol}//${host}`;
}

function withPaths<T extends object>(channel: T, change: (path: string, text: string) => string): T {
	const entries = Object.entries(channel).map(([name, value]) => {
		if (name !== "headers") return [name, (mapSecrets({ [name]: value }, (text) => change(name, text)) as never)[name]];
		const headers = Object.entries(value as Record<string, string>);
		return [
			name,
			Object.fromEntries(headers.map(([header, text]) => [header, change(`headers.${header.toLowerCase()}`, text)])),
		];
	});
	return Object.fromEntries(entries) as T;
}

function eachSecret(channel: object, hear: (path: string, text: string) => void): void {
	withPaths(channel, (path, text) => {
		hear(path, text);
		return text;
	});
}

/** @throws ApiError 400 for a contact that names a channel which is not there */
function assertKnown(contacts: StoredNotifications["contacts"], channels: readonly Named[]): void {
	const names = channels.map(({ name }) => name);
	for (const [contact, { channels: of }] of Object.entries(contacts)) {
		const unknown = of.find((name) => !names.includes(name));
		if (unknown === undefined) continue;
		const reason = `there is no channel ${unknown}`;
		throw badParameter({ parameter: `contacts.${contact}.channels`, provided: unknown, valid_options: names, reason });
	}
}

function answer(
	config: Definition<StoredNotifications> | undefined,
	failing: readonly FailingChannel[],
	made?: string,
): NotificationsAnswer {
	const channels = config?.body.channels ?? [];
	const named = failing.filter((one) => channels.some(({ name }) => name === one.channel));
	return {
		channels: channels.map((channel) => mapSecrets(channel, masked)),
		contacts: config?.body.contacts ?? {},
		signing_secret: config?.body.secret === undefined ? null : (made ?? MASK),
		updated_at: config?.updated_at.toISOString() ?? null,
		failing: named.map(({ channel, failing_since, last_attempt, last_error, attempts }) => ({
			...{ channel, failing_since: new Date(failing_since).toISOString() },
			...{ last_attempt: new Date(last_attempt).toISOString(), last_error, attempts },
		})),
		warnings: [...channels.flatMap(warningsOf), ...named.map(failingText)],
	};
}

/** The stored address shows where it leads, and nothing of its path. */
function masked(text: string, isAddress: boolean): string {
	if (!isAddress) return MASK;
	const { protocol, host } = new URL(text);
	return `${protocol}//${host}/${MASK}`;
}

function warningsOf(channel: Named): string[] {
	if (channel.type === "teams" && isOldConnector(channel.webhook_url)) {
		return [
			`${channel.name}: Microsoft takes these connectors away. Make a webhook with Workflows in Teams, and use its address`,
		];
	}
	if (channel.type === "slack" && channel.channel !== undefined)
		return [`${channel.name}: Slack ignores \`channel\` where a webhook is bound to one, as those of apps are`];
	return [];
}

function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "definitions");
	});
}
