// Monitor during load tests: the time before, during and after are compared.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const load = await client.monitoring.monitorLoadTest({
	test_id: "load_test_123",
	duration_minutes: 30,
	target_metrics: ["response_time", "error_rate", "throughput"],
});

// Requests of the test carry its id, as those of k6 do.
const tags = { testid: "load_test_123", "http.response.status_code": "200", component: "api_gateway" };
const timestamp = Date.now();
client.monitoring.trackMetric({
	name: "http.server.request.duration",
	kind: "distribution",
	value: 0.12,
	tags,
	timestamp,
});
await client.flush({ wait: true });

const now = await client.monitoring.getLoadTest(load.load_test_id);
console.log(
	`${now.test_id}: ${now.status}, ${now.traffic.requests ?? 0} requests, verdict ${now.verdict ?? "none yet"}`,
);
for (const { metric, baseline, during, change_percentage, verdict } of now.metrics) {
	console.log(`  ${metric}: ${baseline} → ${during} (${change_percentage} %), ${verdict}`);
}
