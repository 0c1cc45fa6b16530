/** `/v1/monitoring/data-requests`: what is known of one person, erased or handed out. */
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { ApiError, notFound } from "../../../http/errors.ts";
import { base58 } from "../../../http/secret.ts";
import { parseBody, parseQuery } from "../../../http/validate.ts";
import type { AuditLog } from "../../../schema/audit.ts";
import { sha256 } from "../../../schema/canonical-json.ts";
import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { dataRequests, JOB_KIND_OF, openWhom, type StoredRequest, sealWhom } from "../../../schema/data-requests.ts";
import type { Definition } from "../../../schema/definitions.ts";
import { type Job, JobStore } from "../../../schema/jobs.ts";
import type { SecretBox } from "../../../schema/secret-box.ts";
import { exportedRows } from "../../../schema/subject/export.ts";
import { subjectOfIds } from "../../../schema/subject/identify.ts";
import {
	type DataCertificate,
	type DataRequestAnswer,
	dataRequestBody,
	dataRequestsQuery,
} from "../../../schema/wire/index.ts";
import { clickHouseError } from "../../run.ts";
import { LINES, PATH } from "./docs.ts";

export interface DataRequestDeps {
	readonly client: ClickHouse;
	readonly audit: Pick<AuditLog, "append">;
	readonly box: SecretBox;
	readonly requireRole: RequireRole;
	readonly now?: (() => number) | undefined;
}

const noParameters = z.strictObject({});

/** Requests of the asking key's project; one of another project is not found, like one that never was. */
export function dataRequestRoutes({ client, audit, box, requireRole, now = Date.now }: DataRequestDeps): Hono<AppEnv> {
	const requests = dataRequests(client, now);
	const jobs = new JobStore(client, now);
	const admin = requireRole("admin");
	const found = async (c: Context<AppEnv>) => {
		const request = await stored(requests.get(c.get("key").project, c.req.param("id")!));
		if (!request) throw notFound("Data request");
		return request;
	};
	// A request whose job could not be asked for is not lost: asking twice is asking once.
	const jobOf = ({ project, id: job_id, body: { type, sealed } }: Definition<StoredRequest>) => {
		const kind = JOB_KIND_OF[type];
		return stored(
			sealed === null ? jobs.get(project, kind, job_id) : jobs.create({ project, kind, job_id, input: {} }),
		);
	};

	return new Hono<AppEnv>()
		.post(PATH, admin, async (c) => {
			parseQuery(c, noParameters);
			const { type, user_id, reason, free_text } = await parseBody(c, dataRequestBody);
			const { project, key_id } = c.get("key");
			const request_id = `dr_${base58(randomBytes(12))}`;
			const at = now();
			const subject_sha256 = sha256([request_id, user_id]);
			const request = await stored(
				requests.put(project, request_id, {
					...{ type, subject_sha256, requested_by: key_id, requested_at: at, expires_at: null },
					sealed: sealWhom({ user_id, reason }, box, project, request_id),
					free_text: free_text ?? null,
					// The next second: rows say when they were received in seconds.
					before_s: Math.floor(at / 1_000) + 1,
				}),
			);
			await stored(
				audit.append({
					...{ project, actor: key_id, action: "data_request.create", target: request_id },
					...{ detail: { type, subject_sha256 }, request_id: c.get("requestId") },
				}),
			);
			return c.json(answer(request, await jobOf(request), box, now()), 202);
		})
		.get(PATH, admin, async (c) => {
			const { type, limit } = parseQuery(c, dataRequestsQuery);
			const { project } = c.get("key");
			const all = (await stored(requests.list(project)))
				.filter(({ body }) => (type ?? body.type) === body.type)
				.sort((a, b) => b.body.requested_at - a.body.requested_at);
			const shown = all.slice(0, limit);
			const data_requests = await Promise.all(shown.map(async (one) => answer(one, await jobOf(one), box, now())));
			return c.json({ data_requests, total: all.length });
		})
		.get(`${PATH}/:id`, admin, async (c) => {
			parseQuery(c, noParameters);
			const request = await found(c);
			return c.json(answer(request, await jobOf(request), box, now()));
		})
		.get(`${PATH}/:id/download`, admin, async (c) => {
			parseQuery(c, noParameters);
			const request = await found(c);
			const { project, id, body } = request;
			const { download, status } = answer(request, await jobOf(request), box, now());
			if (body.type !== "export") throw notFound("Download");
			if (download === null) {
				throw status === "completed"
					? new ApiError(410, "The export is over: ask for it again")
					: new ApiError(409, `The export is ${status}`, { extra: { status } });
			}
			const { ids = [] } = openWhom(body.sealed!, box, project, id);
			const subject = await stored(subjectOfIds(client, ids, body.free_text));
			await stored(
				audit.append({
					...{ project, actor: c.get("key").key_id, action: "data_request.download", target: id },
					...{ detail: { subject_sha256: body.subject_sha256 }, request_id: c.get("requestId") },
				}),
			);
			const rows = exportedRows(client, { project, before_s: body.before_s, subject, signal: c.req.raw.signal });
			const bytes = (async function* () {
				for await (const chunk of rows) yield chunk.bytes;
			})();
			return c.body(Readable.toWeb(Readable.from(bytes, { objectMode: false })) as ReadableStream, 200, {
				"Content-Type": LINES,
				"Content-Disposition": `attachment; filename="${id}.ndjson"`,
			});
		});
}

/** @param job undefined while it is being asked for */
function answer(
	{ project, id, body }: Definition<StoredRequest>,
	job: Job | undefined,
	box: SecretBox,
	now: number,
): DataRequestAnswer {
	const isOver = body.expires_at !== null && body.expires_at <= now;
	const whom = body.sealed === null || isOver ? undefined : openWhom(body.sealed, box, project, id);
	const certificate = (job?.state as { certificate?: DataCertificate | null } | undefined)?.certificate ?? null;
	const isDone = job?.status === "completed";
	return {
		...{ request_id: id, type: body.type, status: job?.status ?? "queued", progress: job?.progress ?? 0 },
		...{ requested_by: body.requested_by, requested_at: new Date(body.requested_at).toISOString() },
		received_before: new Date(body.before_s * 1_000).toISOString(),
		...{ user_id: whom?.user_id ?? null, reason: whom?.reason ?? null },
		...{ subject_sha256: body.subject_sha256, free_text: body.free_text },
		certificate: isDone ? certificate : null,
		download: body.type === "export" && isDone && whom ? `${PATH}/${id}/download` : null,
		expires_at: body.expires_at === null ? null : new Date(body.expires_at).toISOString(),
		error: job?.error ?? null,
	};
}

function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "data requests");
	});
}
