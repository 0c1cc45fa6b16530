// What privacy the training has spent.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { privacy_metrics, compliance, risk_assessment } = await client.analytics.federated.privacy();
const { epsilon, privacy_budget_used } = privacy_metrics.differential_privacy;
console.log(`${privacy_budget_used} of the budget epsilon = ${epsilon} is used`);
console.log(compliance, risk_assessment);
