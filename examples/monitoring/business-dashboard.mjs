// Get business-focused metrics.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const business = await client.monitoring.businessDashboard({
	timeframe: "30d",
	metrics: ["monthly_active_users", "revenue_per_user", "churn_rate", "feature_adoption_rate", "support_ticket_volume"],
});
for (const [name, { value, previous, change_percentage }] of Object.entries(business)) {
	if (name !== "meta") console.log(`${name}: ${value} (before: ${previous}, ${change_percentage}%)`);
}
