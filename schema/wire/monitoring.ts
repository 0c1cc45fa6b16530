/** Requests and answers of the monitoring document that read. */
import { z } from "zod";
import {
	count,
	explanation,
	granularityParameter,
	list,
	logEntry,
	meta,
	milliseconds,
	percent,
	point,
	ratio,
	timeframes,
	timestamp,
	windowParameters,
} from "./common.ts";

const asked = { meta, explain: explanation.optional() };
const { as_of, timezone, explain } = windowParameters;

export const healthQuery = z.strictObject({ as_of, timezone, explain });
export const componentHealth = z.object({
	status: z.enum(["healthy", "degraded", "down", "unknown"]),
	response_time_ms: milliseconds.optional(),
	active_peers: count.optional(),
	utilization_percentage: percent.optional(),
	transaction_rate: z.number().nullable().optional().describe("Transactions a second over five minutes."),
});
export const healthAnswer = z.object({
	status: z.enum(["healthy", "degraded", "unhealthy", "unknown"]),
	timestamp,
	uptime_percentage: percent,
	response_time_ms: milliseconds,
	active_nodes: count,
	total_requests_24h: count,
	error_rate_24h: ratio,
	components: z.record(z.string(), componentHealth),
	...asked,
});
export type HealthQuery = z.input<typeof healthQuery>;
export type ComponentHealth = z.infer<typeof componentHealth>;
export type HealthAnswer = z.infer<typeof healthAnswer>;

export const METRICS_TIMEFRAMES = ["1h", "24h", "7d", "30d"] as const;
/** Metrics of the document, computed from the records of semantic conventions. */
export const BUILT_IN_METRICS = [
	"api_requests",
	"response_time_avg",
	"response_time_p95",
	"response_time_p99",
	"error_rate",
	"cpu_utilization",
	"memory_utilization",
	"network_throughput_mbps",
	"active_users",
] as const;
export type BuiltInMetric = (typeof BUILT_IN_METRICS)[number];

export const metricsQuery = z.strictObject({
	timeframe: timeframes(METRICS_TIMEFRAMES),
	granularity: granularityParameter,
	metrics: list(
		"Metrics of the document, or any ingested one: `name`, or `name:aggregation` with avg, sum, min, max, count, last, rate (a second), p50, p90, p95, p99.",
	).optional(),
	component: z.string().min(1).optional().describe("Only this part of the system."),
	group_by: list("Tags by which ingested metrics are told apart.").optional(),
	...windowParameters,
});
export const metricsAnswer = z.object({
	timeframe: z.string(),
	granularity: z.string(),
	data_points: z
		.array(point)
		.describe("Response times in milliseconds, rates and utilizations as ratios; ingested metrics in their own unit."),
	summary: z.object({
		total_requests: count,
		avg_response_time: milliseconds,
		peak_response_time: milliseconds,
		availability: percent,
		error_count: count,
	}),
	groups: z
		.array(z.object({ group: z.record(z.string(), z.string()), data_points: z.array(point) }))
		.optional()
		.describe("With group_by: the asked metrics for each combination of tags."),
	...asked,
});
export type MetricsQuery = z.input<typeof metricsQuery>;
export type MetricsAnswer = z.infer<typeof metricsAnswer>;
export type DataPoint = z.infer<typeof point>;

export const TIMEFRAMES = ["1h", "6h", "24h", "7d", "30d"] as const;
export const RESOURCE_SECTIONS = ["compute", "storage", "network"] as const;
export const resourcesQuery = z.strictObject({
	timeframe: timeframes(TIMEFRAMES),
	components: list("Sections of the answer: compute, storage, network. Default: all.").optional(),
	...windowParameters,
});
const utilization = z.object({ avg_utilization: percent, max_utilization: percent });
export const resourcesAnswer = z.object({
	timeframe: z.string(),
	cpu: utilization.optional(),
	memory: utilization.optional(),
	storage: z
		.object({
			utilization: percent,
			volumes: z.array(z.object({ host: z.string(), device: z.string(), utilization: percent })),
		})
		.optional(),
	network: z
		.object({
			utilization: percent,
			throughput_mbps: z.number().nullable().describe("Received and sent, megabits a second."),
			capacity_mbps: z.number().nullable().describe("Of all links, megabits a second."),
		})
		.optional(),
	...asked,
});
export type ResourcesQuery = z.input<typeof resourcesQuery>;
export type ResourcesAnswer = z.infer<typeof resourcesAnswer>;

export const LOG_SORTS = ["timestamp desc", "timestamp asc"] as const;
export const logsQuery = z.strictObject({
	query: z
		.string()
		.max(10_000)
		.optional()
		.describe(
			"Lucene-style: field:value, AND OR NOT, parentheses, quotes, wildcards, ranges. Fields: level, component, message, trace_id, span_id, context.x. Adjacent terms mean AND; bare words and phrases search the message.",
		),
	timeframe: timeframes(TIMEFRAMES),
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
	sort: z.enum(LOG_SORTS).default("timestamp desc"),
	cursor: z.string().max(200).optional().describe("`next_cursor` of the page before."),
	...windowParameters,
});
export const logsAnswer = z.object({
	logs: z.array(logEntry),
	total: z.number().int().describe("Log lines that match."),
	total_is_lower_bound: z.boolean(),
	next_cursor: z.string().nullable(),
	...asked,
});
export type LogsQuery = z.input<typeof logsQuery>;
export type LogsAnswer = z.infer<typeof logsAnswer>;
