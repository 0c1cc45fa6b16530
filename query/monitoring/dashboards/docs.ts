import type { RouteDoc } from "../../../http/openapi.ts";
import {
	dashboardAnswer,
	dashboardBody,
	dashboardDataAnswer,
	dashboardDataQuery,
	dashboardFile,
	dashboardPatch,
	dashboardsAnswer,
	dashboardsQuery,
	importDashboardAnswer,
	importDashboardQuery,
} from "../../../schema/wire/index.ts";

export const DASHBOARDS_PATH = "/v1/monitoring/dashboards";
const one = `${DASHBOARDS_PATH}/{id}`;
const viewer = { tag: "Monitoring", role: "analytics_viewer" } as const;
const editor = { tag: "Monitoring", role: "analytics_editor" } as const;

export const DASHBOARD_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "post", path: DASHBOARDS_PATH, ...editor },
		summary: "Create a dashboard",
		description:
			"A widget shows what a condition of an alert can name: a measure, any ingested metric, `logs` by a query, `events`, or `kpi:<kpi_id>`. A filter whose value is `$name`, and a term `$name` of a log query, stand for the values that are chosen of a variable.",
		body: dashboardBody,
		answers: { 201: dashboardAnswer },
	},
	{
		...{ method: "get", path: DASHBOARDS_PATH, ...viewer },
		summary: "List dashboards; main_dashboard is there from the start",
		query: dashboardsQuery,
		answers: { 200: dashboardsAnswer },
	},
	{
		...{ method: "post", path: `${DASHBOARDS_PATH}/import`, ...editor },
		summary: "Import a dashboard from a file",
		description:
			"Names that nobody has sent yet are accepted: their widgets say what is missing. A KPI of the file is taken from the project where one is defined alike, else made.",
		query: importDashboardQuery,
		body: dashboardFile,
		answers: { 201: importDashboardAnswer },
	},
	{
		...{ method: "get", path: one, ...viewer },
		summary: "How a dashboard is defined",
		answers: { 200: dashboardAnswer },
	},
	{
		...{ method: "patch", path: one, ...editor },
		summary: "Change members of a dashboard",
		description:
			"What is not named stays; widgets and variables are replaced as a whole. With `If-Match: <version>` only if nobody else changed it: 412 otherwise.",
		body: dashboardPatch,
		answers: { 200: dashboardAnswer },
	},
	{
		...{ method: "delete", path: one, ...editor },
		summary: "Delete a dashboard; one that is built in can only be reset",
		answers: { 204: null },
	},
	{
		...{ method: "post", path: `${one}/reset`, ...editor },
		summary: "Make a built-in dashboard as it was",
		answers: { 200: dashboardAnswer },
	},
	{
		...{ method: "get", path: `${one}/data`, ...viewer },
		summary: "What a dashboard shows",
		description:
			"All widgets at once, each over its own window, or all over that of the request. One that fails has its own `error`, one without records its own `missing`; the others go on. `var-<name>=value` chooses values of a variable, several times where several may be chosen, `*` for all. With `refresh_interval` an answer whose computation began at most so many seconds ago may be given again. While ClickHouse does not answer, what it last answered within an hour is given, and `stale` is true; it is also true while records that were received are not stored yet.",
		query: dashboardDataQuery,
		answers: { 200: dashboardDataAnswer },
	},
	{
		...{ method: "get", path: `${one}/export`, ...viewer },
		summary: "A dashboard as a file, with the KPIs that it shows",
		answers: { 200: dashboardFile },
	},
];
