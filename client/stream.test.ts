import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Peer, type PeerRequest, startPeer, status } from "../tests/ingest-peer.ts";
import { AuthenticationError, UnavailableError } from "./errors.ts";
import { eventStream } from "./event-stream.ts";
import { Client, type LogStreamOptions } from "./index.ts";
import { reconnectDelayMs } from "./retry.ts";
import type { StreamEvent } from "./stream.ts";
import { Transport } from "./transport.ts";

const LOGS = "/v1/monitoring/logs/stream";
const METRICS = "/v1/monitoring/metrics/stream";

let peer: Peer;
let stop: AbortController;
let open: ServerResponse[];
let requests: PeerRequest[];

beforeEach(async () => {
	peer = await startPeer();
	stop = new AbortController();
	[open, requests] = [[], []];
	for (const path of [LOGS, METRICS]) {
		peer.routes.set(path, (answer, request) => {
			requests.push(request);
			answer.writeHead(200, { "content-type": "text/event-stream" });
			answer.write("retry: 5\n\n");
			open.push(answer);
		});
	}
});

afterEach(async () => {
	stop.abort();
	await peer.close();
});

const client = () => new Client({ apiKey: "tm_viewer_test", baseUrl: peer.url });
const opened = (count: number) => vi.waitFor(() => expect(open).toHaveLength(count), { timeout: 5_000 });

function event(kind: string, body: object, id?: string): string {
	return `${id === undefined ? "" : `id: ${id}\n`}event: ${kind}\ndata: ${JSON.stringify(body)}\n\n`;
}

const log = (id: string) => event("log", { message: `m${id}`, log_id: id }, `run-${id}-${id}`);

function reading(options: LogStreamOptions = {}) {
	const heard = { lines: [] as string[], gaps: [] as unknown[], errors: [] as unknown[], reconnects: 0, opens: 0 };
	const stream = client()
		.monitoring.logStream(options, { signal: stop.signal })
		.onData(({ message }) => heard.lines.push(message))
		.onGap((gap) => heard.gaps.push(gap))
		.onError((error) => heard.errors.push(error))
		.onReconnect(() => heard.reconnects++)
		.onOpen(() => heard.opens++);
	return { stream, heard };
}

test("it asks for what it was told to, with the key in a header", async () => {
	const { stream } = reading({ filters: ["level:ERROR", "level:WARN"], components: ["api", "p2p"], snapshot: 5 });
	stream.start();
	stream.start();
	await opened(1);
	const { url, headers } = requests[0]!;
	expect(Object.fromEntries(new URL(url, peer.url).searchParams)).toEqual({
		...{ filters: "level:ERROR,level:WARN", components: "api,p2p", snapshot: "5" },
	});
	expect(headers).toMatchObject({ authorization: "Bearer tm_viewer_test", accept: "text/event-stream" });
	expect(headers).not.toHaveProperty("last-event-id");
});

test("after every interruption it goes on behind the last message, and shows nothing twice", async () => {
	const { stream, heard } = reading();
	stream.start();
	await opened(1);
	open[0]!.write(log("1"));
	open[0]!.write(`${log("2")}id: run-2-2\ndata: half`);
	await vi.waitFor(() => expect(heard.lines).toEqual(["m1", "m2"]));
	open[0]!.destroy();
	await opened(2);
	expect(requests[1]!.headers["last-event-id"]).toBe("run-2-2");
	open[1]!.end(log("2") + log("3"));
	await opened(3);
	expect(requests[2]!.headers["last-event-id"]).toBe("run-3-3");
	peer.misbehave.push(status(503, { error: "stopping", code: 503 }), status(502, "<html>"));
	open[2]!.end("id: run-9-3\n\n");
	await opened(4);
	expect(requests.at(-1)!.headers["last-event-id"]).toBe("run-9-3");
	open[3]!.write(log("4"));
	await vi.waitFor(() => expect(heard.lines).toEqual(["m1", "m2", "m3", "m4"]));
	expect(heard).toMatchObject({ opens: 3, reconnects: 5, errors: [] });
});

