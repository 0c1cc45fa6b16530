/** What every question shares: how a window is named, and where the numbers of an answer come from. */
import { z } from "zod";
import { GRANULARITIES } from "../granularity.ts";
import { isTimezone } from "../timezone.ts";

const instant = (text: string) => z.string().describe(`${text} RFC 3339, or epoch in s, ms, µs or ns.`);

/** Query parameters of every route that answers over a window. */
export const windowParameters = {
	start: instant("Start of the window, instead of a timeframe.").optional(),
	end: instant("End of the window (not included). Default: as_of.").optional(),
	timezone: z.string().default("UTC").describe("IANA zone in which days and buckets begin."),
	as_of: instant(
		"The answer as of this instant: relative windows end here, nothing at or after it counts. Default: now.",
	).optional(),
	explain: z
		.enum(["true", "false"])
		.optional()
		.describe("Adds the SQL with its parameters, rows read and time. Needs the role analytics_editor."),
};

export const timeframes = <const T extends readonly [string, ...string[]]>(options: T) =>
	z.enum(options).optional().describe("Rolling window that ends at as_of.");

export const granularityParameter = z
	.enum([...GRANULARITIES, "auto"])
	.optional()
	.describe("Length of a bucket; auto stays under 1,500 points, at most 11,000 are answered.");

/** A text that lists names, separated by commas. */
export const list = (text: string) => z.string().describe(`${text} Separated by commas.`);

export const timestamp = z.iso.datetime();

/** Where the numbers of an answer come from. */
export const meta = z.object({
	window: z.object({ start: timestamp, end: timestamp, timezone: z.string() }),
	data_through: timestamp.nullable().describe("Event time up to which there is data."),
	coverage: z.number().nullable().describe("Share of the buckets that have data."),
	missing: z
		.array(z.object({ field: z.string(), needs: z.string() }))
		.describe("Fields that are null because nothing was ever sent that fills them, and what would."),
	methods: z.record(z.string(), z.string()),
	approximations: z.record(z.string(), z.number()).describe("Largest relative error of a field."),
	tier: z.string().nullable().describe("The rollup that served most of the window, or raw."),
});
export type Meta = z.infer<typeof meta>;

export const explanation = z.object({
	queries: z.array(
		z.object({
			name: z.string(),
			sql: z.string(),
			params: z.record(z.string(), z.unknown()),
			rows_read: z.number(),
			bytes_read: z.number(),
			elapsed_ms: z.number(),
		}),
	),
});

/** A ratio from 0 to 1. */
export const ratio = z.number().nullable().describe("Ratio from 0 to 1.");
export const percent = z.number().nullable().describe("Percent.");
export const milliseconds = z.number().nullable().describe("Milliseconds.");
export const count = z.number().int().nullable().describe("How many.");

const NUMBER_OR_TEXT = z.union([z.number(), z.boolean(), z.string(), z.array(z.string()), z.null()]);
/** A bucket of a series: named numbers beside its start. */
export const point = z
	.object({
		timestamp,
		partial: z.literal(true).optional().describe("The window ends or starts inside this bucket."),
		low_sample: z
			.array(z.string())
			.optional()
			.describe("Percentiles of fewer values than they need to mean something."),
	})
	.catchall(NUMBER_OR_TEXT);

export const logEntry = z.object({
	timestamp,
	level: z.string(),
	component: z.string().nullable(),
	message: z.string(),
	context: z.record(z.string(), z.unknown()),
	trace_id: z.string().nullable(),
	span_id: z.string().nullable(),
});
export type LogEntry = z.infer<typeof logEntry>;

/** A zone that days, hours of the week and schedules are told in. */
export const zone = z
	.string()
	.max(100)
	.refine(isTimezone, {
		message: "must be a zone of the IANA database",
		params: { valid_options: ["UTC", "Europe/Berlin"] },
	});

/** A time of the day by the clock of a zone. */
export const clock = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, "must be a time of day such as 09:00");
