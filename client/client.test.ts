import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { neverAnswer, type Peer, startPeer, status, storeThenHangUp } from "../tests/ingest-peer.ts";
import { Client, type ClientOptions, type TidemarkError } from "./index.ts";

let peer: Peer;
let clients: Client[];

beforeEach(async () => {
	peer = await startPeer();
	clients = [];
});

afterEach(async () => {
	for (const client of clients) await client.shutdown(0);
	await peer.close();
});

function connect(options: Partial<ClientOptions> = {}): Client {
	const client = new Client({ apiKey: "tm_ingest_test", baseUrl: peer.url, onError: () => {}, ...options });
	clients.push(client);
	return client;
}

function track(client: Client, count: number, from = 0): void {
	for (let i = from; i < from + count; i++) client.monitoring.trackMetric({ name: "n", value: i });
}

const values = () => peer.stored.map((record) => record.value);
const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => i + from);

function unanswered(client: Client): number {
	const { queued, accepted, rejected, dropped } = client.stats();
	return queued + accepted + rejected + dropped;
}

test("every kind of record arrives as the contract has it, stamped when it was tracked", async () => {
	const client = connect();
	const before = Date.now();
	client.monitoring.trackMetric({ name: "rate", value: 0.234, tags: { environment: "production" } });
	client.monitoring.trackEvent({ event: "model_inference_completed", properties: { tokens: 150 } });
	client.monitoring.log({ message: "hello", level: "warning", timestamp: new Date(0) });
	client.monitoring.reportError({
		error_message: "Model inference timeout",
		error_type: "TimeoutError",
		severity: "error",
	});
	expect(await client.flush()).toBe(true);
	expect(peer.stored).toMatchObject([
		{ type: "metric", name: "rate", value: 0.234, tags: { environment: "production" } },
		{ type: "event", event: "model_inference_completed", properties: { tokens: 150 } },
		{ type: "log", message: "hello", level: "warning", timestamp: "1970-01-01T00:00:00.000Z" },
		{ type: "error", error_message: "Model inference timeout", error_type: "TimeoutError", severity: "error" },
	]);
	expect(peer.stored[0]!.timestamp).toBeGreaterThanOrEqual(before);
	const [request] = peer.requests;
	expect(request).toMatchObject({ method: "POST", url: "/v1/ingest/batch" });
	expect(request!.headers).toMatchObject({
		authorization: "Bearer tm_ingest_test",
		"content-type": "application/x-ndjson",
	});
});

test("an Error is reported with its causes, and what goes with it", async () => {
	const client = connect();
	class InferenceError extends Error {}
	const error = new InferenceError("no answer", { cause: new TypeError("socket is not writable") });
	client.monitoring.reportError(error, { context: { model: "gpt-4" }, component: "inference" });
	await client.flush();
	expect(peer.stored).toMatchObject([
		{ error_message: "no answer", error_type: "InferenceError", context: { model: "gpt-4" }, component: "inference" },
	]);
	expect(peer.stored[0]!.stack_trace).toMatch(/no answer[\s\S]+Caused by: TypeError: socket is not writable/);
});

test("a batch is sent when enough records wait, without a call of flush", async () => {
	const client = connect({ flushRecords: 10, flushIntervalMs: 60_000 });
	track(client, 25);
	await vi.waitFor(() => expect(peer.stored).toHaveLength(20));
	expect(client.stats()).toMatchObject({ queued: 5, accepted: 20 });
	expect(await client.flush()).toBe(true);
	expect(values()).toEqual(range(25));
	expect(peer.requests).toHaveLength(3);
});

test("a batch is sent when its first record has waited long enough", async () => {
	const client = connect({ flushIntervalMs: 20 });
	track(client, 3);
	await vi.waitFor(() => expect(peer.stored).toHaveLength(3));
});

test("overload and broken connections are tried again with the same key, and nothing is stored twice or out of order", async () => {
	const client = connect({ flushRecords: 5 });
	peer.misbehave.push(
		status(503, { error: "busy", code: 503 }),
		storeThenHangUp,
		status(502, "<html>bad gateway</html>"),
	);
	track(client, 12);
	expect(await client.flush()).toBe(true);
	expect(values()).toEqual(range(12));
	expect(client.stats()).toMatchObject({
		queued: 0,
		accepted: 12,
		dropped: 0,
		retries: 3,
		last_error: expect.any(String),
	});
	const keys = peer.requests.map((request) => request.headers["idempotency-key"]);
	expect(new Set(keys.slice(0, 4)).size).toBe(1);
	expect(new Set(keys).size).toBe(3);
});

