// Metrics and alerts as they come in, each in a message of its own.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const stream = client.analytics.realtime({ metrics: ["system.*", "ai.*"], interval_seconds: 5 });

// Something to see: a processor that is busy for 45.2 % of the time.
client.monitoring.trackMetric({ name: "system.cpu.utilization", value: 0.452, tags: { "host.id": "web-1" } });

for await (const update of stream) {
	if (update.type === "alert") console.log(`${update.level}: ${update.message}`);
	else console.log(update.timestamp, update.metric, update.value);
	if (update.metric === "system.cpu_usage") break;
}
