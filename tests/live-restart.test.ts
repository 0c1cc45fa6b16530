// Ingest and query as processes of their own, on a ClickHouse and a Redis: streams outlive each of them going away.
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "../client/index.ts";
import { type Engine, startEngine } from "../engine/supervisor.ts";
import { publishAlert } from "../schema/live/alerts.ts";
import type { AlertMessage } from "../schema/live/frames.ts";
import { RedisBus } from "../schema/live/redis-bus.ts";
import { realtimeMessage } from "../schema/wire/index.ts";
import { connectRedis, subscribeRedis } from "../storage.ts";
import { type EmbeddedRedis, startRedis } from "../workers/redis.ts";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";
import { type OutageProxy, startProxy } from "./support/proxy.ts";
import { type Message, openEvents, openSocket, RefusedError, type TestViewer } from "./support/viewers.ts";

const logger = pino({ level: "silent" });
const WATCHED = "restart.*";
const SOCKET = `/ws/analytics/realtime?metrics=${WATCHED}&interval_seconds=1`;
const EVENTS = `/v1/monitoring/metrics/stream?metrics=${WATCHED}&interval_seconds=1`;

let engine: Engine;
let redis: EmbeddedRedis;
let proxy: OutageProxy;
let ingest: Server;
let query: Server;
let env: Record<string, string>;
/** Each value is sent once, so that a message with it is of that point. */
let value = 0;

const start = (role: "ingest" | "query", port = "0") => startServer({ args: [role], env: { ...env, PORT: port } });

