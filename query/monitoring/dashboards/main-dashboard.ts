/** The dashboard that every project has from the start: its health, requests, machine, users and what its logs say. */
import { type DashboardFile, dashboardBody, type NewDashboard } from "../../../schema/wire/index.ts";

export const MAIN_DASHBOARD_ID = "main_dashboard";

const LEVELS = [
	{ value: 0, level: "critical" },
	{ value: 50, level: "warning" },
	{ value: 90, level: "ok" },
];

const main: NewDashboard = {
	name: "Main dashboard",
	description: "What every project begins with. Change it as you like: a reset brings this one back.",
	timeframe: "24h",
	variables: [{ name: "component", label: "Component", type: "tag", tag: "component" }],
	widgets: [
		{
			...{ widget_id: "health", type: "gauge", title: "System Health Score", metric: "health_score" },
			...{ min_value: 0, max_value: 100, thresholds: LEVELS, layout: { x: 0, y: 0, w: 6, h: 4 } },
		},
		{
			...{ widget_id: "requests_today", type: "counter", title: "Total Requests Today", metric: "requests_count" },
			...{ timeframe: "1d", filter: { component: "$component" }, layout: { x: 6, y: 0, w: 6, h: 4 } },
		},
		{
			...{ widget_id: "error_rate", type: "counter", title: "Error Rate", metric: "error_rate" },
			...{ filter: { component: "$component" }, layout: { x: 12, y: 0, w: 6, h: 4 } },
		},
		{
			...{ widget_id: "active_users", type: "counter", title: "Active Users", metric: "active_users" },
			...{ layout: { x: 18, y: 0, w: 6, h: 4 } },
		},
		{
			...{ widget_id: "response_time", type: "line_chart", title: "API Response Time" },
			queries: [
				{ label: "mean", metric: "response_time_avg" },
				{ label: "p95", metric: "response_time_p95" },
				{ label: "p99", metric: "response_time_p99" },
			],
			layout: { x: 0, y: 4, w: 12, h: 8 },
		},
		{
			...{ widget_id: "requests", type: "area_chart", title: "Requests", metric: "api_requests" },
			...{ filter: { component: "$component" }, layout: { x: 12, y: 4, w: 12, h: 8 } },
		},
		{
			...{ widget_id: "machine", type: "line_chart", title: "Processors and Memory", min_value: 0, max_value: 100 },
			queries: [
				{ label: "cpu", metric: "system.cpu_usage" },
				{ label: "memory", metric: "system.memory_usage" },
			],
			layout: { x: 0, y: 12, w: 12, h: 8 },
		},
		{
			...{ widget_id: "response_times", type: "heatmap", title: "Response Times", metric: "response_time" },
			...{ filter: { component: "$component" }, layout: { x: 12, y: 12, w: 12, h: 8 } },
		},
		{
			...{ widget_id: "routes", type: "table", title: "Busiest Routes", group_by: ["http.route"] },
			queries: [
				{ label: "requests", metric: "api_requests", filter: { component: "$component" } },
				{ label: "mean", metric: "response_time_avg", filter: { component: "$component" } },
				{ label: "errors", metric: "error_rate", filter: { component: "$component" } },
			],
			layout: { x: 0, y: 20, w: 12, h: 8 },
		},
		{
			...{ widget_id: "logged_errors", type: "bar_chart", title: "Errors in Logs by Component" },
			...{ metric: "logs", query: "level:>=error AND component:$component", group_by: ["component"] },
			layout: { x: 12, y: 20, w: 12, h: 8 },
		},
		{
			...{ widget_id: "latest_logs", type: "log_list", title: "Latest Warnings and Errors" },
			...{ query: "level:>=warning AND component:$component", layout: { x: 0, y: 28, w: 24, h: 8 } },
		},
	],
};

/** As it is built in. */
export const MAIN_DASHBOARD: DashboardFile["dashboard"] = dashboardBody.parse(main);
