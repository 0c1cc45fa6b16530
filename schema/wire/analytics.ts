/** Requests and answers of the analytics document that read. */
import { z } from "zod";
import {
	count,
	explanation,
	granularityParameter,
	logEntry,
	meta,
	milliseconds,
	percent,
	point,
	timeframes,
	timestamp,
	windowParameters,
} from "./common.ts";
import { LOG_LEVELS } from "./ingest.ts";

const asked = { meta, explain: explanation.optional() };
const { as_of, timezone, explain } = windowParameters;

export const systemHealthQuery = z.strictObject({ as_of, timezone, explain });
const inItsUnit = z.number().describe("In the unit of the metric.");
const database = z.object({ connections: count, pool_size: count });
export const systemHealthAnswer = z.object({
	timestamp,
	status: z.enum(["healthy", "degraded", "unhealthy", "unknown"]),
	uptime_seconds: z.number().nullable().describe("Since the root service started."),
	system: z.object({
		cpu_usage: percent,
		memory_usage: percent,
		disk_usage: percent,
		load_average: z.array(z.number()).nullable().describe("1, 5 and 15 minutes, of the host with the highest."),
		temperature: z.number().nullable().describe("Celsius."),
	}),
	services: z.object({
		database: z.object({
			status: z.string(),
			response_time_ms: milliseconds,
			...database.shape,
			by_database: z.record(z.string(), database),
		}),
		llm_backend: z.object({
			status: z.string(),
			model: z.string().nullable(),
			response_time_ms: milliseconds,
			queue_length: z.number().nullable().describe("Requests that wait."),
		}),
		circuit_breakers: z.record(z.string(), z.string()),
	}),
	alerts: z
		.array(
			z.object({
				...{ level: z.string(), message: z.string(), threshold: inItsUnit, current: inItsUnit },
				...{ state: z.enum(["firing", "pending"]), alert_id: z.string() },
			}),
		)
		.describe("Instances of alerts that fire, or are about to, the most severe first."),
	...asked,
});
export type SystemHealthQuery = z.input<typeof systemHealthQuery>;
export type SystemHealthAnswer = z.infer<typeof systemHealthAnswer>;

export const PERFORMANCE_TIMEFRAMES = ["1h", "6h", "24h", "7d", "30d"] as const;
export const systemPerformanceQuery = z.strictObject({
	timeframe: timeframes(PERFORMANCE_TIMEFRAMES),
	granularity: granularityParameter,
	...windowParameters,
});
export const systemPerformanceAnswer = z.object({
	timeframe: z.string(),
	granularity: z.string(),
	metrics: z
		.array(point)
		.describe("Usage in percent, volumes in bytes, response times in milliseconds, error_rate a ratio."),
	summary: z.object({
		avg_cpu: percent,
		max_memory: percent,
		total_requests: count,
		avg_response_time: milliseconds,
		total_errors: count,
	}),
	...asked,
});
export type SystemPerformanceQuery = z.input<typeof systemPerformanceQuery>;
export type SystemPerformanceAnswer = z.infer<typeof systemPerformanceAnswer>;

export const systemLogsQuery = z.strictObject({
	level: z.enum(LOG_LEVELS).optional(),
	component: z.string().min(1).optional(),
	start_time: z.string().optional().describe("RFC 3339 or epoch. Default: 24 hours before the end."),
	end_time: z.string().optional().describe("RFC 3339 or epoch, not included. Default: as_of."),
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
	search: z.string().max(1_000).optional().describe("Text that the message contains, in any case."),
	cursor: z.string().max(200).optional(),
	...windowParameters,
});
export const systemLogsAnswer = z.object({
	logs: z.array(logEntry),
	total: z.number().int().describe("Log lines that match all filters."),
	has_more: z.boolean(),
	next_cursor: z.string().nullable(),
	aggregations: z.object({
		by_level: z.record(z.string(), z.number().describe("Log lines.")),
		by_component: z.record(z.string(), z.number().describe("Log lines.")),
	}),
	...asked,
});
export type SystemLogsQuery = z.input<typeof systemLogsQuery>;
export type SystemLogsAnswer = z.infer<typeof systemLogsAnswer>;
