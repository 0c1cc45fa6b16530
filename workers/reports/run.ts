/**
 * A run of a report: its numbers once, then each format out of them, then whoever is to have it. Everything is written under the
 * number of the attempt, and shown once the run says which attempt it is of.
 */
import type { Definition, Definitions } from "../../schema/definitions.ts";
import type { JobStore } from "../../schema/jobs.ts";
import type { ReportDocument } from "../../schema/report-document.ts";
import type { ReportFiles, StoredFile } from "../../schema/reports/files.ts";
import {
	DELIVERY_KIND,
	type DeliveryInput,
	deliveryId,
	RUN_KIND,
	type RunState,
	runInput,
	runState,
} from "../../schema/reports/runs.ts";
import type { Meta, ReportFormat, StoredReport } from "../../schema/wire/index.ts";
import { defineJob, type JobKind } from "../jobs/job.ts";

/** Reads the numbers; what the routes ask, about any project. */
export type Compose = (
	report: Definition<StoredReport>,
	as_of: number,
	signal: AbortSignal,
) => Promise<{ readonly data: unknown; readonly meta: Meta; readonly document: ReportDocument }>;

export type Render = (
	document: ReportDocument,
	format: ReportFormat,
	options: { readonly signal: AbortSignal },
) => Promise<Buffer>;

export interface RunOptions {
	readonly reports: Definitions<StoredReport>;
	readonly jobs: JobStore;
	readonly files: ReportFiles;
	readonly compose: Compose;
	readonly render: Render;
	/** How long files are kept. */
	readonly retention_ms: number;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
}

const ATTEMPTS = 5;
const CONCURRENCY = 2;

export function reportJob(options: RunOptions): JobKind {
	const { reports, jobs, files, compose, render, now } = options;
	return defineJob({
		...{ kind: RUN_KIND, input: runInput, state: runState, attempts: ATTEMPTS, concurrency: CONCURRENCY },
		async run({ project, job_id: run_id, input, state, attempt, signal, progress, checkpoint }) {
			const report = await reports.get(project, input.report_id);
			if (!report) return runState.parse({ skipped: "the report was deleted before it ran" });
			const done = state && state.files.length > 0 ? state : await make(report);
			// Each is asked for once, however often this line is reached.
			for (const delivery of deliveriesOf(report, run_id)) {
				const job_id = deliveryId(run_id, delivery.type, delivery.to);
				await jobs.create({ project, kind: DELIVERY_KIND, job_id, of: report.id, input: delivery });
			}
			return done;

			async function make({ id, body }: Definition<StoredReport>): Promise<RunState> {
				const of = { project, report_id: id, run_id, attempt };
				const expires_at = new Date(now() + options.retention_ms);
				const made: StoredFile[] = [];
				const { data, meta, document } = await compose(report!, input.as_of, signal);
				const write = async (name: string, content: Buffer) => {
					signal.throwIfAborted();
					made.push(await files.write(of, name, content, expires_at));
					progress(made.length / (body.formats.length + 1));
				};
				await write("data", Buffer.from(JSON.stringify({ data, meta, document })));
				for (const format of body.formats) await write(format, await render(document, format, { signal }));
				const generated_at = new Date(now()).toISOString();
				const kept_until = expires_at.getTime();
				const whole = { attempt, files: made, data_through: meta.data_through, generated_at, kept_until };
				const state = runState.parse(whole);
				await checkpoint(state);
				return state;
			}
		},
	});
}

function deliveriesOf({ id, body }: Definition<StoredReport>, run_id: string): DeliveryInput[] {
	const { emails, url } = body.delivery;
	return [
		...emails.map((to) => ({ report_id: id, run_id, type: "email" as const, to })),
		...(url === null ? [] : [{ report_id: id, run_id, type: "webhook" as const, to: url }]),
	];
}
