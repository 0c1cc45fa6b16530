/** Log analytics of the monitoring document: what templates say about lines, and how lines divide. */
import { z } from "zod";
import { count, explanation, list, meta, percent, ratio, timeframes, timestamp, windowParameters } from "./common.ts";

export const LOG_ANALYSIS_TIMEFRAMES = ["1h", "6h", "24h", "7d", "30d"] as const;
export const LOG_ANALYSES = ["pattern_detection", "new_patterns", "frequency"] as const;
/** What log lines can be grouped by, beside any member of their context; `error_type` is one of those. */
export const LOG_GROUPINGS = ["level", "component", "error_type", "trace_id", "span_id"] as const;

export const logAnalyticsQuery = z.strictObject({
	timeframe: timeframes(LOG_ANALYSIS_TIMEFRAMES),
	analysis_type: z
		.enum(LOG_ANALYSES)
		.default("pattern_detection")
		.describe(
			"pattern_detection: templates of the window. new_patterns: those first seen since an instant. frequency: groups only.",
		),
	group_by: list(
		`Adds groups: ${LOG_GROUPINGS.join(", ")}, or any member of the context as context.x. frequency groups by level when nothing is named.`,
	).optional(),
	since: z
		.string()
		.optional()
		.describe("Of new_patterns: first seen at or after this instant. Default: start of the window. RFC 3339 or epoch."),
	limit: z.coerce
		.number()
		.int()
		.min(1)
		.max(1_000)
		.default(100)
		.describe("Patterns, and groups, that are listed: the most frequent."),
	...windowParameters,
});

const logPattern = z.object({
	pattern_id: z.string().describe("16 hexadecimal digits; all 0 for lines stored before patterns were mined."),
	template: z
		.string()
		.nullable()
		.describe(
			"<*> stands for what varies, <…> for the rest of lines there was no template left for. Null when not mined.",
		),
	count: z.number().int().describe("Lines in the window."),
	percentage: percent.describe("Of all lines in the window; the patterns add up to 100."),
	level: z.string().describe("The most frequent of its lines; of equals the most severe."),
	component: z.string().nullable().describe("The most frequent of its lines."),
	components: z.array(z.string()).describe("All, the most frequent first."),
	error_share: ratio.describe("Lines of level error and above ÷ lines."),
	first_seen: timestamp.describe("Ever, also before the window."),
	last_seen: timestamp.describe("In the window."),
	is_new: z.boolean().describe("First seen in the window."),
	trend_percentage: percent.describe("Change of the count to the window before, percent; null when there were none."),
	examples: z
		.array(z.string())
		.describe("Messages of the last minute with such lines, the latest first, different ones, cut."),
});

const logGroup = z
	.object({
		count: z.number().int().describe("Lines in the window, of new_patterns those of such patterns."),
		percentage: percent.describe("Of all lines in the window."),
		trend_percentage: percent.describe("As of a pattern; null for new patterns."),
		total_patterns: z.number().int().describe("Patterns among its lines."),
		top_patterns: z.array(
			z.object({ pattern_id: z.string(), template: z.string().nullable(), count: z.number().int().describe("Lines.") }),
		),
	})
	.catchall(z.unknown())
	.describe("Beside the keys it is grouped by, named as they were asked for; null where a line has none.");

export const logAnalyticsAnswer = z.object({
	timeframe: z.string(),
	analysis_type: z.enum(LOG_ANALYSES),
	total_logs: count.describe("Lines in the window."),
	total_patterns: count.describe("Patterns in the window, of new_patterns the new ones."),
	patterns: z.array(logPattern).describe("The most frequent first; none for frequency."),
	groups: z.array(logGroup).describe("The most frequent first; none unless grouped."),
	meta,
	explain: explanation.optional(),
});
export type LogAnalyticsQuery = z.input<typeof logAnalyticsQuery>;
export type LogAnalyticsAnswer = z.infer<typeof logAnalyticsAnswer>;
export type LogPatternAnswer = z.infer<typeof logPattern>;
