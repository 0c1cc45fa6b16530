// ClickHouse away, the journal full or not writable: who was told "accepted" loses nothing, who is refused is told why.
import { execFileSync } from "node:child_process";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, startEngine } from "../engine/supervisor.ts";
import { type ClickHouse, connectClickHouse } from "../schema/clickhouse.ts";
import { rowsOf, type Server, startServer, temporaryFolder, until } from "./server.ts";
import { type OutageProxy, startProxy } from "./support/proxy.ts";
import { expectStored, Truth, Writer } from "./support/writer.ts";

/** Half of it refused, half of it silent. */
const OUTAGE_MS = 60_000;
const BUDGET_BYTES = 16 * 2 ** 20;

let engine: Engine;
beforeAll(async () => {
	engine = await startEngine({ dataDir: temporaryFolder(), password: "pw", logger: pino({ level: "silent" }) });
});
afterAll(() => engine.stop());

interface Setup extends AsyncDisposable {
	readonly server: Server;
	readonly proxy: OutageProxy;
	/** Straight to ClickHouse. */
	query<Row>(sql: string): Promise<Row[]>;
	restart(): Promise<Server>;
}

/** The program, on a database of its own, with a proxy between it and ClickHouse. */
async function setUp(database: string, env: Record<string, string> = {}): Promise<Setup> {
	const proxy = await startProxy(Number(new URL(engine.url).port));
	const dataDir = temporaryFolder();
	const start = () =>
		startServer({
			dataDir,
			env: {
				...{ CLICKHOUSE_URL: `http://default:pw@127.0.0.1:${proxy.port}/${database}`, TIDEMARK_LOG_LEVEL: "warn" },
				...{ TIDEMARK_COLLECT_INTERVAL: "off", ...env },
			},
		});
	let server = await start();
	const client: ClickHouse = connectClickHouse({ url: engine.url, user: "default", password: "pw", database });
	return {
		...{ server, proxy },
		query: (sql) => rowsOf(client, sql),
		async restart() {
			await server.kill("SIGKILL");
			server = await start();
			return server;
		},
		async [Symbol.asyncDispose]() {
			await proxy.restore();
			const exit = await server.stop();
			await client.close();
			await proxy.close();
			expect(exit).toEqual({ code: 0, signal: null });
		},
	};
}

const ready = async (server: Server) => (await server.request("/readyz")).status === 200;

test("with ClickHouse away, refusing or silent, writers see no error and everything is stored afterwards", async () => {
	await using setup = await setUp("away");
	const { server, proxy } = setup;
	const truth = new Truth();
	const writers = ["a", "b"].map(
		(name, i) => new Writer({ url: server.url, key: server.adminKey, name, seed: i + 1, truth, strict: true }),
	);
	for (const writer of writers) writer.start();
	await until(() => writers.every(({ answered }) => answered > 20));
	for (const away of ["refuse", "hang"] as const) {
		await proxy[away]();
		const back_at = performance.now() + OUTAGE_MS / 2;
		const unready = await until(async () => {
			const asked_at = performance.now();
			const response = await server.request("/readyz");
			// A probe that hangs tells nothing.
			expect(performance.now() - asked_at).toBeLessThan(10_000);
			return response.status === 503 && ((await response.json()) as { part: string });
		});
		expect(unready.part).toBe("clickhouse");
		while (performance.now() < back_at) {
			const before = writers.map(({ answered }) => answered);
			await until(() => writers.every(({ answered }, i) => answered > before[i]! + 20), { what: `answers (${away})` });
		}
		await proxy.restore();
		await until(() => ready(server));
	}
	for (const writer of writers) await writer.stop();
	await drained(server, truth);
	await expectStored(setup.query, truth);
}, 240_000);

test("a key that is repeated while ClickHouse is away, also after a restart, is answered as the first time or with 503", async () => {
	await using setup = await setUp("repeated");
	let { server } = setup;
	const send = (key: string) =>
		server.request("/v1/ingest/logs?wait=true", {
			body: { message: key, component: "writer" },
			headers: { "Idempotency-Key": key },
		});
	expect((await send("once")).status).toBe(200);
	// Its answer is in ClickHouse alone now.
	server = await setup.restart();
	await setup.proxy.refuse();
	const refused = await send("once");
	expect({ status: refused.status, body: await refused.json() }).toMatchObject({
		status: 503,
		body: { part: "clickhouse" },
	});
	expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
	await setup.proxy.restore();
	const again = await until(async () => {
		const response = await send("once");
		return response.status !== 503 && response;
	});
	expect(again.headers.get("idempotency-replayed")).toBe("true");
	expect(await setup.query("SELECT message FROM logs WHERE component = 'writer'")).toEqual([{ message: "once" }]);
});

