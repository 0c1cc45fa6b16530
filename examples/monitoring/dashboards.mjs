// Get dashboard-ready data, and make a dashboard with widgets of your own.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const main = await client.monitoring.dashboardData({ dashboard_id: "main_dashboard", refresh_interval: 30 });
for (const { title, type, status, data_through } of main.widgets)
	console.log(`${title} (${type}): ${status}, records up to ${data_through}`);

const board = await client.monitoring.createDashboard({
	name: "Custom Operations Dashboard",
	widgets: [
		{ type: "line_chart", title: "API Response Time", metric: "response_time", timeframe: "24h" },
		{ type: "gauge", title: "System Health Score", metric: "health_score", min_value: 0, max_value: 100 },
		{ type: "counter", title: "Total Requests Today", metric: "requests_count", timeframe: "1d" },
	],
});
const { widgets } = await client.monitoring.dashboardData({ dashboard_id: board.dashboard_id });
console.log(`${widgets[1].title}: ${widgets[1].data?.value ?? "unknown"}`);
console.log(`${widgets[2].title}: ${widgets[2].data?.value ?? "unknown"}`);
await client.monitoring.deleteDashboard(board.dashboard_id);
