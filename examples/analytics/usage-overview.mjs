// High-level usage statistics.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { period, totals, growth, top_features } = await client.analytics.usage.overview({ timeframe: "month" });
console.log(`${period.start} to ${period.end}`, totals, growth);
console.table(top_features);
