/** Reports: what is asked for, when it is due, who gets it, and what came of each run. */
import { z } from "zod";
import { clock, count, meta, milliseconds, percent, ratio, timestamp, zone } from "./common.ts";

export const REPORT_TEMPLATES = [
	"performance_summary",
	"usage_summary",
	"ai_summary",
	"business_summary",
	"reliability_summary",
] as const;
export type ReportTemplate = (typeof REPORT_TEMPLATES)[number];
export const REPORT_FORMATS = ["json", "csv", "html", "pdf"] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];
export const REPORT_TIMEFRAMES = ["1h", "24h", "7d", "30d"] as const;
export type ReportTimeframe = (typeof REPORT_TIMEFRAMES)[number];
export const REPORT_DIMENSIONS = ["date", "model", "user_segment"] as const;
const FREQUENCIES = ["hourly", "daily", "weekly", "monthly", "quarterly"] as const;
const MAX_RECIPIENTS = 50;

const name = z.string().trim().min(1).max(200);
const description = z.string().max(2_000).default("");
const format = z.enum(REPORT_FORMATS);
const formats = z
	.union([format, z.array(format).min(1).max(REPORT_FORMATS.length)])
	.transform((given) => [...new Set([given].flat())]);
const emails = z
	.union([z.email(), z.array(z.email()).max(MAX_RECIPIENTS)])
	.transform((given) => [...new Set([given].flat())]);
const webhook = z
	.url({ protocol: /^https?$/ })
	.max(2_000)
	.describe("Told of each finished run, signed as Standard Webhooks are with the secret of the notification channels.");

const plan = z.strictObject({
	frequency: z.enum(FREQUENCIES),
	day: z
		.union([z.string().max(20), z.number().int()])
		.optional()
		.describe("Weekly: a weekday, default monday. Monthly and quarterly: 1 to 28, or last; default 1."),
	time: clock.default("00:00").describe("In the zone; of an hourly schedule only the minute counts."),
	timezone: zone.default("UTC"),
});
const pattern = z
	.string()
	.trim()
	.min(1)
	.max(200)
	.describe(
		"Cron: minute, hour, day of the month, month, weekday. A time that a change of the clocks leaves out is due at the first minute after it, one that comes twice the first time.",
	);
const timezone = zone.default("UTC").describe("IANA zone of the days of the report, and of a schedule without one.");
const timeframe = z
	.enum(REPORT_TIMEFRAMES)
	.describe("The complete days (1h: the complete hour) before the day of the run, in its zone.");

/** What a scheduled report takes. */
export const reportBody = z.strictObject({
	name,
	description,
	template: z.enum(REPORT_TEMPLATES),
	schedule: z
		.union([pattern, plan, z.strictObject({ cron: pattern, timezone: zone.default("UTC") })])
		.optional()
		.describe("Absent: it runs when somebody asks for it."),
	timezone,
	timeframe: timeframe.optional().describe("Default: by how often it runs, else 7d."),
	recipients: emails.default([]).describe("Each gets a mail of its own, with the files attached."),
	webhook: webhook.optional(),
	format: formats.default(["pdf"]),
	include_charts: z.boolean().default(true),
	kpis: z.array(z.string().max(100)).max(20).default([]).describe("Ids of KPIs that are told at the end."),
});
export type NewReport = z.input<typeof reportBody>;

/** What a custom report of the analytics document takes. */
export const customReportBody = z.strictObject({
	name,
	description,
	metrics: z.array(z.string().min(1).max(200)).min(1).max(20).describe("Names of the catalogue of measures."),
	filters: z
		.strictObject({
			timeframe: timeframe.default("7d"),
			models: z.array(z.string().min(1).max(200)).max(50).optional().describe("Only calls of these models."),
			user_segments: z
				.array(z.string().min(1).max(200))
				.max(20)
				.optional()
				.describe("Only calls of accounts in these segments: what their subscriptions say, else their plan."),
		})
		.default({ timeframe: "7d" }),
	groupby: z
		.array(z.enum(REPORT_DIMENSIONS))
		.max(REPORT_DIMENSIONS.length)
		.default(["date"])
		.transform((given) => [...new Set(given)]),
	schedule: plan.optional().describe("Absent: it runs once, at once."),
	delivery: z
		.strictObject({ email: emails.optional(), webhook: webhook.optional(), format: format.default("json") })
		.optional(),
});
export type NewCustomReport = z.input<typeof customReportBody>;

