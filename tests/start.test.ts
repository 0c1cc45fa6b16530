// The composed program: up, a record in and out again, down.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";

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

test("SIGTERM drains and ends it with code 0, and a new start on the same folder has everything", async () => {
	const dataDir = temporaryFolder();
	const first = await startServer({ dataDir });
	const answer = await first.request("/v1/ingest/metrics", { body: { name: "kept", value: 7 } });
	expect(answer.status).toBe(202);
	expect(await first.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	const second = await startServer({ dataDir });
	await until(async () => (await second.query("SELECT value FROM points WHERE name = 'kept'")).length === 1);
	expect(await second.stop()).toEqual({ code: 0, signal: null });
});
