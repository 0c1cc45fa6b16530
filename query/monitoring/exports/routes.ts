/** `/v1/monitoring/exports`: records as files. A worker writes them; here it is asked, and its files are handed out. */
import { randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { ApiError, notFound } from "../../../http/errors.ts";
import type { RouteDoc } from "../../../http/openapi.ts";
import { base58 } from "../../../http/secret.ts";
import { parseBody, parseQuery } from "../../../http/validate.ts";
import type { AuditLog } from "../../../schema/audit.ts";
import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { Definitions } from "../../../schema/definitions.ts";
import { DESTINATION_KIND, EXPORT_KIND } from "../../../schema/export-job.ts";
import { type Job, JobStore } from "../../../schema/jobs.ts";
import {
	destinationBody,
	downloadQuery,
	exportAnswer,
	exportBody,
	exportsAnswer,
	exportsQuery,
} from "../../../schema/wire/index.ts";
import { clickHouseError } from "../../run.ts";
import { exportAnswerOf, EXPORTS_PATH as PATH } from "./answers.ts";
import { exportInputOf } from "./ask.ts";
import { download } from "./download.ts";

const noParameters = z.strictObject({});
const of = (method: "get" | "post", path: string, role: "analytics_editor" | "analytics_viewer") =>
	({ method, path, role, tag: "Monitoring" }) as const;

export const EXPORT_DOCS: readonly RouteDoc[] = [
	{
		...of("post", PATH, "analytics_editor"),
		summary: "Export metrics, events, logs and errors as files, to a bucket or to download",
		description:
			"A job does it: ask for its status, or wait with the SDK. Files hold about a million rows each; manifest.json, written last, lists them with rows, bytes and sha256. A line of json is the record as POST /v1/ingest/batch takes it. There is no limit of rows.",
		body: exportBody,
		answers: { 202: exportAnswer },
	},
	{
		...of("get", PATH, "analytics_viewer"),
		summary: "List exports, newest first",
		query: exportsQuery,
		answers: { 200: exportsAnswer },
	},
	{
		...of("get", `${PATH}/{id}`, "analytics_viewer"),
		summary: "How an export stands: status and progress, and once it is completed rows, bytes, checksums and parts",
		answers: { 200: exportAnswer },
	},
	{
		...of("get", `${PATH}/{id}/download`, "analytics_viewer"),
		summary: "The files of an export to download: the part, or a tar archive where there are several",
		query: downloadQuery,
		answers: { 200: z.string().describe("The file, with its own content type.") },
		answerType: "application/octet-stream",
	},
	{
		...of("post", `${PATH}/{id}/cancel`, "analytics_editor"),
		summary: "Give up an export; what it has written is removed",
		answers: { 202: exportAnswer },
	},
];

export interface ExportDeps {
	readonly client: ClickHouse;
	readonly audit: AuditLog;
	readonly requireRole: RequireRole;
	readonly now?: () => number;
	/** Of the files to download, shared with the workers, and how long they are kept. */
	readonly exports: { readonly folder: string; readonly retention_ms: number };
}

/** Exports of the asking key's project; one of another project is not found, like one that never was. */
export function exportRoutes(deps: ExportDeps): Hono<AppEnv> {
	const now = deps.now ?? Date.now;
	const jobs = new JobStore(deps.client, now);
	const destinations = new Definitions(deps.client, DESTINATION_KIND, destinationBody, now);
	const viewer = deps.requireRole("analytics_viewer");
	const editor = deps.requireRole("analytics_editor");
	const projectOf = (c: Context<AppEnv>) => c.get("key").project;
	const find = async (c: Context<AppEnv>): Promise<Job> => {
		const job = await stored(jobs.get(projectOf(c), EXPORT_KIND, c.req.param("id") ?? ""));
		if (!job) throw notFound("Export");
		return job;
	};
	const answer = (job: Job) => exportAnswerOf(job, { retention_ms: deps.exports.retention_ms, now: now() });
	const record = (c: Context<AppEnv>, action: string, target: string, detail: Record<string, unknown>) => {
		const { project, key_id: actor } = c.get("key");
		return stored(deps.audit.append({ project, actor, action, target, detail, request_id: c.get("requestId") }));
	};
	return new Hono<AppEnv>()
		.post(PATH, editor, async (c) => {
			parseQuery(c, noParameters);
			const body = await parseBody(c, exportBody);
			const project = projectOf(c);
			const known = body.destination === "local" ? [] : await stored(destinations.list(project));
			const input = exportInputOf(body, known, now());
			const job_id = `exp_${base58(randomBytes(12))}`;
			const { data, format, start, end } = input;
			await record(c, "export.create", job_id, { data, format, start, end, destination: body.destination });
			const job = await stored(jobs.create({ project, kind: EXPORT_KIND, job_id, input }));
			return c.json(answer(job), 202);
		})
		.get(PATH, viewer, async (c) => {
			const { limit } = parseQuery(c, exportsQuery);
			const list = await stored(jobs.list(projectOf(c), { kind: EXPORT_KIND, limit }));
			return c.json({ exports: list.map(answer) });
		})
		.get(`${PATH}/:id`, viewer, async (c) => {
			parseQuery(c, noParameters);
			return c.json(answer(await find(c)));
		})
		.get(`${PATH}/:id/download`, viewer, async (c) => {
			const { part } = parseQuery(c, downloadQuery);
			const job = await find(c);
			const response = await download(c, job, part, { ...deps.exports, now });
			await record(c, "export.download", job.job_id, { part: part ?? null });
			return response;
		})
		.post(`${PATH}/:id/cancel`, editor, async (c) => {
			parseQuery(c, noParameters);
			const job = await find(c);
			if (!(await stored(jobs.cancel(job.project, EXPORT_KIND, job.job_id)))) {
				throw new ApiError(409, `The export is ${job.status}: there is nothing left to give up`);
			}
			await record(c, "export.cancel", job.job_id, {});
			return c.json(answer(await find(c)), 202);
		});
}

function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "exports");
	});
}