test("stopped, it closes its connection; started again, it goes on where it was", async () => {
	const { stream, heard } = reading();
	stream.start();
	await opened(1);
	const closed = new Promise((resolve) => open[0]!.once("close", resolve));
	open[0]!.write(log("1"));
	await vi.waitFor(() => expect(heard.lines).toEqual(["m1"]));
	stream.stop();
	await closed;
	stream.start();
	await opened(2);
	expect(requests[1]!.headers["last-event-id"]).toBe("run-1-1");
	expect(heard).toMatchObject({ reconnects: 0, errors: [] });
});

test.each([
	[401, "AuthenticationError"],
	[403, "PermissionError"],
	[400, "ValidationError"],
	[404, "NotFoundError"],
])("a %i ends it at once", async (code, name) => {
	peer.misbehave.push(status(code, { error: "no", code }));
	const { stream, heard } = reading();
	stream.start();
	await vi.waitFor(() => expect(heard.errors).toEqual([expect.objectContaining({ name, status: code })]));
	expect(heard.reconnects).toBe(0);
	expect(requests).toHaveLength(0);
});

test("what is no stream is no answer", async () => {
	peer.misbehave.push(status(200, { hello: "world" }));
	const { stream, heard } = reading();
	stream.start();
	await vi.waitFor(() => expect(String(heard.errors[0])).toMatch(/did not answer with a stream/));
});

test("a loop throws what ended it, and ends by its signal without a word", async () => {
	peer.misbehave.push(status(401, { error: "who are you", code: 401 }));
	await expect(async () => {
		for await (const _ of client().monitoring.logStream()) expect.unreachable();
	}).rejects.toThrow(AuthenticationError);
	const loop = (async () => {
		for await (const _ of client().monitoring.logStream({}, { signal: stop.signal })) expect.unreachable();
	})();
	await opened(1);
	stop.abort();
	await loop;
});

test("an error that a listener throws ends it, and is told", async () => {
	const mistake = new Error("mistake");
	const { stream, heard } = reading();
	stream.onData(() => {
		throw mistake;
	});
	stream.start();
	await opened(1);
	open[0]!.write(log("1"));
	await vi.waitFor(() => expect(heard.errors).toEqual([mistake]));
});

test("what was left out is told: lines by the server, messages of metrics to a slow reader too", async () => {
	const { stream, heard } = reading();
	stream.start();
	await opened(1);
	open[0]!.write(event("gap", { skipped: 7, reason: "too many" }) + event("gap", { skipped: null, reason: "unknown" }));
	// The next connection goes on with the first of them.
	open[0]!.write(event("skipped", { messages: 3, reason: "slow" }) + event("close", { code: 1013 }));
	await vi.waitFor(() => expect(heard.gaps).toHaveLength(2));
	expect(heard.gaps).toEqual([
		{ skipped: 7, reason: "too many" },
		{ skipped: null, reason: "unknown" },
	]);
	const gaps: unknown[] = [];
	const metrics = client().monitoring.metricsStream({}, { signal: stop.signal });
	metrics.onGap((gap) => gaps.push(gap)).start();
	await opened(2);
	open[1]!.write(event("skipped", { messages: 3, reason: "slow" }) + event("gap", { missed_frames: 2, left_out: 40 }));
	await vi.waitFor(() =>
		expect(gaps).toEqual([
			{ skipped: 3, reason: "slow" },
			{ skipped: null, reason: "values are without 40 records and 2 messages between processes" },
		]),
	);
});

