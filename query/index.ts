/** Reading routes: parse, ask measures, shape the answer of one document. */
import { Hono } from "hono";
import type { RequireRole } from "../http/auth.ts";
import type { AppEnv } from "../http/env.ts";
import type { RouteDoc } from "../http/openapi.ts";
import { systemHealthRead } from "./analytics/health.ts";
import { systemLogsRead } from "./analytics/logs.ts";
import { systemPerformanceRead } from "./analytics/performance.ts";
import { healthRead } from "./monitoring/health.ts";
import { logsRead } from "./monitoring/logs.ts";
import { metricsRead } from "./monitoring/metrics.ts";
import { resourcesRead } from "./monitoring/resources.ts";
import type { QueryDeps, Read } from "./route.ts";

export type { QueryDeps } from "./route.ts";

/** Every route that reads telemetry, by document. */
export const READS: readonly Read[] = [
	// The monitoring document.
	healthRead,
	metricsRead,
	resourcesRead,
	logsRead,
	// The analytics document.
	systemHealthRead,
	systemPerformanceRead,
	systemLogsRead,
];

/** All reading routes, to be mounted at the root. */
export function queryRoutes(deps: QueryDeps & { readonly requireRole: RequireRole }): Hono<AppEnv> {
	const viewer = deps.requireRole("analytics_viewer");
	const app = new Hono<AppEnv>();
	for (const route of READS) app.get(route.path, viewer, route.handler(deps));
	return app;
}

export const QUERY_DOCS: readonly RouteDoc[] = READS.map(({ path, summary, description, query, answer }) => ({
	method: "get",
	path,
	summary,
	...(description === undefined ? {} : { description }),
	tag: path.startsWith("/v1/monitoring") ? "Monitoring" : "Analytics",
	role: "analytics_viewer",
	query,
	answers: { 200: answer },
}));