test("Retry-After is waited for, also by flush", async () => {
	const client = connect();
	peer.misbehave.push(status(429, { error: "quota", code: 429, retry_after: 1 }, { "retry-after": "1" }));
	const started = performance.now();
	track(client, 1);
	const first = client.flush();
	await vi.waitFor(() => expect(peer.requests).toHaveLength(1));
	expect(await Promise.all([first, client.flush()])).toEqual([true, true]);
	expect(performance.now() - started).toBeGreaterThanOrEqual(1000);
	expect(values()).toEqual([0]);
});

test("records that the server rejects are counted with their reasons, the others are stored", async () => {
	const client = connect();
	peer.refuses = (record) => (record.value as number) % 2 === 1;
	track(client, 5);
	await client.flush();
	expect(client.stats()).toMatchObject({ accepted: 3, rejected: 2, dropped: 0 });
	expect(client.stats().recent_rejections[0]).toEqual({ index: 1, reason: "refused by the test", field: "" });
});

test("a batch of which nothing is valid is an answer, not a failure", async () => {
	const errors: TidemarkError[] = [];
	const client = connect({ onError: (error) => errors.push(error) });
	peer.refuses = () => true;
	track(client, 3);
	expect(await client.flush()).toBe(true);
	expect(client.stats()).toMatchObject({ rejected: 3, dropped: 0, retries: 0 });
	expect(errors).toEqual([]);
});

test("a refused key is told, counted and not tried again", async () => {
	const errors: TidemarkError[] = [];
	const client = connect({ onError: (error) => errors.push(error) });
	peer.misbehave.push(status(401, { error: "unknown key", code: 401 }));
	track(client, 3);
	expect(await client.flush()).toBe(true);
	expect(client.stats()).toMatchObject({ dropped: 3, dropped_because: { refused: 3 }, last_error: "unknown key" });
	expect(errors).toMatchObject([{ name: "AuthenticationError", status: 401, requestId: "req-1" }]);
	track(client, 1);
	await client.flush();
	expect(client.stats().accepted).toBe(1);
});

test("a fault of the server that stays is given up, so that it cannot hold up what follows", async () => {
	const client = connect();
	for (let i = 0; i < 5; i++) peer.misbehave.push(status(500, { error: "bug", code: 500 }));
	track(client, 1);
	while (client.stats().queued > 0) await client.flush({ timeoutMs: 50 });
	track(client, 1, 1);
	await client.flush();
	expect(values()).toEqual([1]);
	expect(client.stats()).toMatchObject({ accepted: 1, dropped_because: { refused: 1 } });
});

test("a batch that is too large is halved until it fits", async () => {
	const client = connect();
	const limit = (answer: Parameters<ReturnType<typeof status>>[0], request: { body: string }) => {
		peer.misbehave.push(limit);
		if (request.body.length > 200) status(413, { error: "too large", code: 413 })(answer, request as never);
	};
	peer.misbehave.push(limit);
	track(client, 20);
	expect(await client.flush()).toBe(true);
	expect(values()).toEqual(range(20));
	expect(client.stats()).toMatchObject({ accepted: 20, dropped: 0 });
});

test("with the server away memory is bounded: the oldest records go, and are counted", async () => {
	await peer.close();
	const client = connect({ maxQueueChars: 10_000, flushRecords: 10 });
	track(client, 1000);
	expect(await client.flush({ timeoutMs: 50 })).toBe(false);
	const { queued, dropped_because } = client.stats();
	expect(queued).toBeLessThan(300);
	expect(dropped_because.queue_full).toBeGreaterThan(700);
	expect(unanswered(client)).toBe(1000);
});

test("shutdown sends what waits and takes no more", async () => {
	const client = connect({ flushIntervalMs: 60_000 });
	track(client, 3);
	expect(await client.shutdown()).toMatchObject({ queued: 0, accepted: 3 });
	track(client, 2);
	expect(client.stats()).toMatchObject({ queued: 0, dropped_because: { shutdown: 2 } });
});

test("shutdown gives up when its time is over, and says how much", async () => {
	await peer.close();
	const client = connect({ flushRecords: 2 });
	track(client, 5);
	await client.shutdown(100);
	await vi.waitFor(() => expect(client.stats().dropped_because.shutdown).toBe(5));
	expect(unanswered(client)).toBe(5);
});

test("what an application puts into a record cannot throw into it", async () => {
	const client = connect();
	const circular: Record<string, unknown> = { big: 10n };
	circular.self = circular;
	const hostile = Object.defineProperty({}, "bad", {
		enumerable: true,
		get: () => {
			throw new Error("no");
		},
	});
	let deep: unknown = {};
	for (let i = 0; i < 100_000; i++) deep = { deep };
	client.monitoring.trackEvent({ event: "a", properties: { circular, hostile } });
	client.monitoring.trackEvent({ event: "b", properties: { deep } });
	for (const thrown of [
		undefined,
		null,
		"text",
		7,
		Symbol("s"),
		circular,
		Object.create(null),
		new AggregateError([new Error("x")]),
	]) {
		client.monitoring.reportError(thrown);
	}
	await client.flush();
	expect(peer.stored).toHaveLength(10);
	expect(peer.stored[0]).toMatchObject({
		properties: { circular: { big: "10", self: "[circular]" }, hostile: { bad: "[unreadable]" } },
	});
	for (const record of peer.stored.slice(2)) {
		expect(record.error_message).toEqual(expect.stringMatching(/./));
		expect(record.error_type).toEqual(expect.stringMatching(/./));
	}
});

