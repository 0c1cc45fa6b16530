/** Webhooks as https://www.standardwebhooks.com describes them: an id, a time and a signature over both and the body. */
import { createHmac } from "node:crypto";
import { MAX_LISTED, type Message, type NoticeKind } from "../message.ts";
import type { HttpChannel } from "./types.ts";

const TYPES: Readonly<Record<NoticeKind, string>> = {
	...{ fire: "alert.firing", repeat: "alert.repeated", flapping: "alert.flapping" },
	...{ acknowledge: "alert.acknowledged", resolve: "alert.resolved" },
};
/** Grows when a member goes or changes its meaning; new members do not count. */
const SCHEMA_VERSION = 1;

export const webhook: HttpChannel<"webhook"> = {
	form: "http",
	kinds: ["fire", "repeat", "flapping", "resolve"],
	groups: true,
	isIdempotent: false,
	request(message, { url, headers = {}, secret }, at) {
		const body = JSON.stringify(payload(message));
		return { url, body, headers: { ...lowerCased(headers), ...standardHeaders(message.message_id, body, at, secret) } };
	},
};

/** Of a webhook of any kind. @param at of this attempt, milliseconds since the epoch */
export function standardHeaders(
	id: string,
	body: string,
	at: number,
	secret: string | undefined,
): Record<string, string> {
	const timestamp = String(Math.floor(at / 1_000));
	return {
		"content-type": "application/json",
		"webhook-id": id,
		"webhook-timestamp": timestamp,
		...(secret === undefined ? {} : { "webhook-signature": sign(secret, id, timestamp, body) }),
	};
}

/** So that those of the protocol replace what somebody set by another spelling. */
function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
	return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; the key is the base64 after `whsec_`, or any other text as it is. */
function sign(secret: string, id: string, timestamp: string, body: string): string {
	const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice("whsec_".length), "base64") : Buffer.from(secret);
	return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}

const time = (ms: number) => new Date(ms).toISOString();

function payload(message: Message): object {
	const { kind, at, project, alert_id, name, description, severity, level, labels, isTest, instances } = message;
	return {
		type: TYPES[kind],
		version: SCHEMA_VERSION,
		timestamp: time(at),
		data: {
			...{ project, alert_id, name, description, severity, level, labels, test: isTest },
			...{ runbook_url: message.runbook_url, acknowledge_url: message.acknowledge_url },
			instances: instances.slice(0, MAX_LISTED).map((one) => ({
				...{ instance: one.instance, firing_id: one.firing_id, labels: one.labels, metric: one.metric },
				...{ value: one.value, threshold: one.threshold, message: one.message },
				started_at: time(one.fired_at),
				ended_at: one.resolved_at === null ? null : time(one.resolved_at),
			})),
			total_instances: instances.length,
		},
	};
}
