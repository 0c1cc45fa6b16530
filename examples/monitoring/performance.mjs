// A score with its parts, bottlenecks with their evidence, trends, and when capacity runs out.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const performance = await client.monitoring.performance();
console.log(`Score: ${performance.performance_score}`, performance.breakdown);
for (const { component, severity, description, recommendation } of performance.bottlenecks ?? []) {
	console.log(`${component} (${severity}): ${description}. ${recommendation}`);
}
console.log(performance.trends, performance.capacity_analysis);
