/** Errors of the monitoring document: their analysis by groups. */
import { z } from "zod";
import { count, explanation, list, meta, percent, timeframes, timestamp, windowParameters } from "./common.ts";

export const ERROR_TIMEFRAMES = ["1h", "24h", "7d", "30d"] as const;
/** What errors can be grouped by, beside any member of their context; `fingerprint` is another name of `issue_id`. */
export const ERROR_GROUPINGS = ["error_type", "component", "severity", "issue_id", "fingerprint"] as const;

export const errorAnalysisQuery = z.strictObject({
	timeframe: timeframes(ERROR_TIMEFRAMES),
	group_by: list(
		`What errors are grouped by: ${ERROR_GROUPINGS.join(", ")}, or any member of their context as context.x. Default: error_type.`,
	).optional(),
	limit: z.coerce.number().int().min(1).max(1_000).default(100).describe("Groups of a page."),
	cursor: z.string().max(200).optional().describe("`next_cursor` of the page before."),
	...windowParameters,
});

export const errorSample = z.object({
	error_id: z.string(),
	issue_id: z.string().describe("Fingerprint, as reporting answers it."),
	timestamp,
	error_type: z.string(),
	severity: z.string(),
	component: z.string().nullable(),
	message: z.string(),
	stack_trace: z.string().nullable(),
	context: z.record(z.string(), z.unknown()),
	user_id: z.string().nullable(),
	trace_id: z.string().nullable(),
	status: z.string().describe("Of its issue: open, resolved, regressed or ignored."),
});

const errorGroup = z
	.object({
		count: z.number().int().describe("Errors in the window."),
		percentage: percent.describe("Of all errors in the window; the groups add up to 100."),
		affected_users: count.describe("Distinct users."),
		first_seen: timestamp.describe("Ever, also before the window."),
		last_seen: timestamp.describe("In the window."),
		trend_percentage: percent.describe("Change of the count to the window before, percent; null when there were none."),
		rate_per_1k_requests: z.number().nullable().describe("Errors per 1,000 HTTP requests of the window."),
		sample: errorSample.nullable().describe("The latest one."),
	})
	.catchall(z.unknown())
	.describe("Beside the keys it is grouped by, named as they were asked for; null where an error has none.");

export const errorAnalysisAnswer = z.object({
	timeframe: z.string(),
	total_errors: count,
	affected_users: count.describe("Distinct users of all errors in the window."),
	total_groups: count,
	groups: z.array(errorGroup).describe("The most frequent first; the 10,000 most frequent are listed."),
	next_cursor: z.string().nullable(),
	meta,
	explain: explanation.optional(),
});
export type ErrorAnalysisQuery = z.input<typeof errorAnalysisQuery>;
export type ErrorAnalysisAnswer = z.infer<typeof errorAnalysisAnswer>;
export type ErrorGroupAnswer = z.infer<typeof errorGroup>;
