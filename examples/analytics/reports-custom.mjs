// A custom report: metrics of the catalogue, by day and model, on a schedule or at once.
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const definition = {
	name: "Weekly AI Performance Report",
	description: "Weekly analysis of AI model performance",
	metrics: ["ai.performance.response_time", "ai.performance.success_rate", "usage.ai_requests", "system.cpu_usage"],
	filters: { timeframe: "7d" },
	groupby: ["date", "model"],
};
const weekly = await client.analytics.reports.custom({
	...definition,
	schedule: { frequency: "weekly", day: "monday", time: "09:00", timezone: "UTC" },
	delivery: { email: ["admin@example.com"], format: "json" },
});
console.log(`${weekly.status}, next run ${weekly.next_run}`);

// Without a schedule it runs at once.
const { report_id } = await client.analytics.reports.custom(definition);
let report = await client.analytics.reports.get(report_id);
while (report.status === "queued" || report.status === "running") {
	await sleep(500);
	report = await client.analytics.reports.get(report_id);
}
const { summary, details, insights } = report.data;
console.log(`${report.status}: ${summary.timeframe}, ${summary.total_requests ?? 0} AI requests`);
for (const { date, model, requests, success_rate } of details.slice(0, 10)) {
	console.log(`  ${date} ${model}: ${requests} requests, ${success_rate} succeeded`);
}
for (const text of insights) console.log(`  ${text}`);
await Promise.all([weekly.report_id, report_id].map((id) => client.monitoring.deleteReport(id)));
