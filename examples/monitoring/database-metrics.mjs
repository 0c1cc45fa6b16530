// Monitor database performance.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { meta, ...databases } = await client.monitoring.databaseMetrics({
	databases: ["primary", "analytics", "cache"],
	timeframe: "24h",
});
for (const [name, metrics] of Object.entries(databases)) {
	console.log(`Database ${name}:`);
	console.log(`  Query response time: ${metrics.avg_query_time}ms`);
	console.log(`  Connection pool usage: ${metrics.connection_pool_usage}%`);
	console.log(`  Slow queries: ${metrics.slow_query_count}`);
}
console.log(`Data up to ${meta.data_through}`);
