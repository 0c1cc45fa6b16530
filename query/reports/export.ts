/** `/exports/{file}`: a file of a report, without a key; the token is signed and expires. */
import type { Context } from "hono";
import { z } from "zod";
import type { AppEnv } from "../../http/env.ts";
import { ApiError } from "../../http/errors.ts";
import { parseQuery } from "../../http/validate.ts";
import type { Definitions } from "../../schema/definitions.ts";
import type { JobStore } from "../../schema/jobs.ts";
import { CONTENT_TYPES } from "../../schema/reports/content-types.ts";
import type { ReportFiles } from "../../schema/reports/files.ts";
import { readExportToken } from "../../schema/reports/links.ts";
import { RUN_KIND, runState } from "../../schema/reports/runs.ts";
import type { SecretBox } from "../../schema/secret-box.ts";
import type { StoredReport } from "../../schema/wire/index.ts";
import { clickHouseError } from "../run.ts";

export const exportQuery = z.strictObject({
	token: z.string().max(2_000).describe("Which file, until when, and a signature over both: part of the link."),
});

interface Deps {
	readonly box: SecretBox;
	readonly reports: Definitions<StoredReport>;
	readonly jobs: JobStore;
	readonly files: ReportFiles;
	readonly now: () => number;
}

/** @throws ApiError 403 for a link that was not made here, 410 for one that is over */
export async function exportFile(c: Context<AppEnv>, { box, reports, jobs, files, now }: Deps): Promise<Response> {
	const { token } = parseQuery(c, exportQuery);
	const name = c.req.param("file") ?? "";
	const link = readExportToken(name, token, box);
	if (!link) throw new ApiError(403, "This link is not valid: it was not made here, or not all of it was copied");
	if (link.expires_at <= now()) throw new ApiError(410, "This link has expired: ask for the report again");
	const { project, report_id, run_id, format } = link;
	const find = async () => {
		const [report, job] = await Promise.all([reports.get(project, report_id), jobs.get(project, RUN_KIND, run_id)]);
		const state = runState.parse(job?.state ?? {});
		const file = job?.status === "completed" ? state.files.find((one) => one.name === format) : undefined;
		return report && file && (await files.read({ project, report_id, run_id, attempt: state.attempt }, file));
	};
	const content = await find().catch((error: unknown) => {
		throw clickHouseError(error, "exports");
	});
	if (!content) throw new ApiError(410, "This file is gone: the report was deleted, or is not kept any longer");
	return c.body(new Uint8Array(content), 200, {
		"Content-Type": CONTENT_TYPES[format],
		"Content-Disposition": `attachment; filename="${name}"`,
		"Cache-Control": "private, no-store",
		"X-Content-Type-Options": "nosniff",
		// Should a browser show it all the same, it shows and does nothing.
		"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
	});
}