test("a callback that throws does not stop the sending", async () => {
	const uncaught: unknown[] = [];
	const listener = (error: unknown) => uncaught.push(error);
	const before = process.listeners("uncaughtException");
	process.removeAllListeners("uncaughtException");
	process.on("uncaughtException", listener);
	try {
		const client = connect({
			onError: () => {
				throw new Error("from the callback");
			},
		});
		peer.misbehave.push(status(503, { error: "busy", code: 503 }));
		track(client, 1);
		expect(await client.flush()).toBe(true);
		expect(uncaught).toMatchObject([{ message: "from the callback" }]);
	} finally {
		process.off("uncaughtException", listener);
		for (const other of before) process.on("uncaughtException", other);
	}
});

const clientModule = fileURLToPath(new URL("../dist/client/index.js", import.meta.url));

/** A program that tracks three records and comes to its end. */
async function program(baseUrl: string, options: object = {}): Promise<{ code: number; ms: number; err: string }> {
	const script = `
		import { Client } from ${JSON.stringify(clientModule)};
		const client = new Client(${JSON.stringify({ apiKey: "k", baseUrl, flushIntervalMs: 60_000, ...options })});
		for (const value of [1, 2, 3]) client.monitoring.trackMetric({ name: "n", value });`;
	const started = performance.now();
	const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "ignore", "pipe"] });
	let err = "";
	child.stderr.on("data", (chunk) => {
		err += chunk;
	});
	const [code] = await once(child, "close");
	return { code, ms: performance.now() - started, err };
}

test("a program that ends sends what waits, and is not held up longer", async () => {
	const { code, ms } = await program(peer.url);
	expect(code).toBe(0);
	expect(values()).toEqual([1, 2, 3]);
	expect(ms).toBeLessThan(5000);
});

test("a program that ends with the server away ends all the same, and says so once", async () => {
	await peer.close();
	const { code, ms, err } = await program(peer.url, { exitTimeoutMs: 500 });
	expect(code).toBe(0);
	expect(ms).toBeLessThan(5000);
	expect(err.trim().split("\n")).toEqual([
		expect.stringMatching(/^tidemark: records could not be sent: cannot reach .*ECONNREFUSED/),
	]);
});

test("databases are met by a loop over the answer, and meta is there without being one of them", async () => {
	const client = connect();
	peer.answers.set("/v1/monitoring/databases", {
		primary: { avg_query_time: 9 },
		cache: { avg_query_time: 1 },
		meta: { tier: "1h" },
	});
	peer.answers.set("/v1/monitoring/performance", { performance_score: 94.5 });
	const databases = await client.monitoring.databaseMetrics({
		databases: ["primary", "cache"],
		timeframe: "24h",
		slow_query_ms: 200,
	});
	expect(Object.entries(databases).map(([name, { avg_query_time }]) => [name, avg_query_time])).toEqual([
		["primary", 9],
		["cache", 1],
	]);
	expect(databases.meta).toEqual({ tier: "1h" });
	expect(await client.monitoring.performance({ apdex_t_ms: 300 })).toEqual({ performance_score: 94.5 });
	expect(peer.requests.map(({ url }) => url)).toEqual([
		"/v1/monitoring/databases?databases=primary%2Ccache&timeframe=24h&slow_query_ms=200",
		"/v1/monitoring/performance?apdex_t_ms=300",
	]);
});

