// Requests, latency and errors of the last day, hour by hour.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { data_points, summary } = await client.monitoring.metrics({
	timeframe: "24h",
	granularity: "1h",
	metrics: ["api_requests", "response_time_p95", "error_rate"],
	component: "api_gateway",
});
console.table(data_points.slice(-5));
console.log(`Requests: ${summary.total_requests}, errors: ${summary.error_count}`);
