// Schedule automated reports, and run one now.
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const report = await client.monitoring.scheduleReport({
	name: "Weekly Performance Report",
	template: "performance_summary",
	schedule: "0 9 * * 1", // Every Monday at 9 AM
	recipients: ["team@example.com"],
	format: "pdf",
	include_charts: true,
});
console.log(`${report.name}: next run ${report.next_run}`);

// On demand, for nobody but us: HTML and JSON, of the hour before.
const { report_id } = await client.monitoring.scheduleReport({
	...{ name: "The last hour", template: "reliability_summary", timeframe: "1h" },
	format: ["json", "html"],
});
await client.monitoring.runReport(report_id);
let { last_run } = await client.monitoring.getReport(report_id);
while (last_run.finished_at === null) {
	await sleep(500);
	({ last_run } = await client.monitoring.getReport(report_id));
}
console.log(`${last_run.status}, data through ${last_run.data_through}`);
for (const { format, bytes, url } of last_run.files) console.log(`  ${format}: ${bytes} bytes, ${url.split("?")[0]}`);

const { reports } = await client.monitoring.listReports();
for (const { name, status, next_run } of reports) console.log(`  ${name}: ${status}, next ${next_run ?? "when asked"}`);
await Promise.all([report.report_id, report_id].map((id) => client.monitoring.deleteReport(id)));