test("reads ask the documented routes and keep the API's spelling", async () => {
	const client = connect();
	peer.answers.set("/v1/monitoring/health", { status: "healthy", response_time_ms: 45 });
	for (const route of ["/v1/monitoring/metrics", "/v1/monitoring/resources", "/v1/monitoring/logs"])
		peer.answers.set(route, { route });
	for (const name of ["health", "performance", "logs"]) peer.answers.set(`/analytics/system/${name}`, { name });
	expect(await client.monitoring.systemHealth()).toEqual({
		status: "healthy",
		response_time_ms: 45,
		avg_response_time: 45,
	});
	await client.monitoring.metrics({
		timeframe: "24h",
		granularity: "1h",
		metrics: ["queue.depth:max", "n"],
		group_by: "host",
		as_of: new Date(0),
	});
	await client.monitoring.resourceUtilization({ timeframe: "24h", components: ["compute", "storage"] });
	await client.monitoring.queryLogs({
		query: "level:ERROR AND component:inference",
		limit: 100,
		sort: "timestamp desc",
	});
	expect(await client.analytics.system.health()).toEqual({ name: "health" });
	await client.analytics.system.performance({ granularity: "15m" });
	await client.analytics.system.logs({ level: "error", search: "time out" });
	expect(peer.requests.map(({ url }) => url)).toEqual([
		"/v1/monitoring/health",
		"/v1/monitoring/metrics?timeframe=24h&granularity=1h&metrics=queue.depth%3Amax%2Cn&group_by=host&as_of=1970-01-01T00%3A00%3A00.000Z",
		"/v1/monitoring/resources?timeframe=24h&components=compute%2Cstorage",
		"/v1/monitoring/logs?query=level%3AERROR+AND+component%3Ainference&limit=100&sort=timestamp+desc",
		"/analytics/system/health",
		"/analytics/system/performance?granularity=15m",
		"/analytics/system/logs?level=error&search=time+out",
	]);
	expect(peer.requests.every(({ headers }) => headers.authorization === "Bearer tm_ingest_test")).toBe(true);
});

test("federated analytics and the network are read by the API's names", async () => {
	const client = connect();
	for (const name of ["training", "participants", "privacy"])
		peer.answers.set(`/analytics/federated/${name}`, { name });
	peer.answers.set("/v1/monitoring/network", { avg_latency: 12 });
	const start = new Date(0);
	expect(await client.analytics.federated.training({ start, end: 86_400 })).toEqual({ name: "training" });
	expect(await client.analytics.federated.participants({ timezone: "Asia/Kathmandu" })).toEqual({
		name: "participants",
	});
	expect(await client.analytics.federated.privacy()).toEqual({ name: "privacy" });
	expect(await client.monitoring.networkMetrics({ timeframe: "1h", include_peer_details: true })).toEqual({
		avg_latency: 12,
	});
	expect(peer.requests.map(({ url }) => url)).toEqual([
		"/analytics/federated/training?start=1970-01-01T00%3A00%3A00.000Z&end=86400",
		"/analytics/federated/participants?timezone=Asia%2FKathmandu",
		"/analytics/federated/privacy",
		"/v1/monitoring/network?timeframe=1h&include_peer_details=true",
	]);
});

test.each([
	[400, "ValidationError"],
	[401, "AuthenticationError"],
	[403, "PermissionError"],
	[404, "NotFoundError"],
	[409, "ConflictError"],
	[422, "ValidationError"],
	[500, "UnavailableError"],
])("an answer of %d is a %s with all that the server said", async (code, name) => {
	const client = connect();
	const details = { parameter: "timeframe", provided: "2h", valid_options: ["1h"] };
	for (let i = 0; i < 3; i++) peer.misbehave.push(status(code, { error: "wrong", code, details }));
	await expect(client.monitoring.metrics({ timeframe: "2h" as "1h" })).rejects.toMatchObject({
		name,
		message: "wrong",
		status: code,
		code,
		details,
		requestId: "req-1",
	});
});

test("a read over the limit throws rather than wait for long; one that is told to come back soon does", async () => {
	const client = connect();
	peer.misbehave.push(
		status(429, { error: "limit", code: 429, limit: 10_000, retry_after: 1800 }, { "retry-after": "1800" }),
	);
	await expect(client.monitoring.metrics()).rejects.toMatchObject({
		name: "RateLimitError",
		retryAfter: 1800,
		body: { limit: 10_000 },
	});
	peer.answers.set("/v1/monitoring/metrics", { data_points: [] });
	peer.misbehave.push(status(503, { error: "starting", code: 503 }, { "retry-after": "0" }));
	expect(await client.monitoring.metrics()).toEqual({ data_points: [] });
});

test("no answer in time, nobody there and no JSON are told apart", async () => {
	const client = connect({ timeoutMs: 30 });
	peer.misbehave.push(neverAnswer, neverAnswer, neverAnswer);
	await expect(client.analytics.system.logs()).rejects.toMatchObject({ name: "UnavailableError", code: "timeout" });
	peer.answers.set("/analytics/system/logs", "<html>");
	await expect(client.analytics.system.logs()).rejects.toMatchObject({
		name: "TidemarkError",
		message: expect.stringContaining("JSON"),
	});
	await peer.close();
	await expect(connect().monitoring.systemHealth()).rejects.toMatchObject({
		name: "UnavailableError",
		code: "connection_failed",
	});
});

test("a read can be aborted", async () => {
	const client = connect();
	await expect(client.monitoring.systemHealth({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({
		name: "AbortError",
	});
});

test("a client without a key is a mistake that is told at once", () => {
	expect(() => new Client({ apiKey: "" })).toThrow(/apiKey/);
});
