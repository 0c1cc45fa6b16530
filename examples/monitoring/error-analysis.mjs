// Get error analytics.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const analysis = await client.monitoring.errorAnalysis({
	timeframe: "7d",
	group_by: ["error_type", "component"],
});
console.log(`${analysis.total_errors} errors met ${analysis.affected_users} users`);
for (const { error_type, component, count, percentage } of analysis.groups) {
	console.log(`  ${error_type} in ${component}: ${count} (${percentage}%)`);
}
