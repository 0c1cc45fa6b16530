/**
 * Alerts in the whole program, over one real minute: from records over HTTP by the evaluation to what people and viewers are told,
 * through kill -9 and a Redis that forgets in the middle of escalations.
 */
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import WebSocket from "ws";
import { startRedis } from "../../workers/redis.ts";
import { type Server, startServer, temporaryFolder, until } from "../server.ts";
import { httpServer, type TestServer } from "../support/loopback.ts";

interface Told {
	readonly path: string;
	readonly id: string;
	readonly type: string;
	readonly name: string;
	readonly acknowledge_url: string;
}

const MINUTE = 60_000;
const SOON = { deadline_ms: 60_000, interval_ms: 200 };
/** A minute has to pass, and its records to be stored. */
const NEXT_MINUTE = { deadline_ms: 150_000, interval_ms: 500 };
/** Nobody listens there. */
const CLOSED_PORT = 1;

let redis: Awaited<ReturnType<typeof startRedis>>;
let receiver: TestServer;
let server: Server;
const told: Told[] = [];
const dataDir = temporaryFolder();
const start = () =>
	startServer({
		dataDir,
		env: {
			...{ TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off", TIDEMARK_OUTBOUND_ALLOW: "127.0.0.1" },
			REDIS_URL: redis.url,
		},
	});

beforeAll(async () => {
	redis = await startRedis({ dataDir: temporaryFolder(), logger: pino({ level: "silent" }) });
	receiver = await httpServer((request, response) => {
		let body = "";
		request.setEncoding("utf8").on("data", (text) => {
			body += text;
		});
		request.on("end", () => {
			const { type, data } = JSON.parse(body);
			const { name, acknowledge_url } = data;
			told.push({ path: request.url!, id: String(request.headers["webhook-id"]), type, name, acknowledge_url });
			response.end();
		});
	});
	server = await start();
}, 60_000);
afterAll(async () => {
	await server?.stop();
	await receiver?.stop();
	await redis?.stop();
});

// biome-ignore lint/suspicious/noExplicitAny: any route's answer
const send = async (method: string, path: string, body?: unknown): Promise<any> => {
	const response = await server.request(path, { method, ...(body === undefined ? {} : { body }) });
	expect(response.status, `${method} ${path}`).toBeLessThan(300);
	return response.status === 204 ? undefined : response.json();
};
const point = (name: string, value: number, timestamp = Date.now()) =>
	send("POST", "/v1/ingest/metrics?wait=true", { name, value, timestamp });
const rule = async (name: string, condition: object, over: object): Promise<string> =>
	(
		await send("POST", "/v1/monitoring/alerts", {
			...{ name, evaluation_delay: "0s", conditions: [{ operator: ">", value: 10, timeframe: "1m", ...condition }] },
			...over,
		})
	).alert_id;
const of = (name: string) =>
	told
		.filter((one) => one.name === name)
		.map(({ type, path }) => `${type} ${path}`)
		.sort();

async function flush(): Promise<void> {
	const client = new Redis(redis.url);
	await client.flushall();
	client.disconnect();
}
async function killAndFlush(): Promise<void> {
	await server.kill("SIGKILL");
	await flush();
	server = await start();
}

test("every level of an escalation is told once and none after the acknowledgement, what was pending fires as if nothing had been, and what is over is told, through kill -9 and a Redis that forgets all", async () => {
	const messages: { alert_id?: string; state?: string; type: string }[] = [];
	const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws/analytics/realtime?api_key=${server.adminKey}`);
	socket.on("message", (data) => messages.push(JSON.parse(String(data))));
	await until(() => socket.readyState === WebSocket.OPEN);
	const hook = (name: string) => ({ type: "webhook", name, url: `http://127.0.0.1:${receiver.port}/${name}` });
	await send("PUT", "/v1/monitoring/notification-channels", { channels: ["first", "second"].map(hook) });
	const first = { notifications: [{ type: "contact", contact: "first" }] };
	const levels = [
		{ delay_minutes: 0, notify: ["first"] },
		{ delay_minutes: 1, notify: ["second"] },
	];
	// All that follows is of one minute: a rule is first evaluated as of the full minute before it was made.
	await until(() => Date.now() % MINUTE < 50_000);
	const before = Math.floor(Date.now() / MINUTE) * MINUTE - MINUTE / 2;
	for (const name of ["deep", "passing"]) await point(name, 50, before);
	await point("deep", 60);
	await point("passing", 1);
	const burning = await rule("burning", { metric: "deep" }, { escalation_policy: { levels } });
	const acknowledged = await rule("acknowledged", { metric: "deep" }, { escalation_policy: { levels } });
	await rule("over", { metric: "passing" }, first);
	const later = await rule("later", { metric: "deep" }, { ...first, for: "1m" });
	await send("POST", "/v1/monitoring/synthetic-tests", {
		...{ name: "port", type: "tcp", host: "127.0.0.1", port: CLOSED_PORT, frequency_seconds: 10, retries: 0 },
	});
	const failed = { metric: "events", event: "check.completed", filter: { ok: "false" }, value: 0 };
	await rule("unreachable", failed, first);

	await until(() => [of("burning"), of("acknowledged"), of("over")].every((all) => all.length > 0), SOON);
	await until(() => messages.some((one) => one.alert_id === burning && one.state === "firing"), SOON);
	expect(messages.find((one) => one.alert_id === burning)).toMatchObject({ type: "alert", value: 50, threshold: 10 });
	socket.close();
	const link = new URL(told.find(({ name }) => name === "acknowledged")!.acknowledge_url);
	expect((await server.request(link.pathname, { method: "POST" })).status).toBe(200);
	await until(async () => (await send("GET", `/v1/monitoring/alerts/${later}`)).state === "pending", SOON);
	await killAndFlush();
	// Values of every minute, the one included in which nobody evaluated.
	const keepOn = setInterval(() => void point("deep", 70).catch(() => undefined), 5_000);
	try {
		await until(() => of("burning").length > 1, { ...NEXT_MINUTE, what: "the second level" });
		await until(() => of("over").length > 1, { ...SOON, what: "the end" });
		await until(() => of("later").length > 0, { ...SOON, what: "what was pending to fire" });
		await until(() => of("unreachable").length > 0, { ...SOON, what: "the failed check to be an alert" });
	} finally {
		clearInterval(keepOn);
	}
	await flush();
	await until(() => Date.now() % MINUTE < 50_000);
	await point("deep", 50, Math.floor(Date.now() / MINUTE) * MINUTE - MINUTE / 2);
	await rule("another", { metric: "deep" }, first);
	// Whatever was still due came before this one.
	await until(() => of("another").length > 0, SOON);

	expect(of("burning")).toEqual(["alert.firing /first", "alert.firing /second"]);
	expect(of("acknowledged")).toEqual(["alert.firing /first"]);
	expect(of("over")).toEqual(["alert.firing /first", "alert.resolved /first"]);
	expect(of("later")).toEqual(["alert.firing /first"]);
	expect(of("unreachable")).toEqual(["alert.firing /first"]);
	expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
	const { acknowledged: by } = (await send("GET", `/v1/monitoring/alerts/${acknowledged}`)).instances[0];
	expect(by).toMatchObject({ by: "link" });
	const { history } = await send("GET", `/v1/monitoring/alerts/${later}/history?kind=transition`);
	const path = history.map(({ from, to }: { from: string; to: string }) => `${from}→${to}`).reverse();
	expect(path).toEqual(["no_data→pending", "pending→firing"]);
}, 300_000);
