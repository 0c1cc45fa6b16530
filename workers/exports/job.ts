/**
 * The job of an export. What is read is fixed when it begins: spans of time, cut into parts. A part is written whole or not at all, and
 * noted; a worker that takes over reads the part again that was in work. The manifest comes last.
 */
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { exportCounts, exportRows, type RowsQuestion } from "../../query/measures/exports/rows.ts";
import { sliceTime, tierSpans } from "../../query/measures/exports/slices.ts";
import { exportFolder } from "../../schema/export-files.ts";
import {
	DESTINATION_KIND,
	EXPORT_KIND,
	type ExportInput,
	type ExportSlice,
	type ExportState,
	exportInput,
	exportState,
	MANIFEST,
} from "../../schema/export-job.ts";
import { tierOf } from "../../schema/granularity.ts";
import type { ExportCompression, ExportFormat, ExportManifest } from "../../schema/wire/index.ts";
import { type DiscardContext, defineJob, type JobContext, type JobKind, PermanentJobError } from "../jobs/job.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { localTarget } from "./local.ts";
import { s3Target } from "./s3.ts";
import { type BucketAccess, S3Bucket } from "./s3-requests.ts";
import type { Target } from "./target.ts";
import { writePart } from "./write-part.ts";

/** What an export asks of the database, always about one project. */
export interface ExportSource {
	count(
		project: string,
		question: ReturnType<typeof exportCounts>,
		signal: AbortSignal,
	): Promise<readonly (readonly [number, number])[]>;
	stream(
		project: string,
		question: Omit<RowsQuestion, "format">,
		how: { format: string; settings: Record<string, string | number>; max_memory_bytes: number; signal: AbortSignal },
	): Promise<Readable>;
}

export interface ExportJobOptions {
	readonly source: ExportSource;
	readonly outbound: Outbound;
	/** Of exports to download. */
	readonly folder: string;
	/** The keys of a named destination. @returns undefined when it is gone */
	readonly access: (project: string, destination: string) => Promise<BucketAccess | undefined>;
	/** Milliseconds since the epoch: what was received before is stored. @throws when it cannot be known */
	readonly watermark: () => Promise<number>;
	readonly part_rows?: number;
	readonly now?: () => number;
}

type Context = JobContext<ExportInput, ExportState>;
type Discarding = DiscardContext<ExportInput, ExportState>;

/** Of a query in ClickHouse: a part is sorted there. */
const QUERY_MEMORY_BYTES = 3 * 1024 ** 3;
const SORT_IN_MEMORY_BYTES = 512 * 1024 ** 2;
/** What was acknowledged before the export was asked for is waited for, so long. */
const SETTLE_MS = 30_000;
const SETTLE_STEP_MS = 200;

export function exportJob(options: ExportJobOptions): JobKind {
	return defineJob({
		...{ kind: EXPORT_KIND, input: exportInput, state: exportState, attempts: 5, concurrency: 1 },
		run: (context: Context) => run(context, options),
		discard: (context: Discarding) => discard(context, options),
	});
}

async function run(context: Context, options: ExportJobOptions): Promise<ExportState> {
	const { input } = context;
	const target = await targetOf(context, options);
	await target.clear();
	let state = context.state;
	if (!state) {
		state = await begin(context, options);
		await context.checkpoint(state);
	}
	const expected = state.slices.reduce((sum, { rows }) => sum + rows, 0);
	let done = 0;
	for (const [i, slice] of state.slices.entries()) {
		if (i >= state.parts.length) {
			const part = await write(i, slice, { context, options, target, done, expected });
			state = { ...state, parts: [...state.parts, part] };
			await context.checkpoint(state);
		}
		done += slice.rows;
		context.progress(expected === 0 ? 0 : done / expected);
	}
	const manifest = Buffer.from(`${JSON.stringify(manifestOf(context.job_id, input, state), null, "\t")}\n`);
	await target.write(MANIFEST, only(manifest));
	return { ...state, manifest_sha256: createHash("sha256").update(manifest).digest("hex") };
}

/** The manifest goes first: without one, what is left is no export. */
async function discard(context: Discarding, options: ExportJobOptions): Promise<void> {
	const target = await targetOf(context, options);
	await target.clear();
	const slices = context.state?.slices ?? [];
	await target.remove([MANIFEST, ...slices.map((slice, i) => partName(i, slice, context.input))]);
}

