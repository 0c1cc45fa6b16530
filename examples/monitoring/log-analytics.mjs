// Analyze log patterns.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { patterns, groups } = await client.monitoring.logAnalytics({
	timeframe: "24h",
	analysis_type: "pattern_detection",
	group_by: ["component", "error_type"],
});
for (const { count, percentage, level, template, is_new } of patterns.slice(0, 10)) {
	console.log(`${count} (${percentage}%) ${level}${is_new ? " new" : ""}: ${template}`);
}
for (const { component, error_type, count, total_patterns } of groups) {
	console.log(
		`${component ?? "no component"}, ${error_type ?? "no error"}: ${count} lines of ${total_patterns} patterns`,
	);
}
