import type { ReportFormat } from "../wire/index.ts";

/** What a file of a format is called by mail and HTTP. */
export const CONTENT_TYPES: Readonly<Record<ReportFormat, string>> = {
	json: "application/json",
	csv: "text/csv; charset=utf-8; header=present",
	html: "text/html; charset=utf-8",
	pdf: "application/pdf",
};
