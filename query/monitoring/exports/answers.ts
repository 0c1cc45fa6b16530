import { type ExportInput, type ExportState, exportInput, exportState } from "../../../schema/export-job.ts";
import type { Job } from "../../../schema/jobs.ts";
import type { ExportAnswer } from "../../../schema/wire/index.ts";

export const EXPORTS_PATH = "/v1/monitoring/exports";

export function inputOf(job: Job): ExportInput {
	return exportInput.parse(job.input);
}

/** Of an export that is whole, undefined before. */
export function resultOf(job: Job): ExportState | undefined {
	return job.status === "completed" ? exportState.parse(job.state) : undefined;
}

/** When the files of an export to download are removed, milliseconds since the epoch. */
export function expiryOf(job: Job, retention_ms: number): number | undefined {
	const kept = job.status === "completed" && inputOf(job).target.type === "local";
	return kept ? job.finished_at!.getTime() + retention_ms : undefined;
}

/** What is told of an export; its numbers only once it is whole. */
export function exportAnswerOf(job: Job, { retention_ms, now }: { retention_ms: number; now: number }): ExportAnswer {
	const input = inputOf(job);
	const result = resultOf(job);
	const { target } = input;
	const parts = result?.parts ?? [];
	const sum = (member: "rows" | "bytes") => (result ? parts.reduce((total, part) => total + part[member], 0) : null);
	const expiry = expiryOf(job, retention_ms);
	const iso = (ms: number) => new Date(ms).toISOString();
	return {
		...{ export_id: job.job_id, status: job.status, progress: Math.round(job.progress * 10_000) / 10_000 },
		...{ data: input.data, metrics: input.metrics ?? ["all"], events: input.events ?? ["all"] },
		...{ granularity: input.granularity, format: input.format, compression: input.compression },
		destination: target.type === "local" ? "local" : `s3://${target.bucket}/${target.prefix}`,
		destination_name: target.type === "local" ? null : target.destination,
		window: { start: iso(input.start), end: iso(input.end), timezone: input.timezone },
		as_of: iso(input.as_of),
		created_at: job.created_at.toISOString(),
		started_at: job.started_at?.toISOString() ?? null,
		finished_at: job.finished_at?.toISOString() ?? null,
		...{ rows: sum("rows"), bytes: sum("bytes") },
		sha256: result ? (parts.length === 1 ? parts[0]!.sha256 : (result.manifest_sha256 ?? null)) : null,
		data_through: typeof result?.data_through === "number" ? iso(result.data_through) : null,
		parts,
		error: job.error,
		download_url: expiry !== undefined && expiry > now ? `${EXPORTS_PATH}/${job.job_id}/download` : null,
		expires_at: expiry === undefined ? null : iso(expiry),
	};
}
