// User activity, retention and segments.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const users = await client.analytics.usage.users({ timeframe: "week" });
console.log(users.user_metrics, users.engagement, users.activity_patterns);
console.table(users.user_segments);
