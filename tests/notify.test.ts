// Escalations of the whole program: a worker that is killed and a Redis that is emptied in the middle repeat nothing and lose nothing.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClickHouse } from "../schema/clickhouse.ts";
import { startRedis } from "../workers/redis.ts";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";
import { httpServer, type TestServer } from "./support/loopback.ts";

interface Told {
	readonly path: string;
	readonly id: string;
	readonly type: string;
	readonly firing_ids: readonly string[];
	readonly acknowledge_url: string;
}

const SETTINGS = {
	TIDEMARK_SELF_PROJECT: "off",
	TIDEMARK_COLLECT_INTERVAL: "off",
	TIDEMARK_OUTBOUND_ALLOW: "127.0.0.1",
};
const MINUTE = 60_000;

let redis: Awaited<ReturnType<typeof startRedis>>;
let receiver: TestServer;
let server: Server;
const told: Told[] = [];
const dataDir = temporaryFolder();
const start = () => startServer({ dataDir, env: { ...SETTINGS, REDIS_URL: redis.url } });
const ask = async <T>(path: string, init?: Parameters<Server["request"]>[1]) =>
	(await (await server.request(`/v1/monitoring${path}`, init)).json()) as T;

beforeAll(async () => {
	redis = await startRedis({ dataDir: temporaryFolder(), logger: pino({ level: "silent" }) });
	receiver = await httpServer((request, response) => {
		let body = "";
		request.setEncoding("utf8").on("data", (text) => {
			body += text;
		});
		request.on("end", () => {
			const { type, data } = JSON.parse(body);
			const firing_ids = data.instances.map(({ firing_id }: { firing_id: string }) => firing_id);
			const id = String(request.headers["webhook-id"]);
			told.push({ path: request.url!, id, type, firing_ids, acknowledge_url: data.acknowledge_url });
			response.end();
		});
	});
	server = await start();
	const hook = (name: string) => ({ type: "webhook", name, url: `http://127.0.0.1:${receiver.port}/${name}` });
	await ask("/notification-channels", { method: "PUT", body: { channels: ["first", "second"].map(hook) } });
});
afterAll(async () => {
	await server?.stop();
	await receiver?.stop();
	await redis?.stop();
});

async function makeAlert(name: string): Promise<string> {
	const { alert_id } = await ask<{ alert_id: string }>("/alerts", {
		body: {
			...{
				name,
				allow_unknown: true,
				conditions: [{ metric: "never.sent", operator: ">", value: 1, timeframe: "5m" }],
			},
			escalation_policy: {
				levels: [
					{ delay_minutes: 0, notify: ["first"] },
					{ delay_minutes: 1, notify: ["second"] },
				],
			},
		},
	});
	return alert_id;
}

/** Rows of the history as the evaluation and the routes write them. */
async function write(alert_id: string, row: object): Promise<void> {
	const client = connectClickHouse(JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8")));
	const time = (ms: number) => new Date(ms).toISOString().replace("T", " ").replace("Z", "");
	const now = Date.now();
	const of = { project: "default", alert_id, instance: "all", firing_id: `firing_of_${alert_id}`, severity: "high" };
	const values = [{ ...of, ts: time(now), recorded_at: time(now), ...row }];
	await client.insert({ table: "alert_transitions", values, format: "JSONEachRow" });
	await client.close();
}

const fire = (alert_id: string, ms_ago: number) =>
	write(alert_id, {
		...{ kind: "transition", from_state: "ok", to_state: "firing", notice: "fire", message: "it burns" },
		ts: new Date(Date.now() - ms_ago).toISOString().replace("T", " ").replace("Z", ""),
	});
const resolve = (alert_id: string) =>
	write(alert_id, {
		kind: "transition",
		from_state: "firing",
		to_state: "ok",
		notice: "resolve",
		message: "it is over",
	});

async function killAndFlush(): Promise<void> {
	await server.kill("SIGKILL");
	const client = new Redis(redis.url);
	await client.flushall();
	client.disconnect();
	server = await start();
}

const of = (alert_id: string) => told.filter(({ firing_ids }) => firing_ids.includes(`firing_of_${alert_id}`));

test("every level is told once, and none after the acknowledgement, through kill -9 and a Redis that forgets all", async () => {
	const [burning, acknowledged] = [await makeAlert("burning"), await makeAlert("acknowledged")];
	// The second level is due twenty seconds from now.
	for (const alert_id of [burning, acknowledged]) await fire(alert_id, MINUTE - 20_000);
	await until(() => of(burning).length > 0 && of(acknowledged).length > 0, { what: "the first level" });
	await write(acknowledged, { kind: "acknowledge", actor: "key_1" });
	await killAndFlush();
	await until(() => of(burning).length > 1, { deadline_ms: 60_000, what: "the second level" });
	await killAndFlush();
	await resolve(burning);
	await until(() => of(burning).length > 3, { deadline_ms: 60_000, what: "the end" });
	await killAndFlush();
	const another = await makeAlert("another");
	await fire(another, 0);
	// Whatever was still due came before this one.
	await until(() => of(another).length > 0, { deadline_ms: 60_000, what: "the next alert" });
	expect(
		of(burning)
			.map(({ type, path }) => `${type} ${path}`)
			.sort(),
	).toEqual(["alert.firing /first", "alert.firing /second", "alert.resolved /first", "alert.resolved /second"]);
	expect(of(acknowledged).map(({ type, path }) => `${type} ${path}`)).toEqual(["alert.firing /first"]);
	expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
}, 240_000);
