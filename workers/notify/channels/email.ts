/** Mail: the same as HTML and as text. */
import { escapeHtml } from "../escape-html.ts";
import { linesOf, type Message, titleOf } from "../message.ts";
import type { MailChannel } from "./types.ts";

export const email: MailChannel = {
	form: "mail",
	kinds: ["fire", "repeat", "flapping", "resolve"],
	groups: true,
	isIdempotent: false,
	mail(message, { recipients }) {
		const title = titleOf(message);
		return {
			to: recipients,
			// A line of its own in the head of a mail: what stands in a name must not begin another.
			subject: title.replace(/[\r\n]+/g, " "),
			text: text(message, title),
			html: html(message, title),
			headers: {
				"Auto-Submitted": "auto-generated",
				"X-Auto-Response-Suppress": "All",
				"X-Tidemark-Alert": message.alert_id,
				...(message.severity === "critical" && message.kind !== "resolve" ? { "X-Priority": "1" } : {}),
			},
			id: message.message_id,
			thread: message.isTest ? message.message_id : message.instances[0]!.firing_id,
		};
	},
};

const TEST_NOTE = "This is a test. Nothing has happened.";

function text(message: Message, title: string): string {
	return [
		title,
		...(message.isTest ? [TEST_NOTE] : []),
		...(message.description === "" ? [] : [message.description]),
		linesOf(message).join("\n"),
		...(message.acknowledge_url === null ? [] : [`Acknowledge: ${message.acknowledge_url}`]),
		...(message.runbook_url === null ? [] : [`Runbook: ${message.runbook_url}`]),
		`Project ${message.project}, alert ${message.alert_id}`,
	].join("\n\n");
}

function html(message: Message, title: string): string {
	const link = (name: string, url: string) => `<p><a href="${escapeHtml(url)}">${name}</a></p>`;
	return [
		`<!doctype html><html lang="en"><body style="font-family:sans-serif"><h2>${escapeHtml(title)}</h2>`,
		...(message.isTest ? [`<p><strong>${TEST_NOTE}</strong></p>`] : []),
		...(message.description === "" ? [] : [`<p>${escapeHtml(message.description)}</p>`]),
		`<ul>${linesOf(message)
			.map((line) => `<li>${escapeHtml(line)}</li>`)
			.join("")}</ul>`,
		...(message.acknowledge_url === null ? [] : [link("Acknowledge", message.acknowledge_url)]),
		...(message.runbook_url === null ? [] : [link("Runbook", message.runbook_url)]),
		`<p style="color:#666">Project ${escapeHtml(message.project)}, alert ${escapeHtml(message.alert_id)}</p></body></html>`,
	].join("\n");
}