test("metrics come with the error rate as a ratio and in percent, and without what has no data", async () => {
	const got: object[] = [];
	const stream = client().monitoring.metricsStream(
		{ metrics: ["api_requests", "error_rate"], interval_seconds: 10 },
		{ signal: stop.signal },
	);
	stream.onData((data) => got.push(data)).start();
	await opened(1);
	expect(Object.fromEntries(new URL(requests[0]!.url, peer.url).searchParams)).toEqual({
		...{ metrics: "api_requests,error_rate", interval_seconds: "10" },
	});
	open[0]!.write(`data: {"api_requests":120,"error_rate":0.0234}\n\ndata: {"api_requests":0}\n\n`);
	await vi.waitFor(() => expect(got).toHaveLength(2));
	expect(got).toEqual([{ api_requests: 120, error_rate: 0.0234, error_rate_pct: 2.34 }, { api_requests: 0 }]);
});

test("without a WebSocket, realtime gives the metrics of the stream one by one", async () => {
	const got: object[] = [];
	// Whatever this runtime has.
	vi.stubGlobal("WebSocket", undefined);
	const stream = client().analytics.realtime({ metrics: ["system.*"] }, { signal: stop.signal });
	vi.unstubAllGlobals();
	stream.onData((data) => got.push(data)).start();
	await opened(1);
	const about = { timestamp: "2026-01-01T00:00:00.000Z", interval_seconds: 5 };
	const values = { "system.cpu_usage": 45.2, "system.memory_usage": 60 };
	const aggregations = { "system.cpu_usage": "percent", "system.memory_usage": "percent" };
	open[0]!.write(`data: ${JSON.stringify({ ...values, ...about, snapshot: true, aggregations })}\n\n`);
	await vi.waitFor(() => expect(got).toHaveLength(2));
	expect(got[0]).toEqual({
		...{ type: "metric_update", metric: "system.cpu_usage", value: 45.2, ...about },
		...{ snapshot: true, aggregation: "percent" },
	});
});

test("a loop that is slow holds the server up rather than filling the memory, and gets everything", async () => {
	const stream = client().monitoring.logStream({}, { signal: stop.signal })[Symbol.asyncIterator]();
	const first = stream.next();
	await opened(1);
	const answer = open[0]!;
	const padding = "x".repeat(100_000);
	const count = 300;
	for (let id = 0; id < count; id++) answer.write(event("log", { message: padding, log_id: String(id) }));
	await first;
	// More than any buffer between here and there holds is still with the server, for as long as nothing is read.
	for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 10));
	expect(answer.writableLength).toBeGreaterThan(10_000_000);
	for (let id = 1; id < count; id++) expect((await stream.next()).value).toMatchObject({ log_id: String(id) });
	await stream.return();
});

test("a server that says nothing any more is taken for gone", async () => {
	const transport = new Transport({ apiKey: "k", baseUrl: peer.url, timeoutMs: 5_000, fetch });
	const position = { lastEventId: "", retryMs: undefined };
	const events: StreamEvent[] = [];
	const read = async () => {
		for await (const one of eventStream(transport, LOGS, {}, position, stop.signal, 300)) events.push(one);
	};
	const reading = read();
	await opened(1);
	// A heartbeat counts as a word.
	const beat = setInterval(() => open[0]!.write(": heartbeat\n\n"), 100);
	setTimeout(() => clearInterval(beat), 600);
	open[0]!.write(log("1"));
	await expect(reading).rejects.toThrow(UnavailableError);
	await expect(reading).rejects.toThrow("silent for 300 ms");
	expect(events).toHaveLength(1);
	expect(position.lastEventId).toBe("run-1-1");
});

test("the wait before the next connection is spread over the whole of a growing time, and no shorter than asked", () => {
	const ceilings = [1, 2, 3, 8, 30].map((tries) => reconnectDelayMs(tries, undefined, undefined, 1));
	expect(ceilings).toEqual([500, 1_000, 2_000, 30_000, 30_000]);
	expect(reconnectDelayMs(5, undefined, undefined, 0)).toBe(0);
	expect(reconnectDelayMs(1, 3, undefined, 0.5)).toBe(3_000);
	expect(reconnectDelayMs(1, undefined, 2_000, 0.5)).toBe(1_000);
});
