// The composed program: up, a record in and out again, down; and a start that cannot be.
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ended, runToEnd, type Server, startServer, temporaryFolder, until } from "./server.ts";
import { expectStored, Truth, Writer } from "./support/writer.ts";

let server: Server;
beforeAll(async () => {
	server = await startServer();
});
afterAll(() => server.stop());

test("a record that was accepted with wait=true is there at once", async () => {
	const answer = await server.request("/v1/ingest/metrics?wait=true", { body: { name: "t", value: 1.5 } });
	expect(answer.status).toBe(200);
	expect(await server.query("SELECT value FROM points WHERE name = 't'")).toEqual([{ value: 1.5 }]);
});

test.each(["SIGTERM", "SIGINT"] as const)(
	"%s drains and ends it with code 0; a new start has everything",
	async (signal) => {
		const dataDir = temporaryFolder();
		const first = await startServer({ dataDir });
		const answer = await first.request("/v1/ingest/metrics", { body: { name: "kept", value: 7 } });
		expect(answer.status).toBe(202);
		expect(await first.kill(signal)).toEqual({ code: 0, signal: null });
		expect(readdirSync(join(dataDir, "journal")).filter((file) => file.endsWith(".seg"))).toEqual([]);
		const second = await startServer({ dataDir });
		expect(await second.query("SELECT value FROM points WHERE name = 'kept'")).toEqual([{ value: 7 }]);
		expect(await second.stop()).toEqual({ code: 0, signal: null });
	},
);

