/** Reports and their runs as answers. Pure, but for the signatures of links. */
import type { Definition } from "../../schema/definitions.ts";
import type { Job } from "../../schema/jobs.ts";
import type { DeliveryAttempt } from "../../schema/reports/deliveries.ts";
import { EXPORT_LINK_MS, exportPath } from "../../schema/reports/links.ts";
import { reportPeriod } from "../../schema/reports/period.ts";
import { deliveryId, runInput, runState } from "../../schema/reports/runs.ts";
import { nextOccurrence } from "../../schema/schedule.ts";
import type { SecretBox } from "../../schema/secret-box.ts";
import type { ReportAnswer, ReportRunAnswer, ReportStatus, StoredReport } from "../../schema/wire/index.ts";

export interface Around {
	readonly box: SecretBox;
	/** Where people reach this server, without a slash at the end. */
	readonly publicUrl: () => string;
	/** Milliseconds since the epoch. */
	readonly now: number;
}

type Report = Definition<StoredReport>;

export function reportAnswerOf(
	{ id, body, created_at, updated_at, ...report }: Report,
	newest: ReportRunAnswer | undefined,
	now: number,
): ReportAnswer {
	const { content, delivery, schedule } = body;
	const isTemplate = content.type === "template";
	return {
		...{ report_id: id, name: body.name, description: body.description },
		...{ template: isTemplate ? content.template : null, kpis: isTemplate ? content.kpis : [] },
		...{ timeframe: body.timeframe, timezone: body.timezone, schedule, formats: body.formats },
		...{ include_charts: body.include_charts, recipients: delivery.emails },
		webhook: delivery.url === null ? null : originOf(delivery.url),
		status: statusOf(newest),
		next_run: nextRunOf({ id, body, created_at, updated_at, ...report }, now),
		...{ created_at: created_at.toISOString(), updated_at: updated_at.toISOString(), last_run: newest ?? null },
	};
}

/** What is asked to run at once was never scheduled. */
export function statusOf(newest: ReportRunAnswer | undefined): ReportStatus {
	return newest?.status ?? "scheduled";
}

export function nextRunOf({ body }: Report, now: number): string | null {
	const next = body.schedule ? nextOccurrence(body.schedule, now) : undefined;
	return next === undefined ? null : new Date(next).toISOString();
}

export function runAnswerOf(
	report: Report,
	job: Job,
	deliveries: readonly DeliveryAttempt[],
	around: Around,
): ReportRunAnswer {
	const { body, project, id: report_id } = report;
	const { trigger, scheduled_for, as_of, missed } = runInput.parse(job.input);
	const state = runState.parse(job.state ?? {});
	const { start, end } = reportPeriod(body.timeframe, as_of, body.timezone);
	const isReady = job.status === "completed" && state.skipped === undefined;
	const expires_at = Math.min(around.now + EXPORT_LINK_MS, state.kept_until);
	const files = state.files.flatMap(({ name, bytes, sha256 }) => {
		if (name === "data") return [];
		const path = exportPath({ project, report_id, run_id: job.job_id, format: name, expires_at }, around.box);
		const url = `${around.publicUrl()}${path}`;
		return [{ format: name, bytes, sha256, url, url_expires_at: isoOf(expires_at) }];
	});
	return {
		...{ run_id: job.job_id, report_id, trigger },
		scheduled_for: scheduled_for === null ? null : isoOf(scheduled_for),
		status: runStatus(job, state.skipped),
		progress: job.progress,
		reason: reasonOf(job, state.skipped, missed),
		as_of: isoOf(end),
		period: { start: isoOf(start), end: isoOf(end), timezone: body.timezone },
		data_through: state.data_through,
		generated_at: isReady ? state.generated_at : null,
		created_at: job.created_at.toISOString(),
		started_at: job.started_at?.toISOString() ?? null,
		finished_at: job.finished_at?.toISOString() ?? null,
		files: isReady && state.kept_until > around.now ? files : [],
		deliveries: isReady ? deliveriesOf(report, job.job_id, deliveries) : [],
	};
}

function runStatus({ status }: Job, skipped: string | undefined): ReportStatus {
	if (status === "cancelled" || (status === "completed" && skipped !== undefined)) return "skipped";
	return status;
}

function reasonOf({ status, error }: Job, skipped: string | undefined, missed: number): string | null {
	if (status === "cancelled") return "cancelled";
	if (skipped !== undefined) return skipped;
	if (error !== null) return error;
	return missed === 0
		? null
		: `stands for ${missed} earlier ${missed === 1 ? "run" : "runs"} that nobody was there to make`;
}

const STATUS = {
	started: "sending",
	sending: "sending",
	sent: "sent",
	retry: "pending",
	failed: "failed",
	unsure: "unsure",
} as const;

function deliveriesOf({ body }: Report, run_id: string, attempts: readonly DeliveryAttempt[]) {
	const { emails, url } = body.delivery;
	const targets = [
		...emails.map((to) => ({ type: "email" as const, to, target: to })),
		...(url === null ? [] : [{ type: "webhook" as const, to: url, target: originOf(url) }]),
	];
	return targets.map(({ type, to, target }): ReportRunAnswer["deliveries"][number] => {
		const id = deliveryId(run_id, type, to);
		const own = attempts.filter(({ delivery_id }) => delivery_id === id);
		const last = own.at(-1);
		const failure = own.findLast(({ detail }) => detail !== "");
		return {
			...{ target, type, status: last ? STATUS[last.outcome] : "pending", attempts: own.length },
			last_error: failure?.detail ?? null,
			sent_at: last?.outcome === "sent" ? isoOf(last.started_at + last.duration_ms) : null,
		};
	});
}

/** The rest of an address may be a secret. */
export function originOf(url: string): string {
	return new URL(url).origin;
}

const isoOf = (ms: number) => new Date(Math.round(ms)).toISOString();
