/** What is stored of an export as a job: what was asked for, and how far it got. Keys to buckets are not in it. */
import { z } from "zod";
import { EXPORT_COMPRESSIONS, EXPORT_DATA, EXPORT_FORMATS, EXPORT_GRANULARITIES, exportPart } from "./wire/index.ts";

export const EXPORT_KIND = "export";
/** Kind of the definitions of buckets. */
export const DESTINATION_KIND = "destination";
export const MANIFEST = "manifest.json";

/** Times are milliseconds since the epoch. */
export const exportInput = z.object({
	data: z.array(z.enum(EXPORT_DATA)),
	/** Absent: all. */
	metrics: z.array(z.string()).optional(),
	events: z.array(z.string()).optional(),
	granularity: z.enum(EXPORT_GRANULARITIES),
	format: z.enum(EXPORT_FORMATS),
	compression: z.enum(EXPORT_COMPRESSIONS),
	start: z.number(),
	end: z.number(),
	as_of: z.number(),
	timezone: z.string(),
	asked_at: z.number(),
	target: z.discriminatedUnion("type", [
		z.object({ type: z.literal("local") }),
		z.object({ type: z.literal("s3"), destination: z.string(), bucket: z.string(), prefix: z.string() }),
	]),
});
export type ExportInput = z.infer<typeof exportInput>;

/** A span of time whose records make a part. */
export const exportSlice = z.object({
	data: z.enum(EXPORT_DATA),
	/** Whether its rows are read from the tier of the granularity, or made of raw points: a bucket cut by the window's edge. */
	tier: z.boolean(),
	start: z.number(),
	end: z.number(),
	/** How many were counted when it was planned. */
	rows: z.number(),
});
export type ExportSlice = z.infer<typeof exportSlice>;

export const exportState = z.object({
	/** Null where nobody could say what was stored. */
	data_through: z.number().nullable(),
	slices: z.array(exportSlice),
	/** Of the first slices, as many as are done. */
	parts: z.array(exportPart),
	/** Once it is whole. */
	manifest_sha256: z.string().optional(),
});
export type ExportState = z.infer<typeof exportState>;
