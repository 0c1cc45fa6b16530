// Customer segments, their health and support.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const customers = await client.analytics.business.customers();
console.table(customers.customer_segments);
console.log(customers.customer_health, customers.usage_patterns, customers.support_metrics);
