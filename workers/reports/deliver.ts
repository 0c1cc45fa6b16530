/**
 * Delivers a report to one place. An attempt is a row before anything leaves: one that was interrupted while it was sent may have
 * arrived, and is not sent again, since a report that comes twice is one that nobody trusts.
 */

import { z } from "zod";
import type { Definitions } from "../../schema/definitions.ts";
import type { JobStore } from "../../schema/jobs.ts";
import { reportDocument } from "../../schema/report-document.ts";
import type { Deliveries, DeliveryAttempt, DeliveryOutcome } from "../../schema/reports/deliveries.ts";
import type { ReportFiles } from "../../schema/reports/files.ts";
import { exportPath, MAILED_LINK_MS } from "../../schema/reports/links.ts";
import {
	DELIVERY_KIND,
	type DeliveryInput,
	deliveryInput,
	RUN_KIND,
	runData,
	runState,
} from "../../schema/reports/runs.ts";
import { openSecrets } from "../../schema/sealed-notifications.ts";
import { SealError, type SecretBox } from "../../schema/secret-box.ts";
import {
	NOTIFICATIONS_ID,
	REPORT_FORMATS,
	type StoredNotifications,
	type StoredReport,
} from "../../schema/wire/index.ts";
import { defineJob, type JobKind, PermanentJobError } from "../jobs/job.ts";
import { standardHeaders } from "../notify/channels/webhook.ts";
import { type MailOutcome, sendMail } from "../notify/mail.ts";
import { judge, no } from "../notify/outcome.ts";
import type { SenderOptions } from "../notify/send.ts";
import { OutboundError, OutboundRefused } from "../outbound/errors.ts";
import { type Letter, mailOf, payloadOf } from "./letter.ts";

export interface DeliverOptions extends SenderOptions {
	readonly reports: Definitions<StoredReport>;
	readonly channels: Definitions<StoredNotifications>;
	readonly jobs: JobStore;
	readonly files: ReportFiles;
	readonly deliveries: Deliveries;
	readonly box: SecretBox;
	/** Where people reach this server, without a slash at the end. */
	readonly publicUrl: () => string;
}

/** So long a server may take after the end of a mail (RFC 5321, 4.5.3.2.6), and a mail of many megabytes on its way there. */
const MAIL_MS = 600_000;
/** With the pauses between them some two hours. */
const ATTEMPTS = 15;
const CONCURRENCY = 4;
const deliveryState = z.object({ outcome: z.string() });
const UNSURE = "interrupted while it was sent, it may have arrived";

export function deliveryJob(options: DeliverOptions): JobKind {
	const { reports, deliveries } = options;
	return defineJob({
		...{
			kind: DELIVERY_KIND,
			input: deliveryInput,
			state: deliveryState,
			attempts: ATTEMPTS,
			concurrency: CONCURRENCY,
		},
		async run({ project, job_id, input, attempt, signal }) {
			const report = await reports.get(project, input.report_id);
			if (!report) return { outcome: "the report was deleted" };
			const last = await lastOf(project, job_id, input);
			if (last && isOver(last)) return { outcome: last.outcome };
			// The job is only begun again once the worker that had it is gone, so nobody is at it any more.
			if (last?.outcome === "sending") {
				await deliveries.put({ ...last, outcome: "unsure", detail: UNSURE });
				return { outcome: "unsure" };
			}
			const open = openOf(project, job_id, input, Math.max(attempt, (last?.attempt ?? 0) + 1));
			const note = (outcome: DeliveryOutcome, more: Partial<DeliveryAttempt> = {}) =>
				deliveries.put({ ...open, ...more, outcome });
			await note("started");
			const letter = await letterOf(project, job_id, input, options).catch(async (error: unknown) => {
				if (error instanceof PermanentJobError) await note("failed", { detail: error.message });
				throw error;
			});
			const { outcome, status_code, detail } = await send(project, letter, input, options, {
				beforeSend: () => note("sending"),
				signal,
			});
			await note(outcome, { status_code, detail, duration_ms: options.now() - open.started_at });
			if (outcome === "failed") throw new PermanentJobError(detail);
			if (outcome === "retry") throw new Error(detail);
			return { outcome };
		},
		/** Nobody tries again. */
		async discard({ project, job_id, input }) {
			const last = (await lastOf(project, job_id, input)) ?? {
				...openOf(project, job_id, input, 1),
				outcome: "started",
			};
			if (isOver(last)) return;
			const isUnsure = last.outcome === "sending";
			const detail = isUnsure ? UNSURE : last.detail || "given up before it was sent";
			await deliveries.put({ ...last, outcome: isUnsure ? "unsure" : "failed", detail });
		},
	});

	async function lastOf(project: string, delivery_id: string, { report_id, run_id }: DeliveryInput) {
		const all = await deliveries.of(project, report_id, [run_id]);
		return all.findLast((one) => one.delivery_id === delivery_id);
	}

	function openOf(project: string, delivery_id: string, input: DeliveryInput, attempt: number) {
		const { report_id, run_id, type, to } = input;
		const target = type === "email" ? to : new URL(to).origin;
		const nothing = { status_code: 0, detail: "", duration_ms: 0, started_at: options.now() };
		return { project, report_id, run_id, delivery_id, attempt, type, target, ...nothing };
	}
}

