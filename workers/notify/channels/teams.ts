/** Microsoft Teams: an Adaptive Card to a Workflows webhook. */
import { linesOf, titleOf } from "../message.ts";
import type { HttpChannel } from "./types.ts";

const STYLES = { low: "accent", medium: "warning", high: "attention", critical: "attention" } as const;

export const teams: HttpChannel<"teams"> = {
	form: "http",
	kinds: ["fire", "repeat", "flapping", "resolve"],
	groups: true,
	isIdempotent: false,
	request(message, { webhook_url }) {
		const color = message.kind === "resolve" ? "good" : STYLES[message.severity];
		const actions = [
			...(message.acknowledge_url === null ? [] : [openUrl("Acknowledge", message.acknowledge_url)]),
			...(message.runbook_url === null ? [] : [openUrl("Runbook", message.runbook_url)]),
		];
		const card = {
			$schema: "http://adaptivecards.io/schemas/adaptive-card.json",
			type: "AdaptiveCard",
			version: "1.4",
			body: [
				{ ...textBlock(titleOf(message)), size: "Large", weight: "Bolder", color },
				...linesOf(message).map(textBlock),
			],
			...(actions.length === 0 ? {} : { actions }),
			msteams: { width: "Full" },
		};
		const body = {
			type: "message",
			attachments: [{ contentType: "application/vnd.microsoft.card.adaptive", contentUrl: null, content: card }],
		};
		return { url: webhook_url, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
	},
	/** The old connectors answer 200 whatever happens, and say what did in the body. */
	refusal(body) {
		return /Microsoft Teams endpoint returned HTTP error (\d+)/.exec(body)?.[0];
	},
};

/** Text blocks read Markdown: what stands in labels is text. */
function textBlock(text: string) {
	return { type: "TextBlock", text: text.replace(/[\\`*_[\]]/g, "\\$&"), wrap: true };
}

function openUrl(title: string, url: string): object {
	return { type: "Action.OpenUrl", title, url };
}