beforeAll(async () => {
	engine = await startEngine({ dataDir: temporaryFolder(), password: "pw", logger });
	redis = await startRedis({ dataDir: temporaryFolder(), logger });
	proxy = await startProxy(Number(new URL(redis.url).port));
	const redisUrl = new URL(redis.url);
	redisUrl.port = String(proxy.port);
	env = {
		CLICKHOUSE_URL: `http://default:pw@127.0.0.1:${new URL(engine.url).port}/restarts`,
		...{ REDIS_URL: redisUrl.href, TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off" },
	};
	ingest = await start("ingest");
	query = await start("query");
});
afterAll(async () => {
	await Promise.all([ingest?.stop(), query?.stop()]);
	await Promise.all([engine?.stop(), redis?.stop(), proxy?.close()]);
});

/** Sends one point and waits until ClickHouse has it. */
async function send(): Promise<number> {
	value++;
	const answer = await ingest.request("/v1/ingest/metrics?wait=true", { body: { name: "restart.gauge", value } });
	expect(answer.status).toBe(200);
	return value;
}

const shows = (sent: number) => (message: Message) =>
	(message.metric === "restart.gauge" ? message.value : message["restart.gauge"]) === sent && !message.snapshot;

/** Sends points until all viewers are shown one that was sent from now on. */
async function untilShown(...viewers: readonly TestViewer[]): Promise<void> {
	await until(async () => {
		const sent = await send();
		return await until(() => viewers.every(({ messages }) => messages.some(shows(sent))), { deadline_ms: 2_000 }).catch(
			() => false,
		);
	});
}

test("viewers of a query process are shown what another process ingests", async () => {
	await using socket = await openSocket(query, SOCKET);
	await using events = await openEvents(query, EVENTS);
	await untilShown(socket, events);
});

test("a restart of Redis ends no stream: it goes on, and says what was missed", async () => {
	await using socket = await openSocket(query, SOCKET);
	await using events = await openEvents(query, EVENTS);
	await untilShown(socket, events);
	await proxy.refuse();
	const { pid } = redis;
	process.kill(pid, "SIGKILL");
	await until(() => [ingest, query].every((server) => server.output().includes("Redis is away")));
	const unseen = await send();
	await until(() => redis.pid !== pid);
	await proxy.restore();
	await untilShown(socket, events);
	for (const { messages, closed } of [socket, events]) {
		expect(closed).toBeUndefined();
		expect(messages.some(shows(unseen))).toBe(false);
		const gaps = messages.filter(({ type }) => type === "gap");
		const total = (member: string) => gaps.reduce((sum, gap) => sum + Number(gap[member]), 0);
		expect(total("missed_frames")).toBeGreaterThan(0);
		expect(total("interrupted_ms")).toBeGreaterThan(0);
	}
});

test("a restart of ingest, orderly or by a crash, ends no stream", async () => {
	await using socket = await openSocket(query, SOCKET);
	await using events = await openEvents(query, EVENTS);
	await untilShown(socket, events);
	for (const signal of ["SIGTERM", "SIGKILL"] as const) {
		await ingest.kill(signal);
		ingest = await start("ingest");
		await untilShown(socket, events);
	}
	expect([socket.closed, events.closed]).toEqual([undefined, undefined]);
});

test("a query process that stops says so, and after its restart a new stream begins with what was stored meanwhile", async () => {
	await using socket = await openSocket(query, SOCKET);
	await using events = await openEvents(query, EVENTS);
	await untilShown(socket, events);
	const { port } = new URL(query.url);
	expect(await query.stop()).toEqual({ code: 0, signal: null });
	await until(() => socket.closed && events.closed);
	expect([socket.closed?.code, events.closed?.code]).toEqual([1001, 1001]);
	const meanwhile = await send();
	query = await start("query", port);
	await using again = await openSocket(query, SOCKET);
	await using eventsAgain = await openEvents(query, EVENTS);
	await until(() => again.messages.length > 0 && eventsAgain.messages.length > 0);
	expect(again.messages[0]).toMatchObject({ metric: "restart.gauge", value: meanwhile, snapshot: true });
	expect(eventsAgain.messages[0]).toMatchObject({ "restart.gauge": meanwhile, snapshot: true });
	await untilShown(again, eventsAgain);
});

test("who reads logs is shown every line once, across restarts of Redis, of ingest and of query", async () => {
	const [shown, gaps, sent]: [string[], unknown[], string[]] = [[], [], []];
	const stream = new Client({ apiKey: query.adminKey, baseUrl: query.url }).monitoring.logStream({
		...{ query: "component:restart", snapshot: 0 },
	});
	let isOpen = false;
	stream
		.onData(({ message }) => shown.push(message))
		.onGap((gap) => gaps.push(gap))
		.onOpen(() => {
			isOpen = true;
		})
		.start();
	await until(() => isOpen);
	const log = async (message: string) => {
		sent.push(message);
		const answer = await ingest.request("/v1/ingest/logs", { body: { message, component: "restart" } });
		expect(answer.status).toBe(202);
	};
	const some = async (what: string) => {
		for (let n = 0; n < 5; n++) await log(`${what} ${n}`);
	};
	const allShown = () =>
		until(() => sent.every((message) => shown.includes(message)), { deadline_ms: 40_000, what: "all lines" });

	await some("at first");
	await allShown();

	await proxy.refuse();
	await some("while Redis is away");
	await proxy.restore();
	await some("Redis is back");
	await allShown();

	await ingest.kill("SIGKILL");
	ingest = await start("ingest");
	await some("from another ingest");
	await allShown();

	const { port } = new URL(query.url);
	await query.stop();
	await some("while query is away");
	query = await start("query", port);
	await some("query is back");
	await allShown();

	stream.stop();
	expect([...shown].sort()).toEqual([...sent].sort());
	expect(gaps).toEqual([]);
}, 180_000);

test("an alert that any process tells of reaches the viewers of its project, in the document's shape", async () => {
	await using socket = await openSocket(query, SOCKET);
	await untilShown(socket);
	const stops: (() => Promise<unknown>)[] = [];
	const [publisher, subscriber] = [connectRedis(redis.url, logger, stops), subscribeRedis(redis.url, logger, stops)];
	const bus = new RedisBus({ publisher, subscriber, source: "a worker" });
	await until(() => publisher.status === "ready");
	const alert: AlertMessage = {
		...{ level: "warning" as const, metric: "ai.response_time", value: 5_000, threshold: 3_000 },
		...{ message: "AI response time exceeded threshold", timestamp: "2026-11-01T12:00:00.000Z" },
	};
	publishAlert(bus, "other", { ...alert, message: "of another project" });
	publishAlert(bus, "default", alert);
	await until(() => socket.messages.some(({ type }) => type === "alert"));
	expect(socket.messages.filter(({ type }) => type === "alert")).toEqual([{ type: "alert", ...alert }]);
	realtimeMessage.parse({ type: "alert", ...alert });
	bus.close();
	for (const stop of stops) await stop();
});

test("a key that is revoked in another process ends its streams within seconds", async () => {
	const created = await ingest.request("/v1/keys", { body: { name: "viewer", roles: ["analytics_viewer"] } });
	const { api_key, key_id } = (await created.json()) as { api_key: string; key_id: string };
	const server = { url: query.url, adminKey: api_key };
	await using socket = await until(() => openSocket(server, SOCKET));
	await using events = await openEvents(server, EVENTS);
	expect((await ingest.request(`/v1/keys/${key_id}`, { method: "DELETE" })).ok).toBe(true);
	await until(() => socket.closed && events.closed);
	expect([socket.closed?.code, events.closed?.code]).toEqual([1008, 1008]);
	await expect(openSocket(server, SOCKET)).rejects.toThrow(RefusedError);
});
