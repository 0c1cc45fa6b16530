/** All types of channels: another one is another line, and its schema in `schema/wire/notifications.ts`. */
import { email } from "./email.ts";
import { pagerduty } from "./pagerduty.ts";
import { slack } from "./slack.ts";
import { teams } from "./teams.ts";
import type { ChannelType, HttpChannel, MailChannel } from "./types.ts";
import { webhook } from "./webhook.ts";

export const CHANNELS = { email, webhook, slack, pagerduty, teams } as const satisfies {
	readonly [T in ChannelType]: T extends "email" ? MailChannel : HttpChannel<T>;
};
