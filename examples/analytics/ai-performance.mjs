// How the models do.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { models, trends } = await client.analytics.ai.performance({ timeframe: "7d" });
for (const { name, requests, success_rate, p95_response_time } of models) {
	console.log(`${name}: ${requests} requests, ${success_rate} succeeded, p95 ${p95_response_time} ms`);
}
console.table(trends.request_volume);