test("SIGTERM in the middle of load ends it with code 0 and loses nothing", async () => {
	const dataDir = temporaryFolder();
	const env = { PORT: String(await freePort()), TIDEMARK_LOG_LEVEL: "warn" };
	let loaded = await startServer({ dataDir, env });
	const truth = new Truth();
	const writers = ["a", "b"].map(
		(name, i) => new Writer({ url: loaded.url, key: loaded.adminKey, name, seed: i + 1, truth }),
	);
	for (const writer of writers) writer.start();
	for (let round = 0; round < 3; round++) {
		const before = writers.map(({ answered }) => answered);
		await until(() => writers.every(({ answered }, i) => answered > before[i]! + 20));
		expect(await loaded.kill("SIGTERM")).toEqual({ code: 0, signal: null });
		expect(loaded.output()).not.toMatch(/\n\s+at /);
		loaded = await startServer({ dataDir, env });
	}
	for (const writer of writers) await writer.stop();
	expect(await loaded.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	const last = await startServer({ dataDir, env });
	await expectStored((sql, params) => last.query(sql, params), truth);
	await last.stop();
}, 120_000);

test("SIGTERM ends it in time although a client is in the middle of a body", async () => {
	const slow = await startServer({ env: { TIDEMARK_COLLECT_INTERVAL: "off" } });
	const socket = connect(Number(new URL(slow.url).port), "127.0.0.1");
	socket.on("error", () => undefined);
	socket.write(
		`POST /v1/ingest/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${slow.adminKey}\r\nContent-Length: 5000\r\n\r\n`,
	);
	const drip = setInterval(() => socket.write(" "), 200);
	try {
		await slow.request("/v1/ingest/logs?wait=true", { body: { message: "meanwhile" } });
		const asked_at = performance.now();
		expect(await slow.stop()).toEqual({ code: 0, signal: null });
		expect(performance.now() - asked_at).toBeLessThan(30_000);
	} finally {
		clearInterval(drip);
		socket.destroy();
	}
});

test("a second signal ends it at once", async () => {
	const impatient = await startServer();
	const first = impatient.kill("SIGTERM");
	await impatient.kill("SIGINT");
	// Whichever came first: it never hangs, and never dies of the signal itself.
	expect((await first).signal).toBeNull();
});

test("a data folder with a path longer than a socket may have is one like others", async () => {
	const dataDir = join(temporaryFolder(), "long ".repeat(30), "日本");
	mkdirSync(dataDir, { recursive: true });
	const far = await startServer({ dataDir });
	const answer = await far.request("/v1/ingest/logs?wait=true", { body: { message: "far" } });
	expect(answer.status).toBe(200);
	expectOneLine(await runToEnd({ TIDEMARK_DATA: dataDir }), /Another Tidemark is running on the data folder/);
	expect(await far.kill("SIGKILL")).toMatchObject({ signal: "SIGKILL" });
	const again = await startServer({ dataDir });
	expect(await again.stop()).toEqual({ code: 0, signal: null });
});

describe("a start that cannot succeed says why in one line and ends with code 1:", () => {
	test("another one runs on the folder", async () => {
		expectOneLine(
			await runToEnd({ TIDEMARK_DATA: server.dataDir }),
			/Another Tidemark is running on the data folder \S+$/,
		);
		expect((await server.request("/readyz")).status).toBe(200);
	});

	test("the port is taken", async () => {
		const port = new URL(server.url).port;
		expectOneLine(await runToEnd({ PORT: port }), new RegExp(`${port}: it is in use\\. Set PORT`));
	});

	test("the port of the engine is taken", async () => {
		const taken = createServer();
		await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
		const { port } = taken.address() as { port: number };
		expectOneLine(await runToEnd({ TIDEMARK_ENGINE_PORT: String(port) }), new RegExp(String(port)));
		await new Promise((resolve) => taken.close(resolve));
	});

	test("the folder cannot be made or written", async () => {
		const file = join(temporaryFolder(), "file");
		writeFileSync(file, "");
		const readOnly = join(temporaryFolder(), "read-only");
		mkdirSync(readOnly);
		chmodSync(readOnly, 0o555);
		// Root may write where modes forbid it, but nobody may in /sys.
		const folders = [file, join(file, "below"), "/sys/tidemark", ...(process.getuid?.() === 0 ? [] : [readOnly])];
		for (const folder of folders) {
			expectOneLine(await runToEnd({ TIDEMARK_DATA: folder }), /The data folder .* cannot be written: E[A-Z]+/);
		}
	});

	test("the disk takes nothing", async () => {
		// A limit of 0 bytes a file refuses every write, as a full disk does.
		expectOneLine(await runToEnd({}, 'ulimit -f 0; exec "$@"'), /The data folder .* cannot be written: E[A-Z]+/);
	});

	test("ClickHouse is not there", async () => {
		const port = await freePort();
		expectOneLine(
			await runToEnd({ CLICKHOUSE_URL: `http://127.0.0.1:${port}` }),
			new RegExp(`ClickHouse at http://127\\.0\\.0\\.1:${port} .*ECONNREFUSED`),
		);
	});

	test("settings are wrong: a line for each", async () => {
		const { code, stdout, stderr } = await runToEnd({
			...{ PORT: "http", TIDEMARK_JOURNAL_BUDGET: "1", TIDEMARK_RETENTION: "1d", TIDEMARK_ADMIN_KEY: "short" },
		});
		expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
		const lines = stderr.trimEnd().split("\n");
		expect(lines.length).toBe(4);
		for (const name of ["PORT", "TIDEMARK_JOURNAL_BUDGET", "TIDEMARK_RETENTION", "TIDEMARK_ADMIN_KEY"]) {
			expect(lines.filter((line) => line.startsWith(`tidemark: ${name} `)).length).toBe(1);
		}
		expect(stderr).not.toContain('short"');
	});
});

/** Log lines are for machines; what a person sees besides is one line. */
function expectOneLine({ code, signal, stdout, stderr }: Ended, message: RegExp): void {
	expect({ code, signal }, stderr + stdout).toEqual({ code: 1, signal: null });
	expect(stderr).toMatch(/^tidemark: [^\n]+\n$/);
	expect(stderr.trimEnd()).toMatch(message);
	expect(stdout.split("\n").filter((line) => line !== "" && !line.startsWith("{"))).toEqual([]);
}

async function freePort(): Promise<number> {
	const probe = createServer();
	await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
	const { port } = probe.address() as { port: number };
	await new Promise((resolve) => probe.close(resolve));
	return port;
}
