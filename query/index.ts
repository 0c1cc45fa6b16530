/** Reading routes: parse, ask measures, shape the answer of one document. */
import { Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../http/auth.ts";
import type { AppEnv } from "../http/env.ts";
import type { RouteDoc } from "../http/openapi.ts";
import { parseQuery } from "../http/validate.ts";
import { conventionsAnswer, rulesAnswer } from "../schema/wire/index.ts";
import { aiConversationsRead } from "./analytics/ai-conversations.ts";
import { aiPerformanceRead } from "./analytics/ai-performance.ts";
import { businessCustomersRead } from "./analytics/business-customers.ts";
import { businessRevenueRead } from "./analytics/business-revenue.ts";
import { federatedParticipantsRead } from "./analytics/federated/participants.ts";
import { federatedPrivacyRead } from "./analytics/federated/privacy.ts";
import { federatedTrainingRead } from "./analytics/federated/training.ts";
import { systemHealthRead } from "./analytics/health.ts";
import { systemLogsRead } from "./analytics/logs.ts";
import { systemPerformanceRead } from "./analytics/performance.ts";
import { usageFeaturesRead } from "./analytics/usage-features.ts";
import { usageOverviewRead } from "./analytics/usage-overview.ts";
import { usageUsersRead } from "./analytics/usage-users.ts";
import { conventions } from "./conventions.ts";
import { behaviorRead } from "./monitoring/behavior.ts";
import { businessRead } from "./monitoring/business.ts";
import { databasesRead } from "./monitoring/databases.ts";
import { errorAnalysisRead } from "./monitoring/errors.ts";
import { healthRead } from "./monitoring/health.ts";
import { issuesRead } from "./monitoring/issues/list.ts";
import { logAnalyticsRead } from "./monitoring/log-analytics.ts";
import { logsRead } from "./monitoring/logs.ts";
import { metricsRead } from "./monitoring/metrics.ts";
import { networkRead } from "./monitoring/network.ts";
import { performanceRead } from "./monitoring/performance.ts";
import { profilingRead } from "./monitoring/profiling.ts";
import { resourcesRead } from "./monitoring/resources.ts";
import { revenueRead } from "./monitoring/revenue.ts";
import { usageRead } from "./monitoring/usage.ts";
import type { QueryDeps, Read } from "./route.ts";
import { RULES_VERSION, ruleTables } from "./rules.ts";

export type { QueryDeps } from "./route.ts";

/** Every route that reads telemetry, by document. */
export const READS: readonly Read[] = [
	// The monitoring document.
	healthRead,
	metricsRead,
	resourcesRead,
	databasesRead,
	networkRead,
	performanceRead,
	logsRead,
	logAnalyticsRead,
	errorAnalysisRead,
	issuesRead,
	revenueRead,
	businessRead,
	profilingRead,
	usageRead,
	behaviorRead,
	// The analytics document.
	systemHealthRead,
	systemPerformanceRead,
	systemLogsRead,
	usageOverviewRead,
	usageUsersRead,
	usageFeaturesRead,
	federatedTrainingRead,
	federatedParticipantsRead,
	businessRevenueRead,
	businessCustomersRead,
	federatedPrivacyRead,
	aiPerformanceRead,
	aiConversationsRead,
];

/** All reading routes, to be mounted at the root. */
export function queryRoutes(deps: QueryDeps & { readonly requireRole: RequireRole }): Hono<AppEnv> {
	const viewer = deps.requireRole("analytics_viewer");
	const app = new Hono<AppEnv>();
	for (const route of READS) app.get(route.path, viewer, route.handler(deps));
	app.get(RULES_PATH, viewer, (c) => {
		parseQuery(c, noParameters);
		return c.json({ version: RULES_VERSION, rules: ruleTables(deps.rules) });
	});
	app.get(CONVENTIONS_PATH, viewer, (c) => {
		parseQuery(c, noParameters);
		return c.json(CONVENTIONS);
	});
	return app;
}

const RULES_PATH = "/v1/monitoring/rules";
const CONVENTIONS_PATH = "/v1/monitoring/conventions";
const noParameters = z.strictObject({});
/** Records with a meaning, and the fields that each fills. */
export const CONVENTIONS = conventions(READS);

export const QUERY_DOCS: readonly RouteDoc[] = [
	...READS.map(
		({ path, summary, description, query, answer }): RouteDoc => ({
			...{ method: "get", path, summary, query, role: "analytics_viewer", answers: { 200: answer } },
			...(description === undefined ? {} : { description }),
			tag: path.startsWith("/v1/monitoring") ? "Monitoring" : "Analytics",
		}),
	),
	{
		method: "get",
		path: RULES_PATH,
		summary: "The versioned tables out of which every label comes: states, severities, trends, recommendations",
		tag: "Monitoring",
		role: "analytics_viewer",
		answers: { 200: rulesAnswer },
	},
	{
		method: "get",
		path: CONVENTIONS_PATH,
		summary: "Records with a meaning, their attributes, and the fields that each fills",
		tag: "Monitoring",
		role: "analytics_viewer",
		answers: { 200: conventionsAnswer },
	},
];
