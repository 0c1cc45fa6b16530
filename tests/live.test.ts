// Streams of metrics as clients see them: who is let in, what is sent, and how it ends.
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KeyStore } from "../http/keys.ts";
import { connectClickHouse } from "../schema/clickhouse.ts";
import { metricsStreamEvent, realtimeMessage } from "../schema/wire/index.ts";
import { type Server, startServer, until } from "./server.ts";
import { type Message, openEvents, openSocket, type RefusedError } from "./support/viewers.ts";

const SOCKET = "/ws/analytics/realtime";
const EVENTS = "/v1/monitoring/metrics/stream";
const STREAMS = [
	["WebSocket", openSocket, SOCKET],
	["SSE", openEvents, EVENTS],
] as const;
const ORIGIN = "https://app.example.com";

let server: Server;
beforeAll(async () => {
	server = await startServer({
		env: {
			...{ TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off", TIDEMARK_CORS_ORIGINS: ORIGIN },
			TIDEMARK_STREAMS_PER_KEY: "4",
		},
	});
});
afterAll(async () => {
	const output = server?.output() ?? "";
	expect(await server?.stop()).toEqual({ code: 0, signal: null });
	// Of all these requests, good and bad, nothing was logged that opens a door.
	expect(output).not.toContain(server.adminKey);
	expect(output).not.toContain("api_key=");
});

async function send(records: object[], path = "/v1/ingest/metrics?wait=true", url = server): Promise<void> {
	const answer = await url.request(path, { body: records });
	expect(await answer.json()).toEqual({ accepted: records.length, rejected: [] });
}

async function newKey(
	body: object,
): Promise<{ readonly url: string; readonly adminKey: string; readonly key_id: string }> {
	const answer = await server.request("/v1/keys", { body: { name: "a viewer", ...body } });
	const { api_key, key_id } = (await answer.json()) as { api_key: string; key_id: string };
	return { url: server.url, adminKey: api_key, key_id };
}

const refused = (open: Promise<unknown>) =>
	open.then(
		() => {
			throw new Error("was let in");
		},
		(error: RefusedError) => ({ status: error.status, ...error.body }),
	);

const durations = (n: number, failed: number, seconds: number) =>
	Array.from({ length: n }, (_, i) => ({
		...{ name: "http.server.request.duration", value: seconds },
		tags: { "http.response.status_code": i < failed ? "500" : "200" },
	}));

test("the document's metrics are those of the last interval: requests a minute, mean milliseconds, a ratio", async () => {
	await using events = await openEvents(
		server,
		`${EVENTS}?metrics=api_requests,response_time,error_rate&interval_seconds=2`,
	);
	await until(() => events.messages.length === 1);
	expect(events.messages[0]).toEqual({
		snapshot: true,
		interval_seconds: 2,
		timestamp: expect.any(String),
		aggregations: {},
	});
	const before = Date.now();
	await send(durations(40, 10, 0.25));
	await until(() => events.messages.length > 1);
	expect(events.messages[1]).toEqual({
		...{ api_requests: 1_200, response_time: 250, error_rate: 0.25, interval_seconds: 2 },
		aggregations: { api_requests: "per_minute", response_time: "mean", error_rate: "ratio" },
		timestamp: expect.any(String),
	});
	// Event time, which of records without one is that of their receipt.
	expect(Math.abs(Date.parse(events.messages[1]!.timestamp as string) - before)).toBeLessThan(10_000);
	// Nothing more comes, which is said too.
	await until(() => events.messages.length > 2);
	expect(events.messages[2]).toMatchObject({ interval_seconds: 2, aggregations: {} });
	expect(events.messages[2]).not.toHaveProperty("api_requests");
	for (const message of events.messages) metricsStreamEvent.parse(message);
	await using late = await openEvents(server, `${EVENTS}?interval_seconds=2`);
	await until(() => late.messages.length > 0);
	metricsStreamEvent.parse(late.messages[0]);
});

test("each record counts in exactly one interval", async () => {
	await using socket = await openSocket(server, `${SOCKET}?metrics=once.*&interval_seconds=1`);
	const points = (count: number) =>
		Array.from({ length: count }, () => ({ name: "once.count", value: 2, kind: "counter" }));
	let sent = 0;
	for (let round = 1; round <= 12; round++) {
		await send(points(round), "/v1/ingest/metrics");
		sent += 2 * round;
		await new Promise((resolve) => setTimeout(resolve, 230));
	}
	const live = () => socket.messages.filter(({ metric, snapshot }) => metric === "once.count" && !snapshot);
	// A rate a second over intervals of a second: their sum is everything.
	await until(() => live().reduce((sum, { value }) => sum + Number(value), 0) >= sent);
	expect(live().reduce((sum, { value }) => sum + Number(value), 0)).toBe(sent);
	expect(live().length).toBeLessThan(12);
	expect(new Set(live().map(({ aggregation }) => aggregation))).toEqual(new Set(["rate"]));
});

test("a kind decides how a metric is shown, unless the subscription does; history that is filled in is not live", async () => {
	await using socket = await openSocket(server, `${SOCKET}?metrics=kind.*&interval_seconds=1`);
	await using asked = await openSocket(server, `${SOCKET}?metrics=system.*&interval_seconds=1`);
	asked.send({ type: "subscribe", metrics: ["kind.*", "http.server.request.duration:max"], interval_seconds: 1 });
	await until(() => asked.messages.some(({ type }) => type === "subscribed"));
	await send([
		{ name: "kind.old", value: 1, timestamp: new Date(Date.now() - 3_600_000).toISOString() },
		{ name: "kind.gauge/größe \"'", value: -3.5, tags: { a: "1" }, timestamp: Date.now() - 2_000 },
		{ name: "kind.gauge/größe \"'", value: 7, tags: { a: "2" }, timestamp: Date.now() - 4_000 },
		{ name: "kind.counter", value: 3, kind: "counter" },
		{ name: "kind.counter", value: 4, kind: "counter", tags: { a: "1" } },
		{ name: "kind.spread", value: 10, kind: "distribution" },
		{ name: "kind.spread", value: 20, kind: "distribution", tags: { a: "1" } },
		...[100, 130].map((value, i) => ({
			name: "kind.total",
			value,
			kind: "cumulative",
			timestamp: Date.now() - 2_000 + i,
		})),
		...durations(1, 0, 9),
	]);
	const shown = (messages: readonly Message[]) =>
		Object.fromEntries(
			messages.filter((m) => m.type === "metric_update").map((m) => [m.metric, [m.value, m.aggregation]]),
		);
	await until(() => Object.keys(shown(socket.messages)).length === 4);
	expect(shown(socket.messages)).toEqual({
		"kind.gauge/größe \"'": [-3.5, "last"],
		"kind.counter": [7, "rate"],
		"kind.spread": [15, "mean"],
		"kind.total": [30, "rate"],
	});
	await until(() => shown(asked.messages)["http.server.request.duration:max"]);
	expect(shown(asked.messages)["http.server.request.duration:max"]).toEqual([9, "max"]);
	for (const message of [...socket.messages, ...asked.messages]) realtimeMessage.parse(message);
});

test("a viewer who comes later begins with what the others were shown last", async () => {
	await using first = await openSocket(server, `${SOCKET}?metrics=later.*&interval_seconds=3600`);
	await send([{ name: "later.gauge", value: 1 }]);
	await until(() => first.messages.some(({ metric }) => metric === "later.gauge"));
	await using second = await openSocket(server, `${SOCKET}?metrics=later.*&interval_seconds=3600`);
	await until(() => second.messages.length > 0);
	expect(second.messages).toEqual(first.messages);
});

test("before it says what it wants a WebSocket is sent the catalogue; then what it asks for, until it asks for nothing", async () => {
	await using socket = await openSocket(server, SOCKET);
	const metrics = () => socket.messages.filter(({ type }) => type === "metric_update").map(({ metric }) => metric);
	const cpu = (value: number) => ({ name: "system.cpu.utilization", value, tags: { "host.id": "h" } });
	await send([cpu(0.452)]);
	await until(() => metrics().includes("system.cpu_usage"));
	expect(socket.messages.find(({ metric }) => metric === "system.cpu_usage")).toMatchObject({
		value: 45.2,
		aggregation: "percent",
	});
	expect(metrics()).not.toContain("system.cpu.utilization");
	socket.send({ type: "subscribe", metrics: ["system.cpu.*"], interval_seconds: 1 });
	await until(() => metrics().includes("system.cpu.utilization"));
	const usages = metrics().filter((metric) => metric === "system.cpu_usage").length;
	socket.send({ type: "unsubscribe" });
	await until(() => socket.messages.some(({ type }) => type === "unsubscribed"));
	const count = metrics().length;
	await using other = await openSocket(server, `${SOCKET}?metrics=system.cpu.utilization&interval_seconds=1`);
	await send([cpu(0.9)]);
	await until(() => other.messages.some(({ value }) => value === 0.9));
	expect(metrics().length).toBe(count);
	expect(metrics().filter((metric) => metric === "system.cpu_usage").length).toBe(usages);
});

test("a message that makes no sense, or a metric that was never sent, is answered, and the connection stays", async () => {
	await send([{ name: "near.value", value: 1 }]);
	await using socket = await openSocket(server, `${SOCKET}?metrics=near.value`);
	const answers = async (message: object | string) => {
		const before = socket.messages.filter(({ type }) => type === "error").length;
		socket.send(message);
		return await until(() => socket.messages.filter(({ type }) => type === "error")[before]);
	};
	expect(await answers("no JSON")).toMatchObject({ code: 400, error: "The message is not JSON" });
	expect(await answers({ type: "nonsense" })).toMatchObject({ code: 400, details: { provided: "nonsense" } });
	expect(await answers({ type: "subscribe", metrics: [] })).toMatchObject({ code: 400 });
	expect(await answers({ type: "subscribe", metrics: ["near.valu"] })).toMatchObject({
		...{ code: 400, error: "Unknown metric near.valu" },
		details: { parameter: "metrics", provided: "near.valu", valid_options: expect.arrayContaining(["near.value"]) },
	});
	expect(await answers({ type: "subscribe", metrics: ["near.value"], interval_seconds: 0 })).toMatchObject({
		code: 400,
	});
	socket.send({ type: "subscribe", metrics: ["near.value", "not.yet.*"], interval_seconds: 1 });
	await until(() => socket.messages.some(({ type }) => type === "subscribed"));
	for (let i = 0; i < 40; i++) socket.send({ type: "unsubscribe" });
	await until(() => socket.closed);
	expect(socket.closed?.code).toBe(1008);
});

test.each(STREAMS)(
	"%s refuses as every route does: no key, a wrong one, one without the role, a bad parameter, another page's",
	async (_, open, path) => {
		const keyless = { url: server.url, adminKey: "" };
		expect(await refused(open(keyless, path))).toMatchObject({
			status: 401,
			code: 401,
			request_id: expect.any(String),
		});
		expect(await refused(open(server, `${path}?api_key=tm_no_such_key`))).toMatchObject({ status: 401, code: 401 });
		const writer = await newKey({ roles: ["ingest"] });
		expect(await refused(open(writer, path))).toMatchObject({ status: 403, required_role: "analytics_viewer" });
		expect(await refused(open(server, `${path}?metric=a`))).toMatchObject({
			status: 400,
			details: { parameter: "metric" },
		});
		expect(await refused(open(server, `${path}?metrics=never.sent.at.all`))).toMatchObject({
			status: 400,
			details: { parameter: "metrics" },
		});
		expect(await refused(open(server, `${path}?interval_seconds=0`))).toMatchObject({
			status: 400,
			details: { parameter: "interval_seconds" },
		});
		expect(await refused(open(server, path, { headers: { Origin: "https://evil.example" } }))).toMatchObject({
			status: 403,
			origin: "https://evil.example",
		});
		expect(await refused(open(server, path, { headers: { Origin: "null" } }))).toMatchObject({ status: 403 });
		for (const origin of [ORIGIN, server.url]) {
			await using viewer = await open(server, path, { headers: { Origin: origin } });
			expect(viewer.closed).toBeUndefined();
		}
		await using viewer = await open(keyless, `${path}?api_key=${server.adminKey}`);
		expect(viewer.closed).toBeUndefined();
	},
);

test.each(STREAMS)(
	"%s: a key has so many streams and no more, and one that ends makes room for another",
	async (_, open, path) => {
		const key = await newKey({ roles: ["analytics_viewer"] });
		const viewers = await Promise.all(Array.from({ length: 4 }, () => open(key, path)));
		expect(await refused(open(key, path))).toMatchObject({ status: 429, limit: 4, open_streams: 4 });
		await viewers[0]![Symbol.asyncDispose]();
		const another = await until(() => open(key, path));
		for (const viewer of [...viewers, another]) await viewer[Symbol.asyncDispose]();
	},
);

test.each(STREAMS)("%s ends soon after its key is revoked or has expired", async (_, open, path) => {
	const revoked = await newKey({ roles: ["analytics_viewer"] });
	const expiring = await newKey({
		roles: ["analytics_viewer"],
		expires_at: new Date(Date.now() + 3_000).toISOString(),
	});
	await using first = await open(revoked, path);
	await using second = await open(expiring, path);
	await server.request(`/v1/keys/${revoked.key_id}`, { method: "DELETE" });
	await until(() => first.closed && second.closed);
	expect([first.closed?.code, second.closed?.code]).toEqual([1008, 1008]);
});

test("projects do not see each other", async () => {
	const { url, user, password, database } = JSON.parse(readFileSync(join(server.dataDir, "engine.json"), "utf8"));
	const client = connectClickHouse({ url, user, password, database });
	const { secret } = await new KeyStore({ client }).create({ project: "other", name: "theirs", roles: ["admin"] });
	await client.close();
	const stranger = { url: server.url, adminKey: secret };
	await using socket = await until(() => openSocket(stranger, `${SOCKET}?metrics=*&interval_seconds=1`));
	await using own = await openSocket(server, `${SOCKET}?metrics=mine.*&interval_seconds=1`);
	await send([{ name: "mine.gauge", value: 1 }]);
	await until(() => own.messages.some(({ metric }) => metric === "mine.gauge"));
	const answer = await fetch(`${server.url}/v1/ingest/metrics`, {
		method: "POST",
		headers: { "X-API-Key": stranger.adminKey, "Content-Type": "application/json" },
		body: JSON.stringify({ name: "theirs", value: 1 }),
	});
	expect(answer.status).toBe(202);
	await until(() => socket.messages.some(({ metric }) => metric === "theirs"));
	expect(socket.messages.map(({ metric }) => metric)).toEqual(["theirs"]);
});

test("a request that offers another protocol than WebSocket is answered as if it did not, its body read", async () => {
	const body = JSON.stringify([{ name: "h2c.gauge", value: 1 }]);
	const answer = await new Promise<number | undefined>((resolve, reject) => {
		request(
			`${server.url}/v1/ingest/metrics`,
			{
				method: "POST",
				headers: {
					...{ Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA" },
					...{ "X-API-Key": server.adminKey, "Content-Type": "application/json", "Content-Length": body.length },
				},
			},
			(response) => resolve(response.resume().statusCode),
		)
			.on("error", reject)
			.end(body);
	});
	expect(answer).toBe(202);
	const plain = await fetch(server.url + SOCKET, { headers: { "X-API-Key": server.adminKey } });
	expect([plain.status, await plain.json()]).toEqual([426, expect.objectContaining({ code: 426 })]);
});

test("a connection that ends in the middle of its handshake leaves nothing behind", async () => {
	const { port } = new URL(server.url);
	for (let i = 0; i < 20; i++) {
		const socket = connect(Number(port), "127.0.0.1");
		socket.on("error", () => undefined);
		socket.write(
			`GET ${SOCKET} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${server.adminKey}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
			() => socket.resetAndDestroy(),
		);
	}
	const open = async (name: string) =>
		new RegExp(`^${name} (\\d+)$`, "m").exec(await (await server.request("/metrics")).text())?.[1];
	await until(async () => (await open("tidemark_streams")) === "0" && (await open("tidemark_stream_hubs")) === "0");
});
