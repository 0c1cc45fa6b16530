/** `GET /v1/monitoring/exports/{id}/download`: the files, from the disk that they were written to. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Context } from "hono";
import type { AppEnv } from "../../../http/env.ts";
import { ApiError, badParameter, unavailable } from "../../../http/errors.ts";
import { exportFolder } from "../../../schema/export-files.ts";
import { MANIFEST } from "../../../schema/export-job.ts";
import type { Job } from "../../../schema/jobs.ts";
import { expiryOf, inputOf, resultOf } from "./answers.ts";
import { tar, tarBytes } from "./tar.ts";

export interface Files {
	/** Shared with the workers. */
	readonly folder: string;
	readonly retention_ms: number;
	readonly now: () => number;
}

const TYPES = {
	csv: "text/csv; charset=utf-8",
	json: "application/x-ndjson",
	parquet: "application/vnd.apache.parquet",
};
const COMPRESSED = { gzip: "application/gzip", zstd: "application/zstd" };

/** @throws ApiError 400, 404 once they are removed, 409 before there are any, 503 where this process cannot reach them */
export async function download(
	c: Context<AppEnv>,
	job: Job,
	asked: string | undefined,
	files: Files,
): Promise<Response> {
	const result = resultOf(job);
	const input = inputOf(job);
	if (!result) throw new ApiError(409, `The export is ${job.status}: only a completed one has files`);
	if (input.target.type === "s3") {
		throw new ApiError(
			409,
			`The export was written to s3://${input.target.bucket}/${input.target.prefix}${job.job_id}/`,
		);
	}
	if (expiryOf(job, files.retention_ms)! <= files.now()) {
		throw new ApiError(404, "The files of this export were removed: they are kept for TIDEMARK_EXPORTS_RETENTION");
	}
	const folder = exportFolder(files.folder, job.project, job.job_id);
	const names = [MANIFEST, ...result.parts.map(({ name }) => name)];
	const one = asked ?? (result.parts.length === 1 ? names[1] : undefined);
	if (one !== undefined && !names.includes(one)) {
		throw badParameter({ parameter: "part", provided: one, valid_options: names });
	}
	const wanted = await Promise.all((one === undefined ? names : [one]).map((name) => find(folder, name)));
	if (one === undefined) {
		const modified = Math.floor(job.finished_at!.getTime() / 1_000);
		const inside = wanted.map((file) => ({ ...file, name: `${job.job_id}/${file.name}`, modified }));
		return send(c, Readable.from(tar(inside)), `${job.job_id}.tar`, "application/x-tar", tarBytes(inside));
	}
	const { path, bytes } = wanted[0]!;
	const { format, compression } = input;
	const packed = format === "parquet" || compression === "none" ? undefined : COMPRESSED[compression];
	const type = one === MANIFEST ? "application/json" : (packed ?? TYPES[format]);
	return send(c, createReadStream(path), one, type, bytes);
}

async function find(folder: string, name: string): Promise<{ name: string; path: string; bytes: number }> {
	const path = join(folder, name);
	try {
		return { name, path, bytes: (await stat(path)).size };
	} catch (cause) {
		const why =
			"lies with the worker that wrote it: give workers and query processes one folder in TIDEMARK_EXPORTS, or export to s3://";
		throw unavailable("exports", `${name} is not on this machine, it ${why}`, cause, 60);
	}
}

function send(c: Context<AppEnv>, stream: Readable, name: string, type: string, bytes: number): Response {
	return c.body(Readable.toWeb(stream) as ReadableStream<Uint8Array>, 200, {
		"Content-Type": type,
		"Content-Length": String(bytes),
		"Content-Disposition": `attachment; filename="${name}"`,
	});
}