/** What is stored of either; the address of the webhook is sealed. */
export const storedReport = z.object({
	name,
	description: z.string(),
	content: z.discriminatedUnion("type", [
		z.object({ type: z.literal("template"), template: z.enum(REPORT_TEMPLATES), kpis: z.array(z.string()) }),
		z.object({
			type: z.literal("custom"),
			metrics: z.array(z.string()),
			models: z.array(z.string()).nullable(),
			user_segments: z.array(z.string()).nullable(),
			groupby: z.array(z.enum(REPORT_DIMENSIONS)),
		}),
	]),
	timeframe,
	timezone: zone,
	schedule: z.object({ cron: z.string(), timezone: zone }).nullable(),
	include_charts: z.boolean(),
	/** All that are made; those that are sent are among them. */
	formats: z.array(format),
	delivery: z.object({ emails: z.array(z.string()), url: z.string().nullable(), formats: z.array(format) }),
});
export type StoredReport = z.infer<typeof storedReport>;
/** Under which reports are stored. */
export const REPORT_KIND = "report";

export const REPORT_STATUSES = ["scheduled", "queued", "running", "completed", "failed", "skipped"] as const;
export type ReportStatus = (typeof REPORT_STATUSES)[number];

const file = z.object({
	format,
	bytes: z.number().int(),
	sha256: z.string(),
	url: z.string().describe("Signed: it needs no key, and expires."),
	url_expires_at: timestamp,
});

export const reportRunAnswer = z.object({
	run_id: z.string(),
	report_id: z.string(),
	trigger: z.enum(["schedule", "demand"]),
	scheduled_for: timestamp.nullable(),
	status: z.enum(REPORT_STATUSES),
	progress: z.number().describe("0 to 1."),
	reason: z.string().nullable().describe("Why it failed or was skipped, or what it stands for: runs that were missed."),
	as_of: timestamp.describe("Nothing at or after it counts: asked with the same as_of, the routes answer the same."),
	period: z.object({ start: timestamp, end: timestamp, timezone: z.string() }),
	data_through: timestamp.nullable(),
	generated_at: timestamp.nullable().describe("When its files were ready."),
	created_at: timestamp,
	started_at: timestamp.nullable(),
	finished_at: timestamp.nullable(),
	files: z.array(file),
	deliveries: z.array(
		z.object({
			target: z.string().describe("An address, or where a webhook leads without its path."),
			type: z.enum(["email", "webhook"]),
			status: z
				.enum(["pending", "sending", "sent", "failed", "unsure"])
				.describe("unsure: interrupted while it was sent; it may have arrived, and is not sent again."),
			attempts: z.number().int(),
			last_error: z.string().nullable(),
			sent_at: timestamp.nullable(),
		}),
	),
});
export type ReportRunAnswer = z.infer<typeof reportRunAnswer>;

export const reportAnswer = z.object({
	report_id: z.string(),
	name,
	description: z.string(),
	template: z.enum(REPORT_TEMPLATES).nullable().describe("Null of a custom report."),
	kpis: z.array(z.string()),
	timeframe: z.enum(REPORT_TIMEFRAMES),
	timezone: z.string(),
	schedule: z.object({ cron: z.string(), timezone: z.string() }).nullable(),
	formats: z.array(format),
	include_charts: z.boolean(),
	recipients: z.array(z.string()),
	webhook: z.string().nullable().describe("Without its path."),
	status: z.enum(REPORT_STATUSES).describe("Of the newest run; scheduled before the first."),
	next_run: timestamp.nullable(),
	created_at: timestamp,
	updated_at: timestamp,
	last_run: reportRunAnswer.nullable(),
});
export type ReportAnswer = z.infer<typeof reportAnswer>;

