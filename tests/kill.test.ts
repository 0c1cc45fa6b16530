// Accepted means stored, once: whatever is killed, and whenever.
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";
import { randomFrom } from "./support/random.ts";
import { expectStored, Truth, Writer } from "./support/writer.ts";

const ROUNDS = 30;
const SEED = 20_261_121;
const KEY = "test-admin-key-0123456789";

test("30 rounds of SIGKILL under load lose nothing and double nothing", { timeout: 480_000 }, async () => {
	const random = randomFrom(SEED);
	const dataDir = temporaryFolder();
	const port = await freePort();
	const env = { PORT: String(port), TIDEMARK_ADMIN_KEY: KEY, TIDEMARK_LOG_LEVEL: "warn" };
	const truth = new Truth();
	const writers = ["a", "b"].map(
		(name, i) => new Writer({ url: `http://127.0.0.1:${port}`, key: KEY, name, seed: SEED + i, truth }),
	);
	let server: Server = await startServer({ dataDir, env });
	for (const writer of writers) writer.start();

	for (let round = 0; round < ROUNDS; round++) {
		const before = writers.map((writer) => writer.answered);
		await until(() => writers.every((writer, i) => writer.answered > before[i]! + 3), {
			what: `answers in round ${round}, of a server that printed ${server.output().slice(-2_000)}`,
			deadline_ms: 40_000,
		});
		await sleep(random() * 1_500);
		const victim = ["ingest", "engine", "both"][round % 3];
		if (victim !== "ingest") killEngine(dataDir);
		if (victim === "engine") continue;
		await server.kill("SIGKILL");
		// A start is killed as well, somewhere between its first step and a little after it got ready.
		if (random() < 0.3) {
			const start = new AbortController();
			setTimeout(() => start.abort(), 200 + random() * 3_000);
			await startServer({ dataDir, env, killedBy: start.signal }).then(
				(started) => started.kill("SIGKILL"),
				() => undefined,
			);
		}
		server = await startServer({ dataDir, env });
	}

	for (const writer of writers) await writer.stop();
	// Segments are stored in order, so when this line is there all before it are.
	const last = { message: "the last line", component: "writer" };
	const answer = await until(() => server.request("/v1/ingest/logs?wait=true", { body: last }).catch(() => undefined));
	expect(answer.ok).toBe(true);
	truth.logs.push(last.message);
	// On a busy machine what waits after the last kill takes longer than an answer does.
	await until(async () => (await server.query("SELECT 1 FROM logs WHERE message = 'the last line'")).length > 0, {
		...{ deadline_ms: 60_000, what: "the last line" },
	});
	await expectStored((sql, params) => server.query(sql, params), truth);
	const metrics = await (await server.request("/metrics")).text();
	expect(/^tidemark_ingest_imbalance (\S+)$/m.exec(metrics)?.[1]).toBe("0");
	expect(await server.stop()).toEqual({ code: 0, signal: null });
	expect(writers.every((writer) => writer.troubles.size > 0)).toBe(true);
});

function killEngine(dataDir: string): void {
	const { pid } = JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8"));
	try {
		process.kill(pid, "SIGKILL");
	} catch (error) {
		// It is being restarted after the round before: then this round hits nothing.
		if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
	}
}

async function freePort(): Promise<number> {
	const probe = createServer();
	await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
	const { port } = probe.address() as { port: number };
	await new Promise((resolve) => probe.close(resolve));
	return port;
}
