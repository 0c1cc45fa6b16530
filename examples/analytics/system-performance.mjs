// Detailed performance over time.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { metrics, summary } = await client.analytics.system.performance({ timeframe: "24h", granularity: "1h" });
console.table(metrics.slice(-5));
console.log(summary);