function isOver({ outcome }: DeliveryAttempt): boolean {
	return outcome === "sent" || outcome === "unsure" || outcome === "failed";
}

async function send(
	project: string,
	letter: Letter,
	{ type, to }: DeliveryInput,
	options: DeliverOptions,
	{ beforeSend, signal }: { readonly beforeSend: () => Promise<void>; readonly signal: AbortSignal },
): Promise<MailOutcome> {
	const { box, outbound, now } = options;
	try {
		const channels = await options.channels.get(project, NOTIFICATIONS_ID);
		if (type === "email") {
			// By the mail server of the project's first channel of mail, if it names one, as notices go.
			const own = channels?.body.channels.find((channel) => channel.type === "email");
			const server = own?.type === "email" ? openSecrets(own, box, project) : {};
			return await sendMail(mailOf(letter, to), server, options, beforeSend, { limit_ms: MAIL_MS, signal });
		}
		const { url } = openSecrets({ url: to }, box, project);
		const { secret } = openSecrets({ secret: channels?.body.secret }, box, project);
		const body = payloadOf(letter);
		const headers = standardHeaders(letter.delivery_id, body, now(), secret);
		const answer = await outbound.request({ url, method: "POST", headers, body, beforeSend });
		return judge(answer.status, answer.headers, undefined, now());
	} catch (error) {
		if (error instanceof OutboundRefused || error instanceof SealError) return no("failed", 0, error.message);
		if (error instanceof OutboundError) return no("retry", 0, error.message);
		throw error;
	}
}

/** @throws PermanentJobError when the files are gone */
async function letterOf(
	project: string,
	delivery_id: string,
	{ report_id, run_id }: DeliveryInput,
	{ jobs, files, reports, box, publicUrl, now }: DeliverOptions,
): Promise<Letter> {
	const [job, report] = await Promise.all([jobs.get(project, RUN_KIND, run_id), reports.get(project, report_id)]);
	const state = runState.parse(job?.state ?? {});
	const expires_at = Math.min(now() + MAILED_LINK_MS, state.kept_until);
	const read = async (name: string) => {
		const file = state.files.find((one) => one.name === name);
		const content = file && (await files.read({ project, report_id, run_id, attempt: state.attempt }, file));
		if (!content) throw new PermanentJobError("the files of the run are not kept any longer");
		return { content, sha256: file.sha256 };
	};
	const { data, document } = runData.parse(JSON.parse((await read("data")).content.toString("utf8")));
	const wanted = REPORT_FORMATS.filter((format) => report?.body.delivery.formats.includes(format));
	const ready = await Promise.all(
		wanted.map(async (format) => ({
			...{ format, ...(await read(format)) },
			url: `${publicUrl()}${exportPath({ project, report_id, run_id, format, expires_at }, box)}`,
		})),
	);
	return {
		...{ delivery_id, report_id, run_id, data, document: reportDocument.parse(document), files: ready },
		generated_at: state.generated_at ?? new Date(now()).toISOString(),
		links_until: new Date(expires_at).toISOString(),
	};
}
