/** KPIs of the monitoring document: ratios of two records with a target. */
import { z } from "zod";
import {
	explanation,
	granularityParameter,
	meta,
	percent,
	ratio,
	timeframes,
	timestamp,
	windowParameters,
} from "./common.ts";

export const KPI_TIMEFRAMES = ["1h", "24h", "7d", "30d"] as const;
export const KPI_FORMATS = ["number", "ratio", "percentage"] as const;
export const TREND_DIRECTIONS = ["higher_is_better", "lower_is_better"] as const;

const recordName = z
	.string()
	.min(1)
	.max(200)
	.describe(
		"Of a metric, whose values of the window are added up, or of an event, which is counted; a metric comes before an event of its name. A name nobody sent yet is accepted: the value is null until somebody does.",
	);

const fields = {
	name: z.string().trim().min(1).max(200),
	description: z.string().max(2_000),
	calculation: z.strictObject({
		numerator: recordName,
		denominator: recordName,
		format: z
			.enum(KPI_FORMATS)
			.default("number")
			.describe("Only how `display` shows it: the value of a percentage is a ratio too, and so is its target."),
	}),
	target_value: z.number(),
	trend_direction: z.enum(TREND_DIRECTIONS),
};

/** What is stored of a KPI, and what creating one takes. */
export const kpiBody = z.strictObject({
	...fields,
	description: fields.description.default(""),
	trend_direction: fields.trend_direction.default("higher_is_better"),
});
/** Changes of a KPI: what is not named stays; a calculation is replaced as a whole. */
export const kpiPatch = z.strictObject(fields).partial();
export type KpiPatch = z.input<typeof kpiPatch>;
export type Kpi = z.infer<typeof kpiBody>;
export type NewKpi = z.input<typeof kpiBody>;

export const kpiAnswer = kpiBody.extend({ kpi_id: z.string(), created_at: timestamp, updated_at: timestamp });
export type KpiAnswer = z.infer<typeof kpiAnswer>;

export const kpisQuery = z.strictObject({
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
	cursor: z.string().max(200).optional().describe("`next_cursor` of the page before."),
});
export const kpisAnswer = z.object({
	kpis: z.array(kpiAnswer).describe("In the order they were created."),
	total: z.number().int().describe("How many."),
	next_cursor: z.string().nullable(),
});
export type KpisQuery = z.input<typeof kpisQuery>;
export type KpisAnswer = z.infer<typeof kpisAnswer>;

export const kpiValueQuery = z.strictObject({ timeframe: timeframes(KPI_TIMEFRAMES), ...windowParameters });
const kpiPart = z.object({
	name: z.string(),
	record: z.enum(["metric", "event"]).nullable(),
	value: z.number().nullable().describe("Sum of the metric, or count of the event, in the window."),
});
export const kpiValueAnswer = z.object({
	kpi_id: z.string(),
	name: z.string(),
	timeframe: z.string(),
	value: z
		.number()
		.nullable()
		.describe("Sum of the numerator / sum of the denominator; null when that is 0 or not sent."),
	display: z.string().nullable().describe("The value in the format of the KPI."),
	target_value: z.number(),
	attainment: z
		.number()
		.nullable()
		.describe("value / target_value, or target_value / value where lower is better: 1 is on target."),
	status: z.enum(["on_target", "off_target", "no_data"]),
	trend: z
		.enum(["improving", "declining", "stable"])
		.nullable()
		.describe(
			"Against the window of the same length before: stable within 1 % of its value. Null when one of the two is not known, or when the project's first record is later than that window's start.",
		),
	trend_direction: z.enum(TREND_DIRECTIONS),
	previous_value: z.number().nullable().describe("Of the window of the same length before."),
	change_percentage: percent.describe("Change of the value to the window before, percent."),
	numerator: kpiPart,
	denominator: kpiPart,
	meta,
	explain: explanation.optional(),
});
export type KpiValueQuery = z.input<typeof kpiValueQuery>;
export type KpiValueAnswer = z.infer<typeof kpiValueAnswer>;

export const kpiHistoryQuery = z.strictObject({
	timeframe: timeframes(KPI_TIMEFRAMES),
	granularity: granularityParameter,
	...windowParameters,
});
export const kpiHistoryAnswer = z.object({
	kpi_id: z.string(),
	name: z.string(),
	timeframe: z.string(),
	granularity: z.string(),
	target_value: z.number().describe("As it is now; each point is held against it."),
	trend_direction: z.enum(TREND_DIRECTIONS),
	points: z.array(
		z.object({
			timestamp,
			value: z.number().nullable().describe("Sum of the numerator / sum of the denominator, of the bucket."),
			attainment: ratio.describe("1 is on target."),
			status: z.enum(["on_target", "off_target", "no_data"]),
			numerator: z.number().nullable(),
			denominator: z.number().nullable(),
			partial: z.literal(true).optional().describe("The window ends or starts inside this bucket."),
		}),
	),
	meta,
	explain: explanation.optional(),
});
export type KpiHistoryQuery = z.input<typeof kpiHistoryQuery>;
export type KpiHistoryAnswer = z.infer<typeof kpiHistoryAnswer>;
