// Requests, latency and errors as they come in.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const stream = client.monitoring.metricsStream({
	metrics: ["api_requests", "response_time", "error_rate"],
	interval_seconds: 10,
});

stream.onData((data) => {
	// What has no data in the interval is not there.
	if (data.api_requests === undefined) return;
	console.log(`API Requests: ${data.api_requests}/min`);
	console.log(`Response Time: ${data.response_time}ms`);
	console.log(`Error Rate: ${data.error_rate_pct}%`);
	// A dashboard would go on.
	stream.stop();
});
stream.onGap(({ reason }) => console.log(`Not complete: ${reason}`));
stream.onError((error) => console.error(error.message));

stream.start();

// Something to see: a request of 28 ms.
client.monitoring.trackMetric({
	name: "http.server.request.duration",
	value: 0.028,
	kind: "distribution",
	tags: { "http.response.status_code": "200", "http.route": "/v1/items", component: "api_gateway" },
});
