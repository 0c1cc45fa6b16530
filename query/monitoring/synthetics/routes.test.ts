import { afterAll, beforeAll, expect, it } from "vitest";
import { Definitions } from "../../../schema/definitions.ts";
import { openTest } from "../../../schema/sealed-tests.ts";
import { SecretBox } from "../../../schema/secret-box.ts";
import { syntheticTest, syntheticTestAnswer } from "../../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { type Reads, startReads } from "../../../tests/support/reads.ts";

const PATH = "/v1/monitoring/synthetic-tests";
const http = {
	...{
		name: "API",
		type: "http",
		url: "https://example.org/health",
		method: "POST",
		body: "hush",
		frequency_minutes: 5,
	},
	...{ headers: { Authorization: "Bearer hush", Accept: "text/plain" }, locations: ["a", "b", "c"] },
};

let database: TestDatabase;
let reads: Reads;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	reads = await startReads(database.client, { projects: ["p", "other"], now: Date.parse("2026-03-02T10:00:00Z") });
});
afterAll(() => database.stop());

async function make(body: object) {
	const made = await reads.send("p", "POST", PATH, body);
	expect(made.status, JSON.stringify(made.body)).toBe(201);
	const path = `${PATH}/${made.body.test_id}`;
	return { ...made.body, path, patch: (changes: object) => reads.send("p", "PATCH", path, changes) };
}
const box = new SecretBox(["a key of the tests"]);
async function stored(test_id: string) {
	const test = (await new Definitions(database.client, "synthetic_test", syntheticTest).get("p", test_id))!.body;
	return openTest(test as Parameters<typeof openTest>[0], box, "p");
}

it("a change of a test leaves what it does not name, the secrets too", async () => {
	const { test_id, path, patch, updated_at: _, warnings: __, ...before } = await make(http);
	const { status, body } = await patch({ name: "Renamed", enabled: false, frequency_seconds: 30 });
	expect(status, JSON.stringify(body)).toBe(200);
	expect(syntheticTestAnswer.parse(body)).toMatchObject({
		...{ test_id, name: "Renamed", enabled: false, frequency_seconds: 30, quorum: 2, component: "API" },
		...{ url: before.url, method: "POST", locations: http.locations, created_at: before.created_at },
		...{ headers: { Authorization: "********", Accept: "********" }, body: "********" },
	});
	expect(await stored(test_id)).toMatchObject({ headers: http.headers, body: "hush" });
	// As somebody sends back what was answered, with one header more and one less.
	await patch({ headers: { authorization: "********", "X-New": "new" }, body: "********", frequency_minutes: 1 });
	expect(await stored(test_id)).toMatchObject({ frequency_seconds: 60, body: "hush" });
	expect((await stored(test_id)) as object).toHaveProperty("headers", { authorization: "Bearer hush", "X-New": "new" });
	await patch({ body: "other" });
	expect(await stored(test_id)).toMatchObject({ body: "other" });
	const result = await database.client.query({ query: "SELECT body FROM definitions", format: "JSONEachRow" });
	expect(await result.text()).not.toContain("hush");
	expect((await reads.get("p", path)).body).toMatchObject({ name: "Renamed" });
});

it("secrets stay with the origin that they were given for, and another path of it is the same", async () => {
	const { test_id, patch } = await make(http);
	const url = "https://mine.example/";
	for (const changes of [
		{ url },
		{ url, body: "mine", headers: { Authorization: "********" } },
		{ url, headers: {} },
		{ url: "http://example.org/health", body: "********", headers: {} },
		{ url: "https://example.org:8443/health" },
	]) {
		const { status, body } = await patch(changes);
		expect([status, body.details?.parameter], JSON.stringify(changes)).toEqual([400, "url"]);
	}
	expect(await stored(test_id)).toMatchObject({ url: http.url, headers: http.headers, body: "hush" });
	expect((await patch({ url: "https://EXAMPLE.org:443/other" })).status).toBe(200);
	expect(await stored(test_id)).toMatchObject({ headers: http.headers, body: "hush" });
	expect((await patch({ url, headers: { Accept: "*/*" }, body: "mine" })).status).toBe(200);
	expect(await stored(test_id)).toMatchObject({ url, headers: { Accept: "*/*" }, body: "mine" });
});

it("other locations have the usual quorum, unless another one was asked for", async () => {
	const usual = await make(http);
	expect((await usual.patch({ locations: ["a"] })).body).toMatchObject({ quorum: 1 });
	const own = await make({ ...http, quorum: 1 });
	expect((await own.patch({ locations: ["a", "b", "c", "d"] })).body).toMatchObject({ quorum: 1 });
	expect((await own.patch({ quorum: 4 })).body).toMatchObject({ quorum: 4 });
	expect((await own.patch({ locations: ["a"] })).body.details.parameter).toBe("quorum");
	expect((await own.patch({ locations: ["a"], quorum: 1 })).status).toBe(200);
});

it("a heartbeat keeps its URL through a change", async () => {
	const { test_id, patch } = await make({ name: "nightly", type: "heartbeat", frequency_seconds: 60 });
	const hash = async () => (await stored(test_id)) as unknown as { token_hash: string };
	const { token_hash } = await hash();
	expect((await patch({ grace_seconds: 5 })).body).toMatchObject({ grace_seconds: 5, frequency_seconds: 60 });
	expect(await hash()).toMatchObject({ token_hash, grace_seconds: 5 });
});

it.each([
	["another type", { type: "tcp" }, "type"],
	["a member that there is none", { colour: "red" }, "colour"],
	["a member of another type", { host: "example.org" }, "host"],
	["what a new test could not be either", { url: "ftp://example.org" }, "url"],
	["limits that contradict what stays", { degraded_ms: 5_000 }, "degraded_ms"],
	["a mask that stands for nothing", { headers: { "X-Never": "********" } }, "headers.X-Never"],
	["headers that are none", { headers: "Accept: *" }, "headers"],
	["both frequencies", { frequency_minutes: 1, frequency_seconds: 60 }, "frequency_seconds"],
])("a change is refused by the member that is wrong: %s", async (_, changes, parameter) => {
	const { test_id, patch } = await make({ ...http, failed_ms: 2_000 });
	const before = await stored(test_id);
	const { status, body } = await patch(changes);
	expect([status, body.details?.parameter]).toEqual([400, parameter]);
	expect(await stored(test_id)).toEqual(before);
});

it("only editors of the same project change a test, and the audit log says what", async () => {
	const { test_id, path, patch } = await make(http);
	expect((await reads.send("other", "PATCH", path, { name: "mine" })).status).toBe(404);
	expect((await reads.send("p", "PATCH", path, { name: "mine" }, "analytics_viewer")).status).toBe(403);
	await patch({ name: "ours", body: "sssh" });
	const result = await database.client.query({
		query: "SELECT action, detail FROM audit_log WHERE target = {test_id:String} ORDER BY seq",
		query_params: { test_id },
		format: "JSONEachRow",
	});
	const rows = await result.json<{ action: string; detail: string }>();
	expect(rows.map(({ action }) => action)).toEqual(["synthetic_test.create", "synthetic_test.update"]);
	expect(JSON.parse(rows[1]!.detail)).toEqual({ name: "ours", changed: ["name", "body"] });
});
