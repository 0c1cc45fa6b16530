/** Issues: errors of one fingerprint, with a status that people set and new errors change. */
import { z } from "zod";
import {
	count,
	explanation,
	granularityParameter,
	list,
	meta,
	percent,
	timeframes,
	timestamp,
	windowParameters,
} from "./common.ts";
import { ERROR_TIMEFRAMES, errorSample } from "./errors.ts";

export const ISSUE_STATUSES = ["open", "resolved", "regressed", "ignored"] as const;
export type IssueStatus = (typeof ISSUE_STATUSES)[number];
/** What a person can make of an issue; `regressed` follows from an error after it was resolved. */
export const SET_STATUSES = ["open", "resolved", "ignored"] as const;
export const ISSUE_SORTS = ["last_seen", "first_seen", "count", "affected_users"] as const;

export const issueStatus = z
	.enum(ISSUE_STATUSES)
	.describe(
		"resolved until an error happens after it was; then regressed until it is resolved again. ignored until it is opened. Otherwise open.",
	);

const change = z.object({
	status: z.enum(SET_STATUSES),
	at: timestamp,
	by: z.string().describe("Id of the key."),
	note: z.string().nullable(),
});
export type IssueChange = z.infer<typeof change>;

/** What is stored of an issue: every change of its status, the oldest first. */
export const issueBody = z.object({ changes: z.array(change) });
export type IssueBody = z.infer<typeof issueBody>;

/** Body of `PATCH /v1/monitoring/issues/{id}`. */
export const issueUpdate = z.strictObject({
	status: z.enum(SET_STATUSES),
	note: z.string().trim().min(1).max(2_000).optional(),
});
export type IssueUpdate = z.infer<typeof issueUpdate>;

export const issuesQuery = z.strictObject({
	timeframe: timeframes(ERROR_TIMEFRAMES),
	status: list(`Only issues with one of these: ${ISSUE_STATUSES.join(", ")}. Default: all.`).optional(),
	component: z.string().max(200).optional().describe("Only issues with an error of this component in the window."),
	query: z
		.string()
		.min(1)
		.max(200)
		.optional()
		.describe(
			"Only issues with this text in the type, message, component or culprit of an error in the window, or as their id.",
		),
	sort: z.enum(ISSUE_SORTS).default("last_seen").describe("The latest, or the most, first."),
	limit: z.coerce.number().int().min(1).max(1_000).default(100).describe("Issues of a page."),
	cursor: z.string().max(200).optional().describe("`next_cursor` of the page before."),
	...windowParameters,
});

const issue = z.object({
	issue_id: z.string().describe("Fingerprint, as reporting answers it."),
	title: z.string().describe("Type and first line of the message of the latest error."),
	type: z.string(),
	culprit: z.string().nullable().describe("The top call of the program's own, as function (module)."),
	component: z.string().nullable().describe("Of the latest error."),
	severity: z.string().nullable().describe("Of the latest error; null when that is no longer kept."),
	status: issueStatus,
	first_seen: timestamp.describe("Ever."),
	last_seen: timestamp.nullable().describe("Before as_of; null when that error is no longer kept."),
	count: z.number().int().describe("Errors in the window."),
	count_ever: z.number().int().describe("Errors before as_of, also those that are no longer kept."),
	affected_users: count.describe("Distinct users in the window."),
	trend_percentage: percent.describe("Change of the count to the window before, percent; null when there were none."),
	sample: errorSample.omit({ status: true }).nullable().describe("The latest error."),
});
export type Issue = z.infer<typeof issue>;

export const issuesAnswer = z.object({
	timeframe: z.string(),
	total_issues: count.describe("Issues with an error in the window that fit the filters."),
	issues: z.array(issue),
	next_cursor: z.string().nullable(),
	meta,
	explain: explanation.optional(),
});
export type IssuesQuery = z.input<typeof issuesQuery>;
export type IssuesAnswer = z.infer<typeof issuesAnswer>;

export const issueQuery = z.strictObject({
	timeframe: timeframes(ERROR_TIMEFRAMES),
	granularity: granularityParameter,
	limit: z.coerce.number().int().min(1).max(100).default(10).describe("Errors listed as occurrences."),
	...windowParameters,
});

const cause = z.object({
	type: z.string().nullable(),
	message: z.string().nullable().describe("Its first line."),
	frames: z.array(
		z.object({
			module: z.string().nullable().describe("Package, class or file, without its folder."),
			function: z.string().nullable().describe("Null for an anonymous one."),
			in_app: z.boolean().describe("Of the program that reports, not of a library."),
		}),
	),
});

export const issueAnswer = issue.extend({
	timeframe: z.string(),
	granularity: z.string(),
	chain: z
		.array(cause)
		.describe(
			"The errors that the stack of the latest one shows: the error itself, then its causes, each with its calls, the throwing one first.",
		),
	counts: z
		.array(
			z.object({
				timestamp,
				count: z.number().int().describe("Errors in the bucket and the window."),
				partial: z.literal(true).optional().describe("The window ends or starts inside this bucket."),
			}),
		)
		.describe("Over the window, empty buckets too."),
	occurrences: z.array(errorSample.omit({ status: true })).describe("The latest errors of the window."),
	changes: z.array(change).describe("Of the status before as_of, the oldest first."),
	meta,
	explain: explanation.optional(),
});
export type IssueQuery = z.input<typeof issueQuery>;
export type IssueAnswer = z.infer<typeof issueAnswer>;
