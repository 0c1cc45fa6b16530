/** Exports of the monitoring document: records as files, in a bucket or to download; and the buckets that may be named. */
import { z } from "zod";
import { GRANULARITIES } from "../granularity.ts";
import { timestamp } from "./common.ts";

export const EXPORT_DATA = ["metrics", "events", "logs", "errors"] as const;
export type ExportData = (typeof EXPORT_DATA)[number];
export const EXPORT_GRANULARITIES = ["raw", ...GRANULARITIES] as const;
export const EXPORT_FORMATS = ["csv", "json", "parquet"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];
export const EXPORT_COMPRESSIONS = ["gzip", "zstd", "none"] as const;
export type ExportCompression = (typeof EXPORT_COMPRESSIONS)[number];
const TIMEFRAMES = ["1h", "6h", "24h", "7d", "30d"] as const;

/** They stand in the address of a request: more of them would not fit. */
const MAX_NAMES = 500;
const names = (what: string) =>
	z.array(z.string().min(1).max(200)).min(1).max(MAX_NAMES).describe(`Names of ${what}, or ["all"].`).optional();

/** Not `.` or `..`, which an address of HTTP loses, and nothing that a line or a shell would stumble over. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const PREFIX = /^(?!\/)(?!(?:.*\/)?\.{1,2}(?:\/|$))[^\u0000-\u001f\u007f\\]*$/;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const S3_URL = /^s3:\/\/([^/]*)(?:\/(.*))?$/s;

/** Bucket and prefix of `s3://bucket/prefix`; the prefix is empty or ends in a slash. Undefined when it is none. */
export function readS3Url(text: string): { bucket: string; prefix: string } | undefined {
	const [, bucket = "", path = ""] = S3_URL.exec(text) ?? [];
	if (!BUCKET.test(bucket) || !PREFIX.test(path) || path.length > 500) return undefined;
	return { bucket, prefix: path === "" || path.endsWith("/") ? path : `${path}/` };
}

export const exportBody = z.strictObject({
	data: z
		.array(z.enum([...EXPORT_DATA, "all"]))
		.min(1)
		.optional()
		.describe("What is exported. Default: what `metrics` or `events` name, else all."),
	metrics: names("metrics"),
	events: names("events"),
	granularity: z
		.enum(EXPORT_GRANULARITIES)
		.default("raw")
		.describe("Of metrics: each point, or a row for each series and bucket (UTC) with count, sum, min, max and last."),
	format: z
		.enum(EXPORT_FORMATS)
		.default("csv")
		.describe("json is one object a line, as POST /v1/ingest/batch takes it."),
	compression: z.enum(EXPORT_COMPRESSIONS).default("gzip").describe("Of parquet, within the file."),
	destination: z
		.string()
		.max(600)
		.default("local")
		.refine((text) => text === "local" || readS3Url(text) !== undefined, {
			params: { valid_options: ["local", "s3://bucket/prefix"] },
		})
		.describe("`local` to download it, or `s3://bucket/prefix`."),
	destination_name: z
		.string()
		.max(100)
		.optional()
		.describe("Which destination has the keys to the bucket; needed where several do."),
	timeframe: z.enum(TIMEFRAMES).optional().describe("Rolling window that ends at as_of. Default: 24h."),
	start: z.string().max(40).optional().describe("Start of the window, instead of a timeframe. RFC 3339, or epoch."),
	end: z.string().max(40).optional().describe("End of the window (not included). Default: as_of."),
	as_of: z.string().max(40).optional().describe("No record at or after it is exported. Default: now."),
	timezone: z
		.string()
		.max(100)
		.optional()
		.describe("IANA zone of `start` and `end` where they name none. Default: UTC."),
});
export type NewExport = z.input<typeof exportBody>;

const sha256 = z.string().describe("Of the file as it is, hexadecimal.");
const bytes = z.number().int().describe("Bytes of the files as they are.");

const dataThrough = timestamp
	.nullable()
	.describe(
		"What was received with an earlier time, before the export began, is in it. Of a completed one null when no ingest process could be asked.",
	);

/** A file of an export. */
export const exportPart = z.object({
	name: z.string(),
	data: z.enum(EXPORT_DATA),
	start: timestamp,
	end: timestamp.describe("Not included."),
	rows: z.number().int(),
	bytes,
	sha256,
});
export type ExportPart = z.infer<typeof exportPart>;

