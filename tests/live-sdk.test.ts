import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Client, type MetricsUpdate, type RealtimeUpdate, type WebSocketClass } from "../client/index.ts";
import { type Server, startServer, until } from "./server.ts";

let server: Server;
const stop = new AbortController();
beforeAll(async () => {
	server = await startServer({ env: { TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off" } });
});
afterAll(async () => {
	stop.abort();
	await server?.stop();
});

const asClass = WebSocket as unknown as WebSocketClass;
const clientOf = (options: { apiKey?: string; WebSocket?: WebSocketClass } = {}) =>
	new Client({ apiKey: server.adminKey, baseUrl: server.url, ...options });

/** Ten requests of 100 ms, one of which failed. */
async function requests(): Promise<void> {
	const points = Array.from({ length: 10 }, (_, n) => ({
		...{ name: "http.server.request.duration", value: 0.1, kind: "distribution" },
		tags: { "http.response.status_code": n === 0 ? "500" : "200" },
	}));
	const response = await server.request("/v1/ingest/metrics", { body: points });
	expect(response.status).toBe(202);
}

test("the document's stream of metrics: requests a minute, milliseconds, and failures as a ratio and in percent", async () => {
	const got: MetricsUpdate[] = [];
	const stream = clientOf().monitoring.metricsStream({
		metrics: ["api_requests", "response_time", "error_rate"],
		interval_seconds: 1,
	});
	stream.onData((data) => got.push(data));
	stream.start();
	const full = await until(
		async () => {
			await requests();
			return got.find((data) => data.error_rate !== undefined && !data.snapshot);
		},
		{ interval_ms: 200 },
	);
	expect(full).toMatchObject({ response_time: 100, error_rate: 0.1, error_rate_pct: 10, interval_seconds: 1 });
	expect(full.api_requests! % 600).toBe(0);
	stream.stop();
});

test.each([
	["over a WebSocket", { WebSocket: asClass }],
	["as server-sent events", {}],
])("realtime %s gives each metric in a message of its own, and is refused with a reason", async (_, options) => {
	const got: RealtimeUpdate[] = [];
	const stream = clientOf(options).analytics.realtime({
		metrics: ["error_rate", "response_time"],
		interval_seconds: 1,
	});
	stream.onData((update) => got.push(update)).start();
	await until(async () => {
		await requests();
		const names = new Set(got.map((update) => update.metric));
		return names.has("error_rate") && names.has("response_time");
	});
	expect(got.find(({ metric }) => metric === "error_rate")).toMatchObject({
		...{ type: "metric_update", value: 0.1, aggregation: "ratio", interval_seconds: 1 },
		timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
	});
	stream.stop();
	const refused = async (apiKey: string, metrics: string[]) => {
		for await (const _ of clientOf({ ...options, apiKey }).analytics.realtime({ metrics })) expect.unreachable();
	};
	await expect(refused("tm_viewer_unknown", ["error_rate"])).rejects.toMatchObject({ status: 401 });
	await expect(refused(server.adminKey, ["eror_rate"])).rejects.toMatchObject({
		status: 400,
		details: { parameter: "metrics", valid_options: expect.arrayContaining(["error_rate"]) },
	});
});
