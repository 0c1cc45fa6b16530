/** Alerts in the whole program: from a record over HTTP to what a viewer sees, with real minutes. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import WebSocket from "ws";
import { type Server, startServer, temporaryFolder, until } from "../server.ts";

const PATH = "/v1/monitoring/alerts";
/** A minute has to pass, and its records to be stored. */
const TWO_MINUTES = { deadline_ms: 120_000, interval_ms: 500 };
const env = { TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off" };

let server: Server;
let dataDir: string;
beforeAll(async () => {
	dataDir = temporaryFolder();
	server = await startServer({ dataDir, env });
}, 60_000);
afterAll(() => server?.stop());

// biome-ignore lint/suspicious/noExplicitAny: any route's answer
const send = async (method: string, path: string, body?: unknown): Promise<any> => {
	const response = await server.request(path, { method, ...(body === undefined ? {} : { body }) });
	return response.status === 204 ? undefined : response.json();
};
const point = (name: string, value: number) => send("POST", "/v1/ingest/metrics?wait=true", { name, value });
const rule = (name: string, metric: string, over: object = {}) =>
	send("POST", PATH, {
		...{ name, allow_unknown: true, conditions: [{ metric, operator: ">", value: 10, timeframe: "1m" }] },
		...over,
	});
const historyOf = async (id: string) =>
	(await send("GET", `${PATH}/${id}/history`)).history as {
		to: string;
		from: string;
		recorded_at: string;
		timestamp: string;
	}[];

test("a value over the threshold fires within two minutes and is told to viewers; killed while pending, and with nothing left of Redis, it fires as if nothing had been, once", async () => {
	const messages: { type: string; alert_id?: string; state?: string; value?: number }[] = [];
	const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws/analytics/realtime?api_key=${server.adminKey}`);
	socket.on("message", (data) => messages.push(JSON.parse(String(data))));
	await until(() => socket.readyState === WebSocket.OPEN);
	const now = await rule("at once", "depth");
	const later = await rule("later", "depth", { for: "1m" });
	const began = Date.now();
	await point("depth", 50);
	await until(() => messages.some((one) => one.alert_id === now.alert_id && one.state === "firing"), {
		...TWO_MINUTES,
		what: "the alert to be told",
	});
	expect(Date.now() - began).toBeLessThan(120_000);
	expect(messages.find((one) => one.alert_id === now.alert_id)).toMatchObject({
		type: "alert",
		value: 50,
		threshold: 10,
	});
	await until(async () => (await send("GET", `${PATH}/${later.alert_id}`)).state === "pending", TWO_MINUTES);
	socket.close();

	await server.kill("SIGKILL");
	rmSync(join(dataDir, "redis"), { recursive: true, force: true });
	server = await startServer({ dataDir, env });
	// Values of every minute, the one that nobody evaluated included.
	const keepOn = setInterval(() => void point("depth", 60).catch(() => undefined), 5_000);
	try {
		await until(async () => (await send("GET", `${PATH}/${later.alert_id}`)).state === "firing", {
			deadline_ms: 240_000,
			interval_ms: 500,
		});
	} finally {
		clearInterval(keepOn);
	}
	const history = await historyOf(later.alert_id);
	expect(history.map(({ from, to }) => `${from}→${to}`).reverse()).toEqual(["no_data→pending", "pending→firing"]);
	const [fired, pending] = history.map(({ timestamp }) => Date.parse(timestamp));
	expect(fired! - pending!).toBeGreaterThanOrEqual(60_000);
}, 480_000);