/** What lies beside the parts as `manifest.json`, written last: without it an export is not whole. */
export const exportManifest = z.object({
	export_id: z.string(),
	data: z.array(z.enum(EXPORT_DATA)),
	granularity: z.string(),
	format: z.enum(EXPORT_FORMATS),
	compression: z.enum(EXPORT_COMPRESSIONS),
	window: z.object({ start: timestamp, end: timestamp }),
	data_through: dataThrough,
	rows: z.number().int(),
	bytes,
	parts: z.array(exportPart),
});
export type ExportManifest = z.infer<typeof exportManifest>;

export const exportAnswer = z.object({
	export_id: z.string(),
	status: z.enum(["queued", "running", "completed", "failed", "cancelled"]),
	progress: z.number().describe("Ratio from 0 to 1, of the rows that are expected."),
	data: z.array(z.enum(EXPORT_DATA)),
	metrics: z.array(z.string()).describe('Names, or ["all"].'),
	events: z.array(z.string()).describe('Names, or ["all"].'),
	granularity: z.enum(EXPORT_GRANULARITIES),
	format: z.enum(EXPORT_FORMATS),
	compression: z.enum(EXPORT_COMPRESSIONS),
	destination: z.string(),
	destination_name: z.string().nullable(),
	window: z.object({ start: timestamp, end: timestamp, timezone: z.string() }),
	as_of: timestamp,
	created_at: timestamp,
	started_at: timestamp.nullable(),
	finished_at: timestamp.nullable(),
	rows: z.number().int().nullable().describe("Null until it is completed, like all that follows."),
	bytes: bytes.nullable(),
	sha256: z.string().nullable().describe("Of the part where there is one, of manifest.json where there are several."),
	data_through: dataThrough,
	parts: z.array(exportPart),
	error: z.string().nullable().describe("Why it failed, or why the last try did."),
	download_url: z.string().nullable().describe("Path of a local one, while its files are kept."),
	expires_at: timestamp.nullable().describe("When the files of a local one are removed."),
});
export type ExportAnswer = z.infer<typeof exportAnswer>;

export const exportsQuery = z.strictObject({
	limit: z.coerce.number().int().min(1).max(500).default(100).describe("Most exports, newest first."),
});
export type ExportsQuery = z.input<typeof exportsQuery>;
export const exportsAnswer = z.object({ exports: z.array(exportAnswer) });
export type ExportsAnswer = z.infer<typeof exportsAnswer>;

export const downloadQuery = z.strictObject({
	part: z
		.string()
		.max(200)
		.optional()
		.describe("Name of a part, or `manifest.json`. Default: the part where there is one, else a tar archive of all."),
});
export type DownloadQuery = z.input<typeof downloadQuery>;

const secret = z.string().min(1).max(2_000);
/** A bucket with what it takes to write there. */
export const destinationBody = z.strictObject({
	type: z.literal("s3").default("s3"),
	bucket: z.string().regex(BUCKET, "is no name of a bucket"),
	prefix: z
		.string()
		.max(500)
		.regex(PREFIX, "is no prefix: it must not begin with / nor hold . or .. as a folder")
		.default("")
		.describe("Exports with this destination must lie beneath it."),
	region: z
		.string()
		.regex(/^[\w-]{1,64}$/)
		.default("us-east-1"),
	endpoint: z
		.url({ protocol: /^https?$/ })
		.max(500)
		.refine((text) => !/[?#@]/.test(text), "is an address without user, query or fragment")
		.optional()
		.describe("Of a server that speaks S3. Default: Amazon's of the region."),
	path_style: z
		.boolean()
		.optional()
		.describe("Whether the bucket stands in the path instead of the host. Default: with an endpoint."),
	access_key_id: z.string().min(1).max(200),
	secret_access_key: secret.describe("Kept sealed, answered masked; sent back masked it stays what it was."),
	session_token: secret.optional().describe("Kept sealed, answered masked."),
});
export type NewDestination = z.input<typeof destinationBody>;
export type Destination = z.infer<typeof destinationBody>;

export const destinationAnswer = destinationBody.extend({
	name: z.string(),
	created_at: timestamp,
	updated_at: timestamp,
});
export type DestinationAnswer = z.infer<typeof destinationAnswer>;
export const destinationsAnswer = z.object({ destinations: z.array(destinationAnswer) });
export type DestinationsAnswer = z.infer<typeof destinationsAnswer>;
