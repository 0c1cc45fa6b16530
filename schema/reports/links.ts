/** Links by which a file of a report is read without a key: they say which file, until when, and are signed. */
import type { SecretBox } from "../secret-box.ts";
import { REPORT_FORMATS, type ReportFormat } from "../wire/index.ts";

export const EXPORT_PATH = "/exports";
/** How long a link is good for. */
export const EXPORT_LINK_MS = 24 * 3_600_000;
/** Of those that are sent to people, who may be on holiday. */
export const MAILED_LINK_MS = 14 * 24 * 3_600_000;

export interface ExportLink {
	readonly project: string;
	readonly report_id: string;
	readonly run_id: string;
	readonly format: ReportFormat;
	/** Milliseconds since the epoch. */
	readonly expires_at: number;
}

/** Path and query, to be put behind the address of the server. */
export function exportPath(link: ExportLink, box: SecretBox): string {
	const { project, report_id, run_id, format, expires_at } = link;
	const text = Buffer.from(JSON.stringify([project, report_id, run_id, format, expires_at])).toString("base64url");
	return `${EXPORT_PATH}/${report_id}.${format}?token=${text}.${box.sign(`export ${text}`)}`;
}

/** @returns undefined for a token that nobody here has signed, or not for this file */
export function readExportToken(file: string, token: string, box: SecretBox): ExportLink | undefined {
	const [text = "", signed = ""] = token.split(".");
	if (!box.verify(`export ${text}`, signed)) return undefined;
	const [project, report_id, run_id, format, expires_at] = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
	if (file !== `${report_id}.${format}` || !REPORT_FORMATS.includes(format)) return undefined;
	return { project, report_id, run_id, format, expires_at };
}
