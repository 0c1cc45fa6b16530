/** Reports of both documents: defined, run, listed, deleted; workers make them. */
import { randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../http/auth.ts";
import type { AppEnv } from "../../http/env.ts";
import { badParameter, notFound } from "../../http/errors.ts";
import { base58 } from "../../http/secret.ts";
import { parseBody, parseQuery } from "../../http/validate.ts";
import type { AuditLog } from "../../schema/audit.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../schema/definitions.ts";
import { JobStore } from "../../schema/jobs.ts";
import { Deliveries } from "../../schema/reports/deliveries.ts";
import { ReportFiles } from "../../schema/reports/files.ts";
import { EXPORT_PATH } from "../../schema/reports/links.ts";
import { RUN_KIND, type RunInput, runData, runState } from "../../schema/reports/runs.ts";
import type { SecretBox } from "../../schema/secret-box.ts";
import {
	type CustomReportAnswer,
	customReportBody,
	customReportData,
	kpiBody,
	REPORT_KIND,
	type ReportRunAnswer,
	reportBody,
	reportRunsQuery,
	reportsQuery,
	type StoredReport,
	storedReport,
} from "../../schema/wire/index.ts";
import { decodePlace, encodePlace } from "../common/page.ts";
import { clickHouseError } from "../run.ts";
import { nextRunOf, reportAnswerOf, runAnswerOf, statusOf } from "./answers.ts";
import { fromBody, fromCustomBody } from "./definition.ts";
import { exportFile } from "./export.ts";

export const REPORTS_PATH = "/v1/monitoring/reports";
export const CUSTOM_PATH = "/analytics/reports/custom";
export const CUSTOM_ANSWER_PATH = "/analytics/reports/{report_id}";

export interface ReportDeps {
	readonly client: ClickHouse;
	readonly audit: AuditLog;
	readonly box: SecretBox;
	readonly requireRole: RequireRole;
	/** Where people reach this server, without a slash at the end. */
	readonly publicUrl: () => string;
	/** Milliseconds since the epoch. */
	readonly now?: (() => number) | undefined;
}

const noParameters = z.strictObject({});
type Report = Definition<StoredReport>;

/** Reports of the asking key's project; one of another project is not found, like one that never was. */
export function reportRoutes(deps: ReportDeps): Hono<AppEnv> {
	const { client, audit, box, publicUrl, now = Date.now } = deps;
	const reports = new Definitions(client, REPORT_KIND, storedReport, now);
	const kpis = new Definitions(client, "kpi", kpiBody, now);
	const jobs = new JobStore(client, now);
	const attempts = new Deliveries(client);
	const files = new ReportFiles(client);
	const viewer = deps.requireRole("analytics_viewer");
	const editor = deps.requireRole("analytics_editor");

	const find = async (c: Context<AppEnv>): Promise<Report> => {
		const report = await stored(reports.get(c.get("key").project, c.req.param("id") ?? ""));
		if (!report) throw notFound("Report");
		return report;
	};
	const record = (c: Context<AppEnv>, action: string, { id, project, body }: Report, detail: object = {}) =>
		stored(
			audit.append({
				...{ project, actor: c.get("key").key_id, action, target: id, request_id: c.get("requestId") },
				detail: { name: body.name, ...detail },
			}),
		);
	const runsOf = async (report: Report, limit: number): Promise<ReportRunAnswer[]> => {
		const { project, id } = report;
		const found = await stored(jobs.list(project, { kind: RUN_KIND, of: id, limit }));
		const delivered = await stored(
			attempts.of(
				project,
				id,
				found.map(({ job_id }) => job_id),
			),
		);
		return found.map((job) =>
			runAnswerOf(
				report,
				job,
				delivered.filter(({ run_id }) => run_id === job.job_id),
				{ box, publicUrl, now: now() },
			),
		);
	};
	const define = async (c: Context<AppEnv>, body: StoredReport): Promise<Report> => {
		const report = await stored(reports.put(c.get("key").project, `report_${base58(randomBytes(12))}`, body));
		await record(c, "report.create", report);
		return report;
	};
	const runNow = async ({ project, id }: Report) => {
		const input: RunInput = { report_id: id, trigger: "demand", scheduled_for: null, as_of: now(), missed: 0 };
		const job_id = `run_${base58(randomBytes(12))}`;
		return stored(jobs.create({ project, kind: RUN_KIND, job_id, of: id, input }));
	};
	const answer = async (report: Report) => reportAnswerOf(report, (await runsOf(report, 1))[0], now());

	return new Hono<AppEnv>()
		.post(REPORTS_PATH, editor, async (c) => {
			parseQuery(c, noParameters);
			const body = await parseBody(c, reportBody);
			const { project } = c.get("key");
			const known = body.kpis.length === 0 ? [] : (await stored(kpis.list(project))).map(({ id }) => id);
			const unknown = body.kpis.find((id) => !known.includes(id));
			if (unknown !== undefined) throw badParameter({ parameter: "kpis", provided: unknown, valid_options: known });
			return c.json(await answer(await define(c, fromBody(body, { project, box, now: now() }))), 201);
		})
		.get(REPORTS_PATH, viewer, async (c) => {
			const { limit, cursor } = parseQuery(c, reportsQuery);
			const [offset = 0] = decodePlace(cursor, 1) ?? [];
			const all = await stored(reports.list(c.get("key").project));
			const page = await Promise.all(all.slice(offset, offset + limit).map(answer));
			const next_cursor = offset + limit < all.length ? encodePlace([offset + limit]) : null;
			return c.json({ reports: page, total: all.length, next_cursor });
		})
		.get(`${REPORTS_PATH}/:id`, viewer, async (c) => {
			parseQuery(c, noParameters);
			return c.json(await answer(await find(c)));
		})
		.delete(`${REPORTS_PATH}/:id`, editor, async (c) => {
			parseQuery(c, noParameters);
			const report = await find(c);
			await stored(reports.delete(report.project, report.id));
			await record(c, "report.delete", report);
			return c.body(null, 204);
		})
		.post(`${REPORTS_PATH}/:id/run`, editor, async (c) => {
			parseQuery(c, noParameters);
			const report = await find(c);
			const job = await runNow(report);
			await record(c, "report.run", report, { run_id: job.job_id });
			return c.json(runAnswerOf(report, job, [], { box, publicUrl, now: now() }), 202);
		})
		.get(`${REPORTS_PATH}/:id/runs`, viewer, async (c) => {
			const { limit } = parseQuery(c, reportRunsQuery);
			return c.json({ runs: await runsOf(await find(c), limit) });
		})
		.post(CUSTOM_PATH, editor, async (c) => {
			parseQuery(c, noParameters);
			const body = await parseBody(c, customReportBody);
			const report = await define(c, fromCustomBody(body, { project: c.get("key").project, box, now: now() }));
			const isNow = report.body.schedule === null;
			if (isNow) await runNow(report);
			return c.json(
				{
					...{ report_id: report.id, status: isNow ? "queued" : "scheduled", next_run: nextRunOf(report, now()) },
					created_at: report.created_at.toISOString(),
				},
				201,
			);
		})
		.get(CUSTOM_ANSWER_PATH.replace("{report_id}", ":id"), viewer, async (c) => {
			parseQuery(c, noParameters);
			const report = await find(c);
			if (report.body.content.type !== "custom") throw notFound("Report");
			const runs = await runsOf(report, LOOK_BACK_RUNS);
			const ready = runs.find(({ status }) => status === "completed");
			return c.json(await customAnswer(report, runs[0], ready));
		})
		.get(`${EXPORT_PATH}/:file`, (c) => exportFile(c, { box, reports, jobs, files, now }));

	async function customAnswer(
		report: Report,
		newest: ReportRunAnswer | undefined,
		ready: ReportRunAnswer | undefined,
	): Promise<CustomReportAnswer> {
		const { project, id, body } = report;
		const made = ready && (await readData(project, id, ready.run_id));
		const failed = newest?.status === "failed" || newest?.status === "skipped";
		return {
			...{ report_id: id, name: body.name, status: statusOf(newest) },
			...(failed && newest.reason !== null ? { error: newest.reason } : {}),
			...{ generated_at: ready?.generated_at ?? null, data_through: ready?.data_through ?? null },
			next_run: nextRunOf(report, now()),
			data: made ? customReportData.parse(made.data) : null,
			export_urls: Object.fromEntries((ready?.files ?? []).map(({ format, url }) => [format, url])),
			meta: made?.meta ?? null,
		};
	}

	/** What the run counted; undefined once it has expired. */
	async function readData(project: string, report_id: string, run_id: string) {
		const job = await stored(jobs.get(project, RUN_KIND, run_id));
		const state = runState.parse(job?.state ?? {});
		const file = state.files.find(({ name }) => name === "data");
		const content = file && (await stored(files.read({ project, report_id, run_id, attempt: state.attempt }, file)));
		return content && runData.parse(JSON.parse(content.toString("utf8")));
	}
}

/** Behind so many failures there may still be a run with data. */
const LOOK_BACK_RUNS = 20;

/** Not read through `Queries`: a database that is away must be a 503 here as well. */
function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "reports");
	});
}
