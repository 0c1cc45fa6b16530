// Profile application performance, and get profiling results.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

await client.monitoring.profile("inference_pipeline", async () => {
	await new Promise((resolve) => setTimeout(resolve, 20));
});
await client.flush({ wait: true });

const profiling = await client.monitoring.getProfilingData({ operation: "inference_pipeline", timeframe: "1h" });
console.log(`${profiling.calls} calls, p95 ${profiling.wall_ms.p95} ms`);
console.table(profiling.flame);
