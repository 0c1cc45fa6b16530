// Query centralized logs.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { logs, total } = await client.monitoring.queryLogs({
	query: "level:ERROR AND component:inference",
	timeframe: "7d",
	limit: 100,
	sort: "timestamp desc",
});
console.log(`${total} found`);
for (const { timestamp, level, message } of logs.slice(0, 5)) console.log(timestamp, level, message);
