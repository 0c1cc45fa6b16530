/** Slack's incoming webhooks: blocks, and the text that notifications and old clients show. */
import { linesOf, type Message, titleOf } from "../message.ts";
import type { HttpChannel } from "./types.ts";

const MAX_SECTION = 2_900;
const MAX_HEADER = 150;
const COLORS = { low: "#2f81f7", medium: "#d29922", high: "#db6d28", critical: "#cf222e" } as const;
const RESOLVED = "#2da44e";

export const slack: HttpChannel<"slack"> = {
	form: "http",
	kinds: ["fire", "repeat", "flapping", "resolve"],
	groups: true,
	isIdempotent: false,
	request(message, { webhook_url, channel }) {
		const title = titleOf(message);
		const body = {
			// Slack ignores it for webhooks that are bound to a channel; others obey.
			...(channel === undefined ? {} : { channel }),
			text: escapeText(title),
			attachments: [
				{ color: message.kind === "resolve" ? RESOLVED : COLORS[message.severity], blocks: blocks(message, title) },
			],
		};
		return { url: webhook_url, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
	},
};

function blocks(message: Message, title: string): object[] {
	const buttons = [
		...(message.acknowledge_url === null ? [] : [button("Acknowledge", message.acknowledge_url)]),
		...(message.runbook_url === null ? [] : [button("Runbook", message.runbook_url)]),
	];
	const text = linesOf(message).map(escapeText).join("\n");
	return [
		{ type: "header", text: { type: "plain_text", text: title.slice(0, MAX_HEADER), emoji: false } },
		{ type: "section", text: { type: "mrkdwn", text: text.slice(0, MAX_SECTION) || " " } },
		...(buttons.length === 0 ? [] : [{ type: "actions", elements: buttons }]),
	];
}

function button(text: string, url: string): object {
	return { type: "button", text: { type: "plain_text", text }, url };
}

/** The three characters that mean something to Slack; without this a label could mention everybody. */
function escapeText(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
