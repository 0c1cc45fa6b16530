/** Runs against real servers on loopback. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { sealTest } from "../../schema/sealed-tests.ts";
import { SecretBox } from "../../schema/secret-box.ts";
import {
	type ActiveTest,
	type NewSyntheticTest,
	settle,
	syntheticRun,
	syntheticTestBody,
} from "../../schema/wire/index.ts";
import {
	certificate,
	httpServer,
	httpsServer,
	nameServer,
	type TestServer,
	tcpServer,
} from "../../tests/support/loopback.ts";
import { type Outbound, openOutbound } from "../outbound/outbound.ts";
import { checkRecord, runAnswer } from "./record.ts";
import { runStored, runTest } from "./run.ts";

let web: TestServer;
let expiring: TestServer;
let tcp: TestServer;
let names: Awaited<ReturnType<typeof nameServer>>;
let outbound: Outbound;
let flaky = 0;

beforeAll(async () => {
	web = await httpServer((request, response) => {
		const path = request.url ?? "";
		if (path === "/slow") return void setTimeout(() => response.end("late"), 400);
		if (path === "/never") return;
		if (path === "/redirect") return void response.writeHead(302, { location: "/ok" }).end();
		if (path === "/loop") return void response.writeHead(302, { location: "/loop" }).end();
		if (path === "/flaky") return void response.writeHead(flaky++ % 3 === 2 ? 200 : 500).end();
		if (path === "/huge") return void response.end("x".repeat(1_500_000));
		if (path === "/text") return void response.end("not json");
		if (path === "/fail") return void response.writeHead(500).end();
		let body = "";
		request.on("data", (chunk) => {
			body += chunk;
		});
		request.on("end", () => {
			response.writeHead(200, { "content-type": "application/json" });
			response.end(JSON.stringify({ method: request.method, sent: body, token: request.headers["x-token"] ?? null }));
		});
	});
	expiring = await httpsServer((_, response) => response.end("ok"), certificate("good"));
	tcp = await tcpServer((socket) => socket.end("hello"), "127.0.0.1");
	names = await nameServer((name, type) =>
		name === "mail.test" && type === "MX"
			? ["10 mx.mail.test"]
			: name === "host.test" && type === "A"
				? ["127.0.0.1"]
				: undefined,
	);
	outbound = openOutbound({ allow: ["private"], ca: certificate("good") });
});
afterAll(async () => {
	outbound.close();
	names.stop();
	await Promise.all([web.stop(), expiring.stop(), tcp.stop()]);
});

function settled(given: object): ActiveTest {
	const body = syntheticTestBody.parse({ name: "t", frequency_seconds: 60, retries: 0, ...given } as NewSyntheticTest);
	return settle(body, "here") as ActiveTest;
}
const at = (path: string, more: object = {}) =>
	settled({ type: "http", url: `http://127.0.0.1:${web.port}${path}`, ...more });
const tools = (now: () => number = Date.now) => ({ outbound, now, pause: async () => {} });
const run = (test: ActiveTest) => runTest(test, tools());

test("method, headers and body are sent, and what comes back is asserted", async () => {
	const assertions = [
		{ type: "json_path", path: "$.method", value: "POST" },
		{ type: "json_path", path: "$.sent", value: "hello ü" },
		{ type: "json_path", path: "$.token", value: "hush" },
		{ type: "header", name: "content-type", value: "application/json" },
	];
	const result = await run(at("/ok", { method: "POST", body: "hello ü", headers: { "x-token": "hush" }, assertions }));
	expect(result).toMatchObject({ status: "passed", status_code: 200, attempts: 1, error: null, tls_days_left: null });
	expect(result.timings).toMatchObject({ dns_ms: null, tls_ms: null });
	expect(result.timings!.ttfb_ms).toBeGreaterThan(0);
	expect(result.timings!.connect_ms).toBeGreaterThanOrEqual(0);
});

test("a failure says which assertion broke; without one about the status, 400 and more is a failure", async () => {
	expect(await run(at("/fail"))).toMatchObject({ status: "failed", status_code: 500, error: "status code: 500" });
	expect(await run(at("/fail", { assertions: [{ type: "status_code", value: 500 }] }))).toMatchObject({
		status: "passed",
	});
	const text = await run(at("/text", { assertions: [{ type: "json_path", path: "$.a", value: 1 }] }));
	expect(text).toMatchObject({ status: "failed", error: "$.a: the body is not JSON" });
	const huge = await run(at("/huge", { assertions: [{ type: "json_path", path: "$.a", operator: "exists" }] }));
	expect(huge.error).toContain("too long");
});

test("slow is degraded, slower is failed, and no answer in time is a failure that says so", async () => {
	expect(await run(at("/slow", { degraded_ms: 100 }))).toMatchObject({ status: "degraded", error: null });
	const failed = await run(at("/slow", { degraded_ms: 50, failed_ms: 100 }));
	expect(failed.status).toBe("failed");
	expect(failed.error).toMatch(/^took \d+ ms, the limit is 100 ms$/);
	const never = await run(at("/never", { timeout_ms: 200 }));
	expect(never).toMatchObject({ status: "failed", status_code: null, timings: null });
	expect(never.error).toContain("timed out in ttfb, limit 200 ms");
});

test("redirects are followed as often as it is said, and no further", async () => {
	expect(await run(at("/redirect"))).toMatchObject({ status: "passed", status_code: 200 });
	expect(
		await run(at("/redirect", { follow_redirects: 0, assertions: [{ type: "status_code", value: 302 }] })),
	).toMatchObject({
		status: "passed",
		status_code: 302,
	});
	expect((await run(at("/loop"))).error).toContain("TOO_MANY_REDIRECTS");
});

test("a run is failed when all its attempts failed, and no attempt begins after the next run is due", async () => {
	flaky = 0;
	expect(await run(at("/flaky", { retries: 1 }))).toMatchObject({ status: "failed", attempts: 2 });
	flaky = 0;
	expect(await run(at("/flaky", { retries: 2 }))).toMatchObject({ status: "passed", attempts: 3 });
	flaky = 0;
	let clock = 0;
	const late = () => {
		clock += 40_000;
		return clock;
	};
	expect(await runTest(at("/flaky", { retries: 5 }), tools(late))).toMatchObject({ status: "failed", attempts: 2 });
});

test("days left of a certificate are asserted, and one that is not trusted is a failure", async () => {
	const secure = (more: object) => settled({ type: "http", url: `https://localhost:${expiring.port}/`, ...more });
	const trusted = await run(secure({ assertions: [{ type: "tls_days_left", value: 1 }] }));
	expect(trusted).toMatchObject({ status: "passed" });
	expect(trusted.tls_days_left).toBeGreaterThan(1);
	expect(trusted.timings!.tls_ms).toBeGreaterThan(0);
	const soon = await run(secure({ assertions: [{ type: "tls_days_left", value: 1_000_000 }] }));
	expect(soon.error).toMatch(/^days left of the certificate: expected at least 1000000, got \d+$/);
	const stranger = openOutbound({ allow: ["private"] });
	const refused = await runTest(secure({}), { ...tools(), outbound: stranger });
	expect(refused).toMatchObject({ status: "failed", status_code: null });
	expect(await runTest(secure({ verify_certificate: false }), { ...tools(), outbound: stranger })).toMatchObject({
		status: "passed",
	});
	stranger.close();
});

test("tcp connects or says why not", async () => {
	expect(await run(settled({ type: "tcp", host: "127.0.0.1", port: tcp.port }))).toMatchObject({ status: "passed" });
	const { port } = await tcpServer(() => {}, "127.0.0.1").then(async (server) => {
		await server.stop();
		return server;
	});
	expect((await run(settled({ type: "tcp", host: "127.0.0.1", port }))).error).toContain("ECONNREFUSED");
});

test("dns asks for records, and wrong or missing ones are failures", async () => {
	const ask = (host: string, more: object) =>
		run(settled({ type: "dns", host, server: "127.0.0.1", port: names.port, ...more }));
	const mx = { record_type: "MX" };
	expect(
		await ask("mail.test", { ...mx, assertions: [{ type: "dns_record", value: "10 mx.mail.test" }] }),
	).toMatchObject({
		status: "passed",
	});
	const wrong = await ask("mail.test", { ...mx, assertions: [{ type: "dns_record", value: "10 other.test" }] });
	expect(wrong.error).toBe('dns record: expected "10 other.test", got "10 mx.mail.test"');
	expect((await ask("none.test", {})).error).toContain("ENOTFOUND");
});

test("what the operator did not open is not reached, and the error names no path", async () => {
	const closed = openOutbound({ allow: [] });
	const result = await runTest(at("/secret-path?token=hush"), { ...tools(), outbound: closed });
	expect(result).toMatchObject({ status: "failed", attempts: 1 });
	expect(result.error).toContain("TIDEMARK_OUTBOUND_ALLOW");
	expect(result.error).not.toContain("hush");
	closed.close();
});

test.each<[object, string]>([
	[{ type: "http", url: "ftp://a.b/" }, "url"],
	[{ type: "http", url: "http://user:pw@a.b/" }, "url"],
	[{ type: "http", url: "http://a.b/", frequency_seconds: 5 }, "frequency_seconds"],
	[{ type: "http", url: "http://a.b/", frequency_minutes: 0.1 }, "frequency_minutes"],
	[{ type: "http", url: "http://a.b/", frequency_minutes: 1, frequency_seconds: 60 }, "frequency_seconds"],
	[{ type: "http", url: "http://a.b/", locations: ["a", "a"] }, "locations"],
	[{ type: "http", url: "http://a.b/", locations: ["a"], quorum: 2 }, "quorum"],
	[{ type: "http", url: "http://a.b/", locations: ["us east"] }, "locations.0"],
	[{ type: "http", url: "http://a.b/", degraded_ms: 5, failed_ms: 5 }, "degraded_ms"],
	[{ type: "http", url: "http://a.b/", assertions: [{ type: "dns_record", value: "a" }] }, "assertions.0.type"],
	[{ type: "http", url: "http://a.b/", assertions: [{ type: "json_path", path: "a", value: 1 }] }, "assertions.0.path"],
	[{ type: "http", url: "http://a.b/", assertions: [{ type: "header", name: "a" }] }, "assertions.0.value"],
	[{ type: "http", url: "http://a.b/", assertions: [{ type: "status_code", value: "200" }] }, "assertions.0.value"],
	[{ type: "tcp", host: "a.b" }, "port"],
	[{ type: "ping", host: "a.b" }, "type"],
	[{ type: "heartbeat", url: "http://a.b/" }, ""],
])("a bad definition is refused by its member: %j", (given, path) => {
	const parsed = syntheticTestBody.safeParse({ name: "t", ...given });
	expect(parsed.error?.issues.map((issue) => issue.path.join("."))).toContain(path);
});

test("a test whose secrets cannot be opened has failed and says why, and nothing was sent or measured", async () => {
	const [ours, theirs] = [new SecretBox(["the key of the workers"]), new SecretBox(["another key, of before"])];
	const given = at("/ok", { method: "POST", headers: { "X-Token": "hush" }, body: "hush" });
	const by = (box: SecretBox) => runStored(sealTest(given, box, "p") as ActiveTest, "p", { ...tools(), box: ours });
	expect(await by(ours)).toMatchObject({ status: "passed", attempts: 1, error: null });
	const result = await by(theirs);
	const ran = { test_id: "syn_1", test: given, location: "here", at: Date.now(), instant: 1, result };
	expect(syntheticRun.parse(runAnswer(ran))).toMatchObject({ ok: false, duration_ms: null, attempts: 0 });
	const { properties } = checkRecord(ran) as { properties: Record<string, unknown> };
	expect(properties).toMatchObject({
		ok: false,
		status: "failed",
		error: expect.stringContaining("TIDEMARK_SECRET_KEY"),
	});
	expect(properties).not.toHaveProperty("duration_ms");
});
