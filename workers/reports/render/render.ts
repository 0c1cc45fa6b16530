/** Turns a report into a file. */
import { type ReportDocument, reportDocument } from "../../../schema/report-document.ts";
import type { ReportFormat } from "../../../schema/wire/index.ts";
import { renderCsv } from "./csv.ts";
import { renderInChild, type SandboxOptions } from "./sandbox.ts";

/**
 * The report as a file of the format; the same report is always the same bytes. JSON and CSV hold all of it as it is.
 * HTML and PDF are drawn in a process of their own, which has no rights but to read files, and are bounded: of very long
 * tables they show the first rows and say so.
 *
 * @throws RenderError when drawing takes too long, too much memory or fails, or `signal` ends it.
 * @throws ZodError when this is no report.
 */
export async function renderReport(
	document: ReportDocument,
	format: ReportFormat,
	options: SandboxOptions = {},
): Promise<Buffer> {
	// Its members in one order, whoever put it together.
	const report = reportDocument.parse(document);
	if (format === "json") return Buffer.from(`${JSON.stringify(report, null, "\t")}\n`);
	if (format === "csv") return Buffer.from(renderCsv(report));
	return await renderInChild({ format, report }, options);
}
