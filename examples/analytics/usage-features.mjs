// Feature usage and the way from sign-up to regular use.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { features, feature_funnels } = await client.analytics.usage.features();
console.table(features.map(({ trends, ...feature }) => ({ ...feature, ...trends })));
console.log(feature_funnels.onboarding);
