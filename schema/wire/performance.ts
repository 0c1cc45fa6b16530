/** Performance insights of the monitoring document. */
import { z } from "zod";
import { explanation, meta, ratio, timestamp, windowParameters } from "./common.ts";

/** T of Apdex unless asked otherwise, milliseconds. */
export const APDEX_T_MS = 500;

export const performanceQuery = z.strictObject({
	apdex_t_ms: z.coerce
		.number()
		.positive()
		.default(APDEX_T_MS)
		.describe("T of Apdex, milliseconds: users are satisfied up to T, and tolerate up to 4 T."),
	...windowParameters,
});

const part = z.object({
	weight: z.number().describe("Of the whole score; the weight of a part without value is shared among the others."),
	value: ratio.describe("What the part is made of: Apdex, error rate, availability, utilization. Ratio from 0 to 1."),
	score: ratio,
});
const resource = z.object({
	resource: z.string().describe("cpu, memory, gpu or storage."),
	component: z.string().describe("The component, else the host."),
	host: z.string(),
	device: z.string(),
});
const trend = z.object({
	direction: z.string().nullable(),
	change_percentage: z.number().nullable().describe("Percent, of this week against the week before."),
	period: z.literal("7d"),
	p_value: z.number().nullable().describe("Of the two-sided Mann–Whitney test on hourly values."),
});
const bottleneck = z.object({
	component: z.string().describe("The component, else the host or the database."),
	resource: z.string(),
	severity: z.enum(["low", "medium", "high", "critical"]),
	description: z.string(),
	recommendation: z.string(),
	evidence: z.object({
		metric: z.string(),
		value: z.number().describe("Ratio from 0 to 1."),
		threshold: z.number().describe("Of the severity, ratio from 0 to 1."),
		host: z.string(),
		device: z.string(),
		window: z.object({
			start: timestamp,
			end: timestamp,
			hours: z.number().int().describe("Peak hours in it."),
		}),
		query_link: z.string().describe("Path and query that show the metric."),
	}),
});
const projection = z.object({
	...resource.pick({ resource: true, component: true }).shape,
	limit: z.number().describe("Utilization that counts as run out, ratio from 0 to 1."),
	date: timestamp.describe("Start of the first day on which the trend is at the limit."),
	confidence_interval: z.object({
		earliest: timestamp.nullable(),
		latest: timestamp.nullable().describe("Null is never."),
	}),
	slope_per_day: z.number().describe("Ratio a day."),
	r_squared: z.number().describe("Share of the variance that the trend explains, from 0 to 1."),
	utilization_at_horizon: z.number().describe("Ratio, 90 days from now, if nothing is done."),
});

export const performanceAnswer = z.object({
	performance_score: z.number().nullable().describe("0 to 100, of the last 24 hours."),
	breakdown: z.object({ latency: part, errors: part, availability: part, saturation: part }),
	bottlenecks: z.array(bottleneck).nullable().describe("Worst first. Null when nothing tells how full resources are."),
	trends: z.object({ response_time: trend, throughput: trend }),
	capacity_analysis: z.object({
		current_utilization: ratio.describe("0.95 quantile of the fullest resource in 24 hours. Ratio from 0 to 1."),
		binding_resource: resource.nullable(),
		projected_capacity_limit: timestamp.nullable().describe("The earliest of the projections."),
		confidence_interval: projection.shape.confidence_interval.nullable().describe("Of 95 %."),
		projections: z.array(projection),
		scaling_recommendations: z.array(z.string()),
	}),
	meta,
	explain: explanation.optional(),
});
export type PerformanceQuery = z.input<typeof performanceQuery>;
export type PerformanceAnswer = z.infer<typeof performanceAnswer>;
