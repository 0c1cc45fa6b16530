// Monitor network performance.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const network = await client.monitoring.networkMetrics({ timeframe: "24h", include_peer_details: true });
console.log(`Network latency: ${network.avg_latency}ms`);
console.log(`Bandwidth utilization: ${network.bandwidth_utilization}%`);
console.log(`Packet loss rate: ${network.packet_loss_rate}%`);
console.log(`Peers: ${network.peer_details.length}`);
