// Analyze user behavior patterns.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const behavior = await client.monitoring.userBehavior({
	timeframe: "7d",
	cohort: "new_users",
	metrics: ["retention", "engagement", "feature_adoption"],
});
console.log(behavior.retention, behavior.engagement);
console.table(behavior.feature_adoption);
