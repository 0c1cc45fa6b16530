// Track revenue and financial metrics.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const revenue = await client.monitoring.revenueMetrics({ timeframe: "30d", currency: "USD" });
console.log(`Monthly recurring revenue: $${revenue.mrr}`);
console.log(`Customer acquisition cost: $${revenue.cac}`);
console.log(`Lifetime value: $${revenue.ltv}`);