/** Fixes what is exported. */
async function begin({ project, input, signal }: Context, options: ExportJobOptions): Promise<ExportState> {
	const now = options.now ?? Date.now;
	const through = await settled(input.asked_at, options, now, signal);
	const data_through = through === null ? null : Math.min(input.end, through);
	const slices: ExportSlice[] = [];
	for (const data of input.data) {
		const found: ExportSlice[] = [];
		const tier = data === "metrics" && input.granularity !== "raw" ? tierOf(input.granularity) : undefined;
		const grain_ms = tier ? tier.step_seconds * 1_000 : 1;
		const spans = tier ? tierSpans(input, grain_ms) : [{ start: input.start, end: input.end, tier: false }];
		for (const span of spans) {
			const count = (within: { start: number; end: number }, step_ms: number) =>
				options.source.count(project, exportCounts(input, { data, tier: span.tier, ...within }, step_ms), signal);
			const { part_rows } = options;
			const cells = await sliceTime(span, count, { grain_ms, ...(part_rows === undefined ? {} : { part_rows }) });
			found.push(...cells.map((cell) => ({ data, tier: span.tier, ...cell })));
		}
		// Where there is nothing at all, a file says so by its columns.
		const filled = found.filter(({ rows }) => rows > 0);
		slices.push(...(filled.length > 0 ? filled : found.slice(0, 1)));
	}
	return { data_through, slices, parts: [] };
}

/** What was received before it is stored: when it was asked for, or as far as that gets in time; null when nobody says. */
async function settled(
	asked_at: number,
	options: ExportJobOptions,
	now: () => number,
	signal: AbortSignal,
): Promise<number | null> {
	const deadline = now() + SETTLE_MS;
	for (let known = 0; ; ) {
		// Without Redis nobody knows for the moment; 0 is said where no process takes records that anybody heard of.
		known = (await options.watermark().catch(() => 0)) || known;
		if (known >= asked_at) return asked_at;
		if (now() >= deadline) return known || null;
		await sleep(SETTLE_STEP_MS, undefined, { signal });
	}
}

interface Writing {
	readonly context: Context;
	readonly options: ExportJobOptions;
	readonly target: Target;
	/** Rows of the parts before it, and of all. */
	readonly done: number;
	readonly expected: number;
}

async function write(i: number, slice: ExportSlice, writing: Writing): Promise<ExportState["parts"][number]> {
	const { context, options, target, done, expected } = writing;
	const { project, input, signal } = context;
	const { format, ...question } = exportRows(input, slice);
	const stream = await options.source.stream(project, question, {
		...{ format, signal, max_memory_bytes: QUERY_MEMORY_BYTES },
		settings: { ...SETTINGS, output_format_parquet_compression_method: input.compression },
	});
	const name = partName(i, slice, input);
	const onRows = (passed: number) => {
		const within = Math.min(passed, slice.rows);
		if (expected > 0) context.progress((done + within) / expected);
	};
	const { rows, bytes, sha256 } = await writePart(stream, { name, target, signal, onRows, ...shapeOf(input) });
	const [start, end] = [slice.start, slice.end].map((ms) => new Date(ms).toISOString()) as [string, string];
	return { name, data: slice.data, start, end, rows, bytes, sha256 };
}

const SETTINGS = {
	date_time_output_format: "iso",
	output_format_json_escape_forward_slashes: 0,
	output_format_json_quote_64bit_integers: 0,
	max_bytes_before_external_sort: SORT_IN_MEMORY_BYTES,
	// The machine is there for others, too.
	max_threads: 2,
} as const;

function shapeOf({ format, compression }: ExportInput): { format: ExportFormat; compression: ExportCompression } {
	return { format, compression };
}

const EXTENSIONS = { csv: ".csv", json: ".ndjson", parquet: ".parquet" } as const;
const COMPRESSED = { gzip: ".gz", zstd: ".zst", none: "" } as const;

/** `metrics-00001.csv.gz`, in the order of data and time. */
export function partName(i: number, { data }: Pick<ExportSlice, "data">, { format, compression }: ExportInput): string {
	const number = String(i + 1).padStart(5, "0");
	return `${data}-${number}${EXTENSIONS[format]}${format === "parquet" ? "" : COMPRESSED[compression]}`;
}

function manifestOf(export_id: string, input: ExportInput, { data_through, parts }: ExportState): ExportManifest {
	const iso = (ms: number) => new Date(ms).toISOString();
	return {
		...{ export_id, data: input.data, granularity: input.granularity, ...shapeOf(input) },
		window: { start: iso(input.start), end: iso(input.end) },
		data_through: data_through === null ? null : iso(data_through),
		rows: parts.reduce((sum, { rows }) => sum + rows, 0),
		bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
		parts,
	};
}

async function targetOf({ project, job_id, input, signal }: Discarding, options: ExportJobOptions): Promise<Target> {
	const { target } = input;
	if (target.type === "local") return localTarget(exportFolder(options.folder, project, job_id), signal);
	const access = await options.access(project, target.destination);
	if (access?.bucket !== target.bucket) {
		throw new PermanentJobError(`The ${DESTINATION_KIND} ${target.destination} is gone, or has another bucket`);
	}
	return s3Target(new S3Bucket(access, options.outbound, signal), `${target.prefix}${job_id}/`);
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
	yield bytes;
}
