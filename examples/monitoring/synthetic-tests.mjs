// Set up synthetic tests, and look at what they found.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const test = await client.monitoring.createSyntheticTest({
	name: "API Health Check",
	type: "http",
	url: "https://api.prsm.ai/v1/health",
	frequency_minutes: 5,
	locations: ["us-east", "us-west", "eu-central"],
	assertions: [
		{ type: "status_code", value: 200 },
		{ type: "response_time", operator: "<", value: 1000 },
	],
});
// Each location is a worker that was started with its name; without one nothing runs there.
for (const warning of test.warnings) console.log(warning);

const results = await client.monitoring.syntheticTestResults(test.test_id, { timeframe: "24h" });
console.log(`${results.name}: ${results.status}, uptime ${results.uptime_percentage}%, ${results.runs} runs`);
for (const { location, last_status, response_time } of results.locations) {
	console.log(`  ${location}: ${last_status}, p95 ${response_time.p95} ms`);
}

// What runs by itself calls in each time that it has run: an hour without a call is a failure.
const backup = await client.monitoring.createSyntheticTest({
	name: "Nightly backup",
	type: "heartbeat",
	frequency_minutes: 60,
	grace_seconds: 300,
});
console.log(`curl ${process.env.TIDEMARK_URL ?? "http://127.0.0.1:8000"}${backup.heartbeat_url}`);

for (const { test_id } of [test, backup]) await client.monitoring.deleteSyntheticTest(test_id);
