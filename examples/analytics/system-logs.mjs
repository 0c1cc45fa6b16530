// Search and filter system logs.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { logs, total, aggregations } = await client.analytics.system.logs({
	level: "error",
	search: "timeout",
	start_time: new Date(Date.now() - 7 * 86_400_000),
	limit: 10,
});
console.log(`${total} found`, aggregations.by_level, aggregations.by_component);
for (const { timestamp, component, message } of logs) console.log(timestamp, component, message);