test("SIGTERM while ClickHouse is away ends it with code 0, and the next start stores what was accepted", async () => {
	await using setup = await setUp("stopped");
	await setup.proxy.refuse();
	const body = { message: "accepted", component: "writer" };
	expect((await setup.server.request("/v1/ingest/logs", { body })).status).toBe(202);
	expect(await setup.server.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	await setup.proxy.restore();
	const server = await setup.restart();
	await drained(server);
	expect(await setup.query("SELECT message FROM logs WHERE component = 'writer'")).toEqual([{ message: "accepted" }]);
}, 120_000);

test("a journal over its budget is 503 that names it, and recovers by itself", async () => {
	await using setup = await setUp("budget", { TIDEMARK_JOURNAL_BUDGET: String(BUDGET_BYTES) });
	const { server, proxy } = setup;
	await proxy.refuse();
	const truth = new Truth();
	const line = "x".repeat(50_000);
	const send = async (id: number) => {
		const records = Array.from({ length: 20 }, (_, i) => ({ message: `${id}-${i} ${line}`, component: "writer" }));
		const response = await server.request("/v1/ingest/logs", { body: records });
		if (response.status === 202) truth.logs.push(...records.map(({ message }) => message.slice(0, 10)));
		return response;
	};
	let refused: Response | undefined;
	for (let id = 0; !refused && id < 100; id++) {
		const response = await send(id);
		if (response.status !== 202) refused = response;
	}
	expect(truth.logs.length).toBeGreaterThanOrEqual(20 * 15);
	expect({ status: refused?.status, body: await refused?.json() }).toMatchObject({
		status: 503,
		body: { code: 503, part: "journal", retry_after: expect.any(Number), error: expect.stringContaining("budget") },
	});
	expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);
	await proxy.restore();
	await until(async () => (await send(1_000)).status === 202, { deadline_ms: 40_000, interval_ms: 200 });
	const all = await drained(server);
	expect(all.status).toBe(200);
	const stored = await setup.query<{ text: string }>(
		"SELECT substring(message, 1, 10) AS text FROM logs WHERE component = 'writer'",
	);
	expect(stored.map(({ text }) => text).sort()).toEqual(truth.logs.toSorted());
}, 120_000);

// RLIMIT_FSIZE of the one process: EFBIG takes the way that ENOSPC does, needs no root and no disk, and tears a write in two.
test("a disk that takes no more is 503, and nothing refused is stored; with room again it goes on", async () => {
	await using setup = await setUp("full");
	let { server } = setup;
	const limit = (bytes: number | "unlimited") =>
		execFileSync("prlimit", ["--pid", String(server.pid), `--fsize=${bytes}:unlimited`]);
	const send = async (id: string, size: number) => {
		const record = { message: id, component: "writer", context: { pad: "x".repeat(size) } };
		const response = await server.request("/v1/ingest/logs", { body: record, headers: { "Idempotency-Key": id } });
		return { status: response.status, body: await response.json(), retry: response.headers.get("retry-after") };
	};
	expect((await send("before", 10)).status).toBe(202);
	limit(100_000);
	const torn = await send("torn", 150_000);
	expect(torn).toMatchObject({ status: 503, body: { part: "journal" }, retry: expect.stringMatching(/^[1-9]/) });
	expect((await send("small enough", 10)).status).toBe(202);
	limit(0);
	expect(await send("no room", 10)).toMatchObject({ status: 503, body: { part: "journal" } });
	expect((await server.request("/livez")).status).toBe(200);
	// What was told to come again does, under the same key, and is taken once.
	limit("unlimited");
	expect((await send("torn", 150_000)).status).toBe(202);
	expect((await send("after", 10)).status).toBe(202);
	server = await setup.restart();
	expect((await send("torn", 150_000)).status).toBe(202);
	await drained(server);
	const stored = await setup.query<{ message: string }>("SELECT message FROM logs WHERE component = 'writer'");
	expect(stored.map(({ message }) => message).sort()).toEqual(["after", "before", "small enough", "torn"]);
});

/** Segments are stored in order, so when this line is there all before it are. */
async function drained(server: Server, truth?: Truth): Promise<Response> {
	const message = "the last line";
	truth?.logs.push(message);
	const component = truth ? "writer" : "drained";
	const response = await server.request("/v1/ingest/logs?wait=true", { body: { message, component } });
	expect(response.status).toBe(200);
	return response;
}
