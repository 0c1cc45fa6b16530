import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client, type LogMessage, type LogStreamOptions, TidemarkError } from "../client/index.ts";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";

let server: Server;
const env = { TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off" };
const dataDir = temporaryFolder();
beforeAll(async () => {
	server = await startServer({ env: { ...env, TIDEMARK_CORS_ORIGINS: "https://app.example" }, dataDir });
});
afterAll(() => server?.stop());

function clientOf(key = server.adminKey): Client {
	return new Client({ apiKey: key, baseUrl: server.url });
}

async function send(...logs: object[]): Promise<void> {
	const response = await server.request("/v1/ingest/logs", { body: logs });
	expect(response.status).toBe(202);
}

async function newKey(role: string): Promise<string> {
	const response = await server.request("/v1/keys", { body: { name: role, roles: [role] } });
	expect(response.status).toBe(201);
	return ((await response.json()) as { api_key: string }).api_key;
}

/** A stream that is being read, and what came. */
function reading(options: LogStreamOptions) {
	const got: LogMessage[] = [];
	const errors: unknown[] = [];
	const gaps: unknown[] = [];
	const stream = clientOf()
		.monitoring.logStream(options)
		.onData((log) => got.push(log))
		.onError((error) => errors.push(error))
		.onGap((gap) => gaps.push(gap))
		.start();
	return { stream, got, errors, gaps, messages: () => got.map(({ message }) => message) };
}

test("an accepted line is on the streams that ask for it, and on no other", async () => {
	await send({ message: "from before", level: "error", component: "api" });
	const errors = reading({ filters: ["level:ERROR", "level:WARN"], components: ["api", "p2p"] });
	await until(() => errors.messages().includes("from before"));
	// What is from before is told by the second of receipt.
	await sleep(1_000);
	const all = reading({ snapshot: 0 });
	await until(async () => {
		await send({ message: "probe" });
		return all.got.length > 0;
	});
	await send(
		{ message: "no level", component: "api" },
		{ message: "other component", level: "error", component: "web" },
		{ message: "wanted", level: "WARN", component: "p2p", context: { n: 1 }, trace_id: "t1" },
	);
	await until(() => errors.messages().includes("wanted"));
	expect(errors.messages()).toEqual(["from before", "wanted"]);
	expect(errors.got[1]).toEqual({
		...{ timestamp: expect.any(String), level: "warning", component: "p2p", message: "wanted", context: { n: 1 } },
		...{ trace_id: "t1", span_id: null, log_id: expect.stringMatching(/^\d+$/) },
	});
	await until(() => all.messages().includes("other component"));
	expect(all.messages()).not.toContain("from before");
	errors.stream.stop();
	all.stream.stop();
	// The id is that of the row.
	await until(async () => {
		const rows = await server.query<{ id: string }>("SELECT toString(id) AS id FROM logs WHERE message = 'wanted'");
		return rows[0]?.id === errors.got[1]!.log_id;
	});
});

test("a loop over a stream reads it, and leaving the loop ends it", async () => {
	await send({ message: "one", component: "loop" }, { message: "two", component: "loop" });
	const lines: string[] = [];
	for await (const { message } of clientOf().monitoring.logStream({ query: "component:loop" })) {
		lines.push(message);
		if (lines.length === 2) break;
	}
	expect(lines).toEqual(["one", "two"]);
	const signal = AbortSignal.timeout(100);
	for await (const _ of clientOf().monitoring.logStream({ query: "component:nothing" }, { signal }))
		expect.unreachable();
});

test.each([
	[{ query: "level:ERROR AND (component:x" }, "query", 16],
	[{ filters: ["level:ERROR", "a OR OR b"] }, "filters", 5],
	[{ level: "loud" }, "level", undefined],
	[{ snapshot: 5_000 }, "snapshot", undefined],
])("%o is refused, and ends the stream", async (options, parameter, position) => {
	const { errors, stream } = reading(options as LogStreamOptions);
	const error = await until(() => errors[0] as TidemarkError | undefined);
	expect(error).toBeInstanceOf(TidemarkError);
	expect(error.status).toBe(400);
	expect(error.details).toMatchObject({ parameter, ...(position !== undefined && { position }) });
	stream.stop();
});

test("keys may come in the address, need their role, and stand in no log", async () => {
	const viewer = await newKey("analytics_viewer");
	const writer = await newKey("ingest");
	const head = async (path: string, headers: Record<string, string> = {}) => {
		const response = await fetch(server.url + path, { headers });
		await response.body?.cancel();
		return response;
	};
	const ok = await head(`/v1/monitoring/logs/stream?api_key=${viewer}&snapshot=0`);
	expect(ok.status).toBe(200);
	expect(ok.headers.get("content-type")).toBe("text/event-stream");
	expect((await head(`/v1/monitoring/logs/stream?api_key=${writer}`)).status).toBe(403);
	expect((await head("/v1/monitoring/logs/stream")).status).toBe(401);
	const withKey = { authorization: `Bearer ${viewer}` };
	const at = (origin: string) => head("/v1/monitoring/logs/stream?snapshot=0", { ...withKey, origin });
	expect((await at("https://evil.example")).status).toBe(403);
	expect((await at("https://app.example")).status).toBe(200);
	for (const key of [viewer, writer]) expect(server.output()).not.toContain(key.slice(-20));
});

test("across a restart of the server every line comes once to who goes on reading", async () => {
	const { stream, got, gaps, messages, errors } = reading({ query: "component:restart", snapshot: 0 });
	const sent: string[] = [];
	const write = async (from: number, to: number) => {
		for (let n = from; n < to; n++) {
			await send({ message: `line ${n}`, component: "restart" });
			sent.push(`line ${n}`);
		}
	};
	// Until the stream is open, what comes is from before it.
	await until(async () => {
		await send({ message: "is it open", component: "restart" });
		return got.length > 0;
	});
	await write(0, 20);
	await until(() => messages().includes("line 19"));
	const port = new URL(server.url).port;
	await server.stop();
	server = await startServer({ env: { ...env, PORT: port }, dataDir });
	// Before the reader is back.
	await write(20, 40);
	await until(() => messages().includes("line 39"), { deadline_ms: 30_000 });
	await write(40, 60);
	await until(() => messages().includes("line 59"));
	await sleep(3_000);
	// Those that were stored before ingest knew of the reader are looked for a little later, and come after newer ones.
	const lines = messages().filter((message) => message.startsWith("line"));
	expect(lines.toSorted(byNumber)).toEqual(sent);
	expect(gaps).toEqual([]);
	expect(errors).toEqual([]);
	stream.stop();
}, 120_000);

const byNumber = (a: string, b: string) => Number(a.slice(5)) - Number(b.slice(5));
