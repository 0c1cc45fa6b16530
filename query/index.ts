/** Reading routes: parse, ask measures, shape the answer of one document. */
import { Hono } from "hono";
import type { RequireRole } from "../http/auth.ts";
import type { AppEnv } from "../http/env.ts";
import type { RouteDoc } from "../http/openapi.ts";
import { metricsAnswer, metricsQuery } from "../schema/wire/index.ts";
import { metrics } from "./monitoring/metrics.ts";
import { type QueryDeps, reading } from "./route.ts";

export type { QueryDeps } from "./route.ts";

/** All reading routes, to be mounted at the root. */
export function queryRoutes(deps: QueryDeps & { readonly requireRole: RequireRole }): Hono<AppEnv> {
	const viewer = deps.requireRole("analytics_viewer");
	return new Hono<AppEnv>().get("/v1/monitoring/metrics", viewer, reading(deps, metricsQuery, metrics));
}

const monitoring = { method: "get", tag: "Monitoring", role: "analytics_viewer" } as const;

export const QUERY_DOCS: readonly RouteDoc[] = [
	{
		...monitoring,
		path: "/v1/monitoring/metrics",
		summary: "Metrics over time",
		query: metricsQuery,
		answers: { 200: metricsAnswer },
	},
];
