// A report whose worker, engine and Redis are ended while it runs: finished once, delivered once.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reportRunsAnswer } from "../../schema/wire/index.ts";
import { type EmbeddedRedis, startRedis } from "../../workers/redis.ts";
import { type Server, startServer, temporaryFolder, until } from "../server.ts";
import { httpServer, type TestServer } from "../support/loopback.ts";
import { type Mailbox, mailServer } from "../support/mailbox.ts";

const dataDir = temporaryFolder();
const called: string[] = [];
let mailbox: Mailbox;
let hook: TestServer;
let embedded: EmbeddedRedis;

beforeAll(async () => {
	const logger = pino({ level: "silent" });
	[mailbox, embedded] = await Promise.all([mailServer(), startRedis({ dataDir: temporaryFolder(), logger })]);
	hook = await httpServer((request, response) => {
		request.resume().on("end", () => {
			called.push(String(request.headers["webhook-id"]));
			response.writeHead(204).end();
		});
	});
});
afterAll(() => Promise.all([mailbox.stop(), hook.stop(), embedded.stop()]));

const start = () =>
	startServer({
		dataDir,
		env: {
			...{ TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off", TIDEMARK_OUTBOUND_ALLOW: "127.0.0.1" },
			REDIS_URL: embedded.url,
			...{ TIDEMARK_SMTP_URL: mailbox.url, TIDEMARK_SECRET_KEY: "a-key-of-this-test" },
		},
	});

const PATH = "/v1/monitoring/reports";

test("killed in the middle, with an engine that dies and a Redis that forgets", { timeout: 180_000 }, async () => {
	let server: Server = await start();
	const record = { event: "model_inference_completed", properties: { model: "m", latency_ms: 12, user_id: "u" } };
	const timestamp = new Date(Date.now() - 86_400_000).toISOString();
	await server.request("/v1/ingest/events?wait=true", { body: { ...record, timestamp } });
	const created = await server.request(PATH, {
		body: {
			...{ name: "Killed", template: "ai_summary", format: ["json", "pdf"], timeframe: "7d" },
			...{ recipients: ["team@example.org"], webhook: `http://127.0.0.1:${hook.port}/` },
		},
	});
	const { report_id } = (await created.json()) as { report_id: string };
	const runs = async () => {
		const answer = await server.request(`${PATH}/${report_id}/runs`);
		if (!answer.ok) throw new Error(`runs: ${answer.status}`);
		return reportRunsAnswer.parse(await answer.json()).runs;
	};
	const running = () => until(async () => (await runs())[0]?.status === "running", { interval_ms: 5 });
	expect((await server.request(`${PATH}/${report_id}/run`, { method: "POST" })).status).toBe(202);
	await running();
	await server.kill("SIGKILL");
	expect([mailbox.mails, called]).toEqual([[], []]);

	server = await start();
	const [before] = await runs();
	expect(before).toMatchObject({ status: "running", files: [], deliveries: [] });
	// Its lease is over in a while; meanwhile nothing else stays as it was.
	const { pid } = JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8")) as { pid: number };
	process.kill(pid, "SIGKILL");
	const redis = new Redis(embedded.url);
	await redis.flushall().finally(() => redis.disconnect());

	const over = await until(
		async () => {
			const [run] = await runs();
			return run?.deliveries.length === 2 && run.deliveries.every(({ status }) => status === "sent") && run;
		},
		{ deadline_ms: 120_000, interval_ms: 250, what: "the report to be delivered" },
	);
	expect(await runs()).toHaveLength(1);
	expect(over).toMatchObject({ status: "completed", progress: 1 });
	expect(over.deliveries.map(({ attempts }) => attempts)).toEqual([1, 1]);
	expect(mailbox.mails.map(({ to }) => to)).toEqual([["team@example.org"]]);
	expect(called).toHaveLength(1);
	const pdf = over.files.find(({ format }) => format === "pdf")!;
	const file = Buffer.from(await (await fetch(pdf.url)).arrayBuffer());
	expect([file.length, file.subarray(0, 5).toString()]).toEqual([pdf.bytes, "%PDF-"]);
	await server.stop();
});
