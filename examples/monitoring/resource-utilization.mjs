// Monitor infrastructure resources.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const resources = await client.monitoring.resourceUtilization({
	timeframe: "24h",
	components: ["compute", "storage", "network"],
});
console.log(`CPU utilization: ${resources.cpu.avg_utilization}%`);
console.log(`Memory utilization: ${resources.memory.avg_utilization}%`);
console.log(`Storage utilization: ${resources.storage.utilization}%`);
