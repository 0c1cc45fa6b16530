// Training sessions of federated learning.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const { training_sessions, aggregated_metrics } = await client.analytics.federated.training();
for (const { session_id, status, rounds, convergence } of training_sessions) {
	console.log(`${session_id}: ${status}, ${rounds} rounds, accuracy ${convergence.final_accuracy}`);
}
console.log(aggregated_metrics);