const page = {
	limit: z.coerce.number().int().min(1).max(200).default(50),
	cursor: z.string().max(200).optional().describe("`next_cursor` of the page before."),
};
export const reportsQuery = z.strictObject(page);
export type ReportsQuery = z.input<typeof reportsQuery>;
export const reportsAnswer = z.object({
	reports: z.array(reportAnswer).describe("In the order they were created."),
	total: z.number().int(),
	next_cursor: z.string().nullable(),
});
export type ReportsAnswer = z.infer<typeof reportsAnswer>;
export const reportRunsQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50) });
export type ReportRunsQuery = z.input<typeof reportRunsQuery>;
export const reportRunsAnswer = z.object({ runs: z.array(reportRunAnswer).describe("The newest first.") });
export type ReportRunsAnswer = z.infer<typeof reportRunsAnswer>;

export const customReportCreated = z.object({
	report_id: z.string(),
	status: z.enum(REPORT_STATUSES),
	next_run: timestamp.nullable().describe("Null without a schedule."),
	created_at: timestamp,
});
export type CustomReportCreated = z.infer<typeof customReportCreated>;

const number = z.number().nullable();
/** Members by the metrics that were asked for; each unit stands in the catalogue. */
const numbers = {
	avg_response_time: milliseconds.optional().describe("Milliseconds, of models, without timeouts."),
	success_rate: ratio.optional(),
	timeout_rate: ratio.optional(),
	total_tokens: count.optional(),
	api_requests: count.optional(),
	api_response_time: milliseconds.optional(),
	api_response_time_p95: milliseconds.optional(),
	api_response_time_p99: milliseconds.optional(),
	error_rate: ratio.optional(),
	cpu_usage: percent.optional(),
	memory_usage: percent.optional(),
	active_users: count.optional(),
};
const evidence = z.object({ value: number, baseline: number, n: z.number().int() });
export const reportInsight = z.object({
	rule: z.enum(["change", "threshold", "peak"]),
	metric: z.string(),
	text: z.string(),
	evidence: evidence.describe("What the rule saw, what it compared it with, and over how many buckets."),
});
export type ReportInsight = z.infer<typeof reportInsight>;

/** What a run of a custom report counted; kept as it was, whatever comes later. */
export const customReportData = z.object({
	summary: z.object({
		timeframe: z.string().describe("First and last day, both included."),
		total_requests: count.optional(),
		...numbers,
	}),
	details: z
		.array(
			z.object({
				date: z.string().optional(),
				model: z.string().optional(),
				user_segment: z.string().optional(),
				requests: count.optional(),
				...numbers,
			}),
		)
		.describe("One row for each combination of groupby that has records."),
	insights: z.array(z.string()).describe("By rules, never free text; what each stands on is in insight_evidence."),
	insight_evidence: z.array(reportInsight),
});
export type CustomReportData = z.infer<typeof customReportData>;

export const customReportAnswer = z.object({
	report_id: z.string(),
	name,
	status: z.enum(REPORT_STATUSES).describe("Of the newest run; scheduled before the first."),
	error: z.string().optional().describe("Why the newest run failed, or was skipped."),
	generated_at: timestamp.nullable().describe("Null before the first run is over."),
	data_through: timestamp.nullable(),
	next_run: timestamp.nullable(),
	data: customReportData.nullable().describe("Of the newest finished run."),
	export_urls: z
		.partialRecord(format, z.string())
		.describe("For each format that was made; signed: they need no key, and expire."),
	meta: meta.nullable(),
});
export type CustomReportAnswer = z.infer<typeof customReportAnswer>;
