// Get comprehensive usage analytics.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const analytics = await client.monitoring.usageAnalytics({
	timeframe: "30d",
	breakdown_by: ["user_type", "model", "region"],
});
console.log(`Total API calls: ${analytics.total_api_calls}`);
console.log(`Unique users: ${analytics.unique_users}`);
console.log(`Average session duration: ${analytics.avg_session_duration}`);
