/** What people and programs get of a report. Pure. */

import type { ReportDocument } from "../../schema/report-document.ts";
import { CONTENT_TYPES } from "../../schema/reports/content-types.ts";
import type { ReportFormat } from "../../schema/wire/index.ts";
import type { Attachment, Mail } from "../notify/channels/types.ts";
import { escapeHtml } from "../notify/escape-html.ts";

export interface ReadyFile {
	readonly format: ReportFormat;
	readonly content: Buffer;
	readonly sha256: string;
	/** Needs no key, and expires. */
	readonly url: string;
}

export interface Letter {
	readonly delivery_id: string;
	readonly report_id: string;
	readonly run_id: string;
	readonly generated_at: string;
	readonly document: ReportDocument;
	/** Of a custom report: what its route answers. */
	readonly data: unknown;
	readonly files: readonly ReadyFile[];
	/** When the links end. */
	readonly links_until: string;
}

/** Mail servers refuse more; what does not fit is behind its link. */
const MAX_ATTACHED_BYTES = 15_000_000;
/** Data that a webhook carries itself; more is behind its link. */
const MAX_INLINE_BYTES = 256 * 1024;
/** Grows when a member goes or changes its meaning; new members do not count. */
const SCHEMA_VERSION = 1;

export function mailOf(letter: Letter, to: string): Mail {
	const { document, files, links_until } = letter;
	const attachments = attached(letter);
	const figures = document.sections.flatMap(({ blocks }) =>
		blocks.flatMap((b) => (b.type === "figures" ? b.items : [])),
	);
	const lines = figures
		.slice(0, 12)
		.map(({ label, value, unit }) => `${label}: ${value ?? "–"}${unit ? ` ${unit}` : ""}`);
	const insights = document.sections.flatMap(({ blocks }) =>
		blocks.flatMap((b) => (b.type === "insights" ? b.items.map(({ text }) => text) : [])),
	);
	const { start, end, timezone } = document.period;
	const period = `${start} to ${end} (${timezone})`;
	const links = files.map(({ format, url }) => `${format.toUpperCase()}: ${url}`);
	const until = `Links until ${links_until}`;
	const escaped = (texts: readonly string[]) => texts.map((text) => `<li>${escapeHtml(text)}</li>`).join("");
	return {
		to: [to],
		// A line of its own in the head of a mail: what stands in a name must not begin another.
		subject: document.title.replace(/[\r\n]+/g, " "),
		text: [
			document.title,
			period,
			lines.join("\n"),
			...(insights.length > 0 ? [insights.join("\n")] : []),
			links.join("\n"),
			until,
		].join("\n\n"),
		html: [
			`<!doctype html><html lang="en"><body style="font-family:sans-serif"><h2>${escapeHtml(document.title)}</h2>`,
			`<p>${escapeHtml(period)}</p><ul>${escaped(lines)}</ul>`,
			...(insights.length > 0 ? [`<ul>${escaped(insights)}</ul>`] : []),
			`<p>${files.map(({ format, url }) => `<a href="${escapeHtml(url)}">${format.toUpperCase()}</a>`).join(" · ")}</p>`,
			`<p style="color:#666">${escapeHtml(until)}</p></body></html>`,
		].join("\n"),
		headers: {
			"Auto-Submitted": "auto-generated",
			"X-Auto-Response-Suppress": "All",
			"X-Tidemark-Report": letter.report_id,
			"X-Tidemark-Run": letter.run_id,
		},
		...{ id: letter.delivery_id, thread: letter.delivery_id, attachments },
	};
}

function attached({ document, files, generated_at }: Letter): Attachment[] {
	// Letters of every alphabet stay; what a file system may trip over goes.
	const name =
		document.title
			.replace(/[^\p{L}\p{N}]+/gu, "-")
			.replace(/^-+|-+$/g, "")
			.slice(0, 100) || "report";
	let bytes = 0;
	return files.flatMap(({ format, content }) => {
		bytes += content.length;
		if (bytes > MAX_ATTACHED_BYTES) return [];
		return [
			{ filename: `${name}-${generated_at.slice(0, 10)}.${format}`, content, contentType: CONTENT_TYPES[format] },
		];
	});
}

/** Body of the webhook. */
export function payloadOf(letter: Letter): string {
	const { document, data, files } = letter;
	const { title, project, period, data_through } = document;
	const inline = { data: data ?? document };
	const isSmall = Buffer.byteLength(JSON.stringify(inline)) <= MAX_INLINE_BYTES;
	return JSON.stringify({
		...{ type: "report.completed", version: SCHEMA_VERSION, timestamp: letter.generated_at },
		data: {
			...{ project, report_id: letter.report_id, run_id: letter.run_id, name: title, period, data_through },
			export_urls: Object.fromEntries(files.map(({ format, url }) => [format, url])),
			files: files.map(({ format, content, sha256 }) => ({ format, bytes: content.length, sha256 })),
			links_until: letter.links_until,
			...(isSmall && files.some(({ format }) => format === "json") ? { report: inline.data } : {}),
		},
	});
}
