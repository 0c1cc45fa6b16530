/** Streams of metrics: what is asked, and the messages. */
import { z } from "zod";
import { list, timestamp } from "./common.ts";

const MAX_INTERVAL_SECONDS = 3_600;
const METRICS =
	"Metrics of the catalogue (api_requests, response_time, error_rate, system.cpu_usage, …), metrics as they are sent, `name:aggregation`, or patterns such as `system.*`.";

/** Parameters of every stream. */
export const streamParameters = {
	api_key: z.string().optional().describe("The key, where a browser cannot send headers. It is in no log."),
};

export const metricsStreamQuery = z.strictObject({
	metrics: list(METRICS).optional(),
	interval_seconds: z.coerce
		.number()
		.int()
		.min(1)
		.max(MAX_INTERVAL_SECONDS)
		.default(10)
		.describe("Seconds between two messages, and over which each value is taken."),
	...streamParameters,
});
export type MetricsStreamQuery = z.input<typeof metricsStreamQuery>;

const seconds = z.int().describe("Seconds over which values are taken.");
const eventTime = timestamp.describe(
	"Event time of the newest record in it; the end of the interval when it has none.",
);

/** One event of the stream of metrics: each metric is a member; those without data in the interval are left out. */
export const metricsStreamEvent = z
	.object({
		timestamp: eventTime,
		interval_seconds: seconds,
		snapshot: z.boolean().optional().describe("What was stored when the stream began; updates follow."),
		aggregations: z.record(z.string(), z.string()).describe("How the value of each metric came about."),
	})
	.catchall(z.number().describe("In the unit of the metric."));

export const realtimeQuery = z.strictObject({
	metrics: list(`What to begin with: ${METRICS} Default: the catalogue.`).optional(),
	interval_seconds: metricsStreamQuery.shape.interval_seconds.default(5),
	...streamParameters,
});

/** What a client of the WebSocket may send. */
export const realtimeRequest = z.discriminatedUnion("type", [
	z.strictObject({
		type: z.literal("subscribe"),
		metrics: z.array(z.string()),
		interval_seconds: z.int().min(1).max(MAX_INTERVAL_SECONDS).default(5),
	}),
	z.strictObject({ type: z.literal("unsubscribe"), metrics: z.array(z.string()).optional() }),
]);

export const metricUpdate = z.object({
	type: z.literal("metric_update"),
	metric: z.string(),
	value: z.number().describe("In the unit of the metric."),
	timestamp: timestamp.describe("Event time of the newest record in the value."),
	interval_seconds: seconds,
	aggregation: z
		.string()
		.describe("How the value came about: last, mean, rate (a second), per_minute, ratio, percent, …"),
	snapshot: z.boolean().optional().describe("What was stored when the subscription began; updates follow."),
});
export const alertMessage = z.object({
	type: z.literal("alert"),
	level: z.enum(["info", "warning", "error", "critical"]),
	metric: z.string(),
	value: z
		.number()
		.nullable()
		.describe("The value that crossed, in the unit of the metric; null of a change without one, such as missing data."),
	threshold: z.number().nullable().describe("What it crossed."),
	message: z.string(),
	timestamp,
	alert_id: z.string().optional(),
	state: z.string().optional(),
});
/** Everything that the server sends on the WebSocket. */
export const realtimeMessage = z.discriminatedUnion("type", [
	metricUpdate,
	alertMessage,
	z.object({ type: z.literal("subscribed"), metrics: z.array(z.string()), interval_seconds: seconds }),
	z.object({ type: z.literal("unsubscribed"), metrics: z.array(z.string()) }),
	z.object({
		type: z.literal("gap"),
		missed_frames: z.int().describe("Messages between processes that did not arrive."),
		left_out: z.int().describe("Records that were too many to tell of."),
		interrupted_ms: z.int().describe("Milliseconds in which nothing of other processes was heard."),
	}),
	z.object({
		type: z.literal("skipped"),
		messages: z.int().describe("That this reader was too slow for."),
		reason: z.string(),
	}),
	z.looseObject({ type: z.literal("error"), error: z.string(), code: z.int().describe("As of HTTP.") }),
]);
export type RealtimeMessage = z.infer<typeof realtimeMessage>;
