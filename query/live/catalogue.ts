/**
 * Metrics that are worked out of others, by the names that the documents use; everything else is a metric as it was sent. Each
 * definition is that of a measure.
 */
import type { LivePart } from "../../schema/live/frames.ts";
import { CPU, hostMean, MEMORY } from "../measures/hosts.ts";
import { MODEL_EVENT, modelCallsOf } from "../measures/models.ts";
import { errorRate, HTTP_NAMES, meanLatency_ms, trafficOf } from "../measures/traffic.ts";
import { quotient } from "../quotient.ts";
import { milliseconds, percentOf, ratio, significant } from "../rounding.ts";

/** How a value came about. */
export type LiveAggregation =
	| "per_minute"
	| "mean"
	| "ratio"
	| "percent"
	| "last"
	| "rate"
	| "sum"
	| "count"
	| "min"
	| "max";

export interface CatalogueEntry {
	readonly name: string;
	readonly aggregation: LiveAggregation;
	/** What it is, with its unit. */
	readonly about: string;
	/** Metrics or events that it is made of. */
	readonly sources: readonly string[];
	/** @returns null without a record */
	readonly value: (parts: readonly LivePart[], interval_seconds: number) => number | null;
}

const requestsPerMinute = (parts: readonly LivePart[], interval_seconds: number) =>
	perMinute(trafficOf(parts).requests, interval_seconds);
const meanResponse_ms = (parts: readonly LivePart[]) => milliseconds(meanLatency_ms(trafficOf(parts)));

function perMinute(count: number, interval_seconds: number): number | null {
	return count === 0 ? null : significant((60 * count) / interval_seconds);
}

export const CATALOGUE: readonly CatalogueEntry[] = [
	{
		...{ name: "api_requests", aggregation: "per_minute", about: "Requests a minute." },
		...{ sources: HTTP_NAMES, value: requestsPerMinute },
	},
	{
		...{ name: "response_time", aggregation: "mean", about: "Mean response time in milliseconds." },
		...{ sources: HTTP_NAMES, value: meanResponse_ms },
	},
	{
		...{ name: "error_rate", aggregation: "ratio", about: "Failed requests by all, 0 to 1." },
		...{ sources: HTTP_NAMES, value: (parts) => ratio(errorRate(trafficOf(parts))) },
	},
	{
		...{ name: "cpu_utilization", aggregation: "ratio", about: "Used processors, mean over hosts, 0 to 1." },
		...{ sources: [CPU], value: (parts) => ratio(hostMean(parts)) },
	},
	{
		...{ name: "memory_utilization", aggregation: "ratio", about: "Used memory, mean over hosts, 0 to 1." },
		...{ sources: [MEMORY], value: (parts) => ratio(hostMean(parts)) },
	},
	{
		...{ name: "system.api_requests", aggregation: "per_minute", about: "As api_requests." },
		...{ sources: HTTP_NAMES, value: requestsPerMinute },
	},
	{
		...{ name: "system.response_time", aggregation: "mean", about: "As response_time, milliseconds." },
		...{ sources: HTTP_NAMES, value: meanResponse_ms },
	},
	{
		...{ name: "system.error_rate", aggregation: "ratio", about: "As error_rate, 0 to 1." },
		...{ sources: HTTP_NAMES, value: (parts) => ratio(errorRate(trafficOf(parts))) },
	},
	{
		...{ name: "system.cpu_usage", aggregation: "percent", about: "Used processors, mean over hosts, percent." },
		...{ sources: [CPU], value: (parts) => percentOf(hostMean(parts)) },
	},
	{
		...{ name: "system.memory_usage", aggregation: "percent", about: "Used memory, mean over hosts, percent." },
		...{ sources: [MEMORY], value: (parts) => percentOf(hostMean(parts)) },
	},
	...["ai.response_time", "ai.performance.response_time"].map(
		(name): CatalogueEntry => ({
			...{ name, aggregation: "mean", about: "Mean response time of models in milliseconds, without timeouts." },
			sources: [MODEL_EVENT],
			value: (parts) => {
				const { timed, latency_ms } = modelCallsOf(parts);
				return milliseconds(quotient(latency_ms, timed));
			},
		}),
	),
	...["ai.success_rate", "ai.performance.success_rate"].map(
		(name): CatalogueEntry => ({
			...{ name, aggregation: "ratio", about: "Calls of models that succeeded, by those not cancelled, 0 to 1." },
			sources: [MODEL_EVENT],
			value: (parts) => {
				const { requests, cancelled, timeouts, failed } = modelCallsOf(parts);
				const ended = requests - cancelled;
				return ratio(quotient(ended - timeouts - failed, ended));
			},
		}),
	),
	...["ai.requests", "usage.ai_requests"].map(
		(name): CatalogueEntry => ({
			...{ name, aggregation: "per_minute", about: "Calls of models a minute." },
			sources: [MODEL_EVENT],
			value: (parts, interval_seconds) => perMinute(modelCallsOf(parts).requests, interval_seconds),
		}),
	),
];
