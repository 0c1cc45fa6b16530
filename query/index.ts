/** Reading routes: parse, ask measures, shape the answer of one document. */
import { Hono } from "hono";
import type { RequireRole } from "../http/auth.ts";
import type { AppEnv } from "../http/env.ts";
import type { RouteDoc } from "../http/openapi.ts";
import {
	healthAnswer,
	healthQuery,
	logsAnswer,
	logsQuery,
	metricsAnswer,
	metricsQuery,
	resourcesAnswer,
	resourcesQuery,
	systemHealthAnswer,
	systemHealthQuery,
	systemLogsAnswer,
	systemLogsQuery,
	systemPerformanceAnswer,
	systemPerformanceQuery,
} from "../schema/wire/index.ts";
import { systemHealth } from "./analytics/health.ts";
import { systemLogs } from "./analytics/logs.ts";
import { systemPerformance } from "./analytics/performance.ts";
import { health } from "./monitoring/health.ts";
import { logs } from "./monitoring/logs.ts";
import { metrics } from "./monitoring/metrics.ts";
import { resources } from "./monitoring/resources.ts";
import { type QueryDeps, reading } from "./route.ts";

export type { QueryDeps } from "./route.ts";

/** All reading routes, to be mounted at the root. */
export function queryRoutes(deps: QueryDeps & { readonly requireRole: RequireRole }): Hono<AppEnv> {
	const viewer = deps.requireRole("analytics_viewer");
	return new Hono<AppEnv>()
		.get("/v1/monitoring/health", viewer, reading(deps, healthQuery, health))
		.get("/v1/monitoring/logs", viewer, reading(deps, logsQuery, logs))
		.get("/v1/monitoring/metrics", viewer, reading(deps, metricsQuery, metrics))
		.get("/v1/monitoring/resources", viewer, reading(deps, resourcesQuery, resources))
		.get("/analytics/system/health", viewer, reading(deps, systemHealthQuery, systemHealth))
		.get("/analytics/system/logs", viewer, reading(deps, systemLogsQuery, systemLogs))
		.get("/analytics/system/performance", viewer, reading(deps, systemPerformanceQuery, systemPerformance));
}

const monitoring = { method: "get", tag: "Monitoring", role: "analytics_viewer" } as const;
const analytics = { method: "get", tag: "Analytics", role: "analytics_viewer" } as const;

export const QUERY_DOCS: readonly RouteDoc[] = [
	{
		...monitoring,
		path: "/v1/monitoring/health",
		summary: "State of the system and its components",
		query: healthQuery,
		answers: { 200: healthAnswer },
	},
	{
		...monitoring,
		path: "/v1/monitoring/metrics",
		summary: "Metrics over time",
		query: metricsQuery,
		answers: { 200: metricsAnswer },
	},
	{
		...monitoring,
		path: "/v1/monitoring/logs",
		summary: "Search logs by a query",
		query: logsQuery,
		answers: { 200: logsAnswer },
	},
	{
		...monitoring,
		path: "/v1/monitoring/resources",
		summary: "Utilisation of processor, memory, storage and network, in percent",
		query: resourcesQuery,
		answers: { 200: resourcesAnswer },
	},
	{
		...analytics,
		path: "/analytics/system/health",
		summary: "Health of hosts and services",
		query: systemHealthQuery,
		answers: { 200: systemHealthAnswer },
	},
	{
		...analytics,
		path: "/analytics/system/logs",
		summary: "Logs by level, component and text, with counts of both",
		query: systemLogsQuery,
		answers: { 200: systemLogsAnswer },
	},
	{
		...analytics,
		path: "/analytics/system/performance",
		summary: "Performance over time",
		query: systemPerformanceQuery,
		answers: { 200: systemPerformanceAnswer },
	},
];
