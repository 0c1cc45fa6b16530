/** The kinds of job `erasure` and `subject_access`: what a person may ask of what is known about them. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { AuditLog } from "../../schema/audit.ts";
import { sha256 } from "../../schema/canonical-json.ts";
import { dataRequests, JOB_KIND_OF, openWhom, type StoredRequest, sealWhom } from "../../schema/data-requests.ts";
import type { Definition } from "../../schema/definitions.ts";
import type { SecretBox } from "../../schema/secret-box.ts";
import { exportedRows } from "../../schema/subject/export.ts";
import { idsOf, subjectOfIds } from "../../schema/subject/identify.ts";
import { SUBJECT_RULES } from "../../schema/subject/tables.ts";
import type { Subject } from "../../schema/subject/terms.ts";
import { type DataCertificate, dataCertificate, type TableCount } from "../../schema/wire/index.ts";
import { defineJob, type JobContext, type JobKind, PermanentJobError } from "../jobs/job.ts";
import { type ErasureState, erase } from "./erase.ts";
import { forgetWhom } from "./forget.ts";
import type { Place } from "./mutations.ts";

export interface DataRightsOptions extends Place {
	readonly box: SecretBox;
	readonly audit: Pick<AuditLog, "append">;
	/** Every record that was acknowledged before this instant is in its tables; milliseconds since the epoch. */
	readonly storedThrough: () => Promise<number>;
	readonly now?: () => number;
	/** Told when rows are gone, at once: an ingest of the same process. Others look. */
	readonly onErased?: () => void;
}

/** Days that what was asked for can be downloaded. */
const EXPORT_DAYS = 7;
const DAY_MS = 86_400_000;
const WAIT_MS = 200;
/** What a person asked for must come, also when ClickHouse is away for a while. */
const ATTEMPTS = 20;

const input = z.strictObject({});
const reached: z.ZodType<ErasureState> = z.strictObject({
	found: z.array(z.number()),
	subtracted: z.array(z.string()),
	done: z.number(),
});
const erasureState = z.strictObject({ reached: reached.nullable(), certificate: dataCertificate.nullable() });
const exportState = z.strictObject({ certificate: dataCertificate.nullable() });

export function dataRightsJobs(options: DataRightsOptions): JobKind[] {
	const { client, now = Date.now } = options;
	const requests = dataRequests(client, now);

	/** Who is meant, once all that is meant is stored. The ids are kept before the first of their rows goes. */
	async function prepare({
		project,
		job_id,
		signal,
	}: Pick<JobContext<unknown, unknown>, "project" | "job_id" | "signal">) {
		const request = await requests.get(project, job_id);
		if (!request?.body.sealed) throw new PermanentJobError("the request is not there any more");
		const { body } = request;
		while ((await options.storedThrough()) < body.before_s * 1_000) await sleep(WAIT_MS, undefined, { signal });
		const whom = openWhom(request.body.sealed, options.box, project, job_id);
		const ids = whom.ids ?? (await idsOf(client, project, whom.user_id));
		if (!whom.ids) {
			const sealed = sealWhom({ ...whom, ids }, options.box, project, job_id);
			await requests.put(project, job_id, { ...body, sealed });
		}
		return { request, subject: await subjectOfIds(client, ids, body.free_text) };
	}

	function certify(
		{ project, id, body }: Definition<StoredRequest>,
		subject: Subject,
		tables: TableCount[],
		exported: DataCertificate["export"],
	): DataCertificate {
		const said = {
			...{ request_id: id, project, type: body.type, subject_sha256: body.subject_sha256, ids: subject.ids.length },
			received_before: new Date(body.before_s * 1_000).toISOString(),
			completed_at: new Date(now()).toISOString(),
			...{ tables, export: exported },
		};
		const hash = sha256(said);
		return { ...said, sha256: hash, ...options.box.signer.sign(hash) };
	}

	/** Once, however often it is begun again. */
	async function record(certificate: DataCertificate): Promise<void> {
		const { project, request_id, type } = certificate;
		const action = type === "erase" ? "data.erase" : "data.export";
		const result = await client.query({
			query: `SELECT 1 FROM audit_log WHERE project = {project:String} AND action = {action:String} AND target = {request_id:String} LIMIT 1`,
			query_params: { project, action, request_id },
			format: "JSONCompactEachRow",
		});
		if ((await result.json()).length > 0) return;
		const tables = certificate.tables.filter(({ rows_found }) => rows_found > 0);
		const { subject_sha256, sha256: certificate_sha256, received_before, export: exported } = certificate;
		const detail = { subject_sha256, certificate_sha256, received_before, tables, ...(exported ? { exported } : {}) };
		await options.audit.append({ project, actor: "system", action, target: request_id, detail });
	}

	const erasure = defineJob({
		kind: JOB_KIND_OF.erase,
		...{ input, state: erasureState, concurrency: 1, attempts: Number.POSITIVE_INFINITY },
		// Rows are taken out of the sums before they go. An erasure that ended in between, or another that finds the same rows before
		// they are gone, would leave the sums wrong for good.
		inTurn: true,
		async run({ project, job_id, state, signal, checkpoint, progress }) {
			let certificate = state?.certificate;
			if (!certificate) {
				const { request, subject } = await prepare({ project, job_id, signal });
				const { before_s } = request.body;
				const work = { place: options, project, request_id: job_id, before_s, subject, signal };
				const tables = await erase(work, state?.reached ?? undefined, async (reached) => {
					await checkpoint({ reached, certificate: null });
					progress(reached.done / SUBJECT_RULES.length);
				});
				options.onErased?.();
				certificate = certify(request, subject, tables, null);
				await checkpoint({ reached: null, certificate });
			}
			await record(certificate);
			const request = await requests.get(project, job_id);
			await forgetWhom(options, requests, request ? [request] : []);
			return { reached: null, certificate };
		},
	});

	const access = defineJob({
		kind: JOB_KIND_OF.export,
		...{ input, state: exportState, attempts: ATTEMPTS, concurrency: 1 },
		async run({ project, job_id, state, signal, checkpoint }) {
			let certificate = state?.certificate;
			if (!certificate) {
				const { request, subject } = await prepare({ project, job_id, signal });
				const hash = createHash("sha256");
				const rows = new Map<string, number>();
				let bytes = 0;
				const { before_s } = request.body;
				for await (const chunk of exportedRows(client, { project, before_s, subject, signal })) {
					hash.update(chunk.bytes);
					bytes += chunk.bytes.length;
					rows.set(chunk.table, (rows.get(chunk.table) ?? 0) + linesIn(chunk.bytes));
				}
				const tables = [...rows].map(
					([table, n]): TableCount => ({ table, action: "export", rows_found: n, rows_left: null }),
				);
				const all = tables.reduce((sum, { rows_found }) => sum + rows_found, 0);
				certificate = certify(request, subject, tables, { rows: all, bytes, sha256: hash.digest("hex") });
				await requests.put(project, job_id, {
					...(await requests.get(project, job_id))!.body,
					expires_at: now() + EXPORT_DAYS * DAY_MS,
				});
				await checkpoint({ certificate });
			}
			await record(certificate);
			return { certificate };
		},
	});
	return [erasure, access];
}

function linesIn(bytes: Buffer): number {
	let lines = 0;
	for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines++;
	return lines;
}
