/** Where people are told of alerts: channels of a project, and the contacts that rules and escalation levels name. */
import { z } from "zod";
import { isSealed } from "../secret-box.ts";
import { MASK, severityMapping } from "./alert-rules.ts";
import { timestamp } from "./common.ts";

export const CHANNEL_TYPES = ["email", "webhook", "slack", "pagerduty", "teams"] as const;
const MAX_CHANNELS = 100;
const MAX_CONTACTS = 500;
const MAX_RECIPIENTS = 50;
const MAX_SECRET = 2_000;

const name = z.string().trim().min(1).max(200);
/** Sealed it is longer than what somebody may send. */
const secret = z
	.string()
	.min(1)
	.refine((text) => text.length <= MAX_SECRET || isSealed(text.slice(text.lastIndexOf("/") + 1)), "is too long")
	.describe(`Not answered: an answer has ${MASK} in its place, which sent back keeps the stored one.`);
const address = (protocol: RegExp) => z.url({ protocol }).and(secret);
const headers = z
	.record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "is no name of a header"), secret)
	.refine((given) => Object.keys(given).length <= 20, "at most 20 headers")
	.describe("Values are secrets: they are not answered.");

const common = {
	name: name.optional().describe("Default: its type, with a number from the second of a type on."),
	default: z.boolean().default(true).describe("Told of rules that name nobody, and for contacts that are not known."),
};

const channel = z.discriminatedUnion("type", [
	z.strictObject({
		...{ type: z.literal("email"), ...common },
		recipients: z.array(z.email()).min(1).max(MAX_RECIPIENTS),
		from: z.string().min(3).max(320).optional().describe("Sender. Default: TIDEMARK_MAIL_FROM."),
		smtp_url: address(/^smtps?$/)
			.optional()
			.describe("smtp(s)://user:password@host:port. Default: TIDEMARK_SMTP_URL."),
	}),
	z.strictObject({
		...{ type: z.literal("webhook"), ...common },
		url: address(/^https?$/),
		headers: headers.optional(),
		secret: secret.optional().describe("Of the signature, whsec_ and base64. Default: `signing_secret`."),
	}),
	z.strictObject({
		...{ type: z.literal("slack"), ...common },
		webhook_url: address(/^https?$/),
		channel: z.string().min(1).max(200).optional(),
	}),
	z.strictObject({
		...{ type: z.literal("pagerduty"), ...common },
		integration_key: secret,
		severity_mapping: severityMapping.optional(),
		url: address(/^https?$/)
			.optional()
			.describe("Of the Events API. Default: https://events.pagerduty.com/v2/enqueue."),
	}),
	z.strictObject({
		...{ type: z.literal("teams"), ...common },
		webhook_url: address(/^https?$/).describe("Of a Workflows webhook."),
		format: z.enum(["adaptive_card"]).optional(),
	}),
]);
export type Channel = z.infer<typeof channel>;

const contact = z
	.strictObject({
		channels: z.array(name).max(MAX_RECIPIENTS).default([]).describe("Names of channels."),
		email: z
			.preprocess((given) => (typeof given === "string" ? [given] : given), z.array(z.email()).max(MAX_RECIPIENTS))
			.default([]),
	})
	.refine(({ channels, email }) => channels.length + email.length > 0, "names neither a channel nor an address");

const fields = {
	channels: z.array(channel).max(MAX_CHANNELS),
	contacts: z
		.record(name, contact)
		.default({})
		.refine((given) => Object.keys(given).length <= MAX_CONTACTS, `at most ${MAX_CONTACTS} contacts`)
		.describe("Whom rules and escalation levels name, such as oncall_primary."),
	signing_secret: z
		.string()
		.regex(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/, "is no whsec_ and base64 of 24 bytes or more")
		.optional()
		.describe("Signs webhooks that have no secret of their own. Default: one is made, and answered once."),
};
export const notificationsBody = z.strictObject(fields);
export type NewNotifications = z.input<typeof notificationsBody>;

/** Under which the one definition of a project is stored. */
export const NOTIFICATIONS_KIND = "notification_channels";
export const NOTIFICATIONS_ID = "channels";

/** What is stored: every channel has a name, and secrets are sealed. */
export const storedNotifications = z.object({
	channels: z.array(channel.and(z.object({ name }))),
	contacts: fields.contacts,
	secret: secret.optional(),
});
export type StoredNotifications = z.infer<typeof storedNotifications>;

export const notificationsAnswer = z.object({
	channels: z.array(z.looseObject({ type: z.enum(CHANNEL_TYPES), name })).describe("Secrets are masked."),
	contacts: z.record(name, z.object({ channels: z.array(z.string()), email: z.array(z.string()) })),
	signing_secret: z.string().nullable().describe("Of webhooks, masked unless this request made it."),
	updated_at: timestamp.nullable().describe("Null before channels are configured."),
	failing: z
		.array(
			z.object({
				channel: z.string(),
				failing_since: timestamp,
				last_attempt: timestamp,
				last_error: z.string(),
				attempts: z.number().int().describe("That failed since the last message that arrived."),
			}),
		)
		.describe("Channels that took no message since one failed; a test or the next message that arrives ends it."),
	warnings: z.array(z.string()).describe("What is accepted, and may not do what it seems to."),
});
export type NotificationsAnswer = z.infer<typeof notificationsAnswer>;
