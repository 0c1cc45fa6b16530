/**
 * A new server, filled over HTTP and asked now, answers with every member of the documents' examples, in its JSON type; and refuses
 * in their shape.
 */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scenarioRecords } from "../acceptance/scenario.ts";
import { type Server, startServer, until } from "../server.ts";
import { openSocket } from "../support/viewers.ts";

type Json = null | boolean | number | string | Json[] | { [member: string]: Json };
type Members = { [member: string]: Json };

/** The documents' examples: answers by path, errors by status. */
const EXAMPLES = JSON.parse(readFileSync(new URL("examples.json", import.meta.url), "utf8")) as Record<string, Members>;
const PATHS = Object.keys(EXAMPLES).filter((name) => name.startsWith("/"));
const REQUEST_RECORDS = 5_000;

let server: Server;
beforeAll(async () => {
	server = await startServer({ env: { TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off" } });
	const records = scenarioRecords(Date.now());
	for (let i = 0; i < records.length; i += REQUEST_RECORDS) {
		const body = records.slice(i, i + REQUEST_RECORDS).map((record) => JSON.stringify(record));
		const isLast = i + REQUEST_RECORDS >= records.length;
		const response = await server.request(`/v1/ingest/batch${isLast ? "?wait=true" : ""}`, {
			body: body.join("\n"),
			headers: { "Content-Type": "application/x-ndjson" },
		});
		expect(await response.json()).toEqual({ accepted: body.length, rejected: [] });
	}
}, 120_000);
afterAll(() => server?.stop());

/** Objects whose members are named by data: each member is as those of the example. */
const NAMED_BY_DATA = new Set(
	["components", "circuit_breakers", "by_level", "by_component", "by_plan", "context"].concat(
		...["geographic_distribution", "language_usage"],
	),
);
/** There is always something to say; any other member may be null. */
const ALWAYS = new Set(
	["status", "timestamp", "timeframe", "granularity", "date", "name", "level", "message", "feature", "segment"].concat(
		...["topic", "total", "has_more", "session_id", "started_at", "participant_id", "cluster_id", "error", "code"],
		...["start", "end", "period", "component", "requests", "count", "usage_count"],
	),
);

function typeOf(value: Json | undefined): string {
	return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

/** Where an answer lacks a member of the example, or has it in another type. */
function deviations(example: Json, answer: Json | undefined, path = ""): string[] {
	const name = path.slice(path.lastIndexOf("/") + 1);
	if (answer === undefined) return [`${path} is missing`];
	if (answer === null) return ALWAYS.has(name) ? [`${path} is null`] : [];
	if (typeOf(example) !== typeOf(answer)) return [`${path} is ${typeOf(answer)}, not ${typeOf(example)}`];
	if (Array.isArray(example)) {
		return (answer as Json[]).flatMap((member) => deviations(example[0]!, member, `${path}/[]`));
	}
	if (typeof example !== "object" || example === null) return [];
	const found = answer as Members;
	if (!NAMED_BY_DATA.has(name)) {
		return Object.entries(example).flatMap(([member, value]) => deviations(value, found[member], `${path}/${member}`));
	}
	if (name === "context") return [];
	const kinds = new Set(Object.values(example).map(typeOf));
	return Object.entries(found).flatMap(([member, value]) => {
		const known = (example as Members)[member];
		if (known !== undefined) return deviations(known, value, `${path}/${member}`);
		return value === null || kinds.has(typeOf(value)) ? [] : [`${path}/${member} is ${typeOf(value)}`];
	});
}

test.each(PATHS)("GET %s has every member of the document's example", async (path) => {
	const example = EXAMPLES[path]!;
	const query = new URLSearchParams();
	for (const name of ["timeframe", "granularity"]) {
		if (typeof example[name] === "string") query.set(name, example[name]);
	}
	const response = await server.request(`${path}?${query}`);
	const answer = (await response.json()) as Members;
	expect(response.status, JSON.stringify(answer)).toBe(200);
	expect(deviations(example, answer)).toEqual([]);
	expect(answer).toMatchObject({ ...Object.fromEntries(query), meta: { missing: expect.any(Array) } });
	expect(answer.meta).toHaveProperty("data_through");
	expect(response.headers.get("x-request-id")).toMatch(/./);
	expect(response.headers.get("ratelimit-limit")).toBe("10000");
});

test("the scenario fills the lists and maps of the examples, so that their members were compared", async () => {
	const isEmpty = (value: Json | undefined) =>
		value === null || typeof value !== "object" || Object.keys(value).length === 0;
	/** Paths of the example at which none of the answer's values has a member. */
	const unfilled = (example: Json, found: (Json | undefined)[], path: string): string[] => {
		if (typeof example !== "object" || example === null) return [];
		if (found.every(isEmpty)) return [path];
		if (Array.isArray(example)) return unfilled(example[0]!, found.flat(), `${path}/[]`);
		return Object.entries(example).flatMap(([name, value]) =>
			unfilled(
				value,
				found.map((one) => (one as Members | null)?.[name]),
				`${path}/${name}`,
			),
		);
	};
	// Thirty days, because today and this month may have just begun.
	const start = new Date(Date.now() - 30 * 86_400_000).toISOString();
	const all = await Promise.all(
		PATHS.map(async (path) => {
			const query = path.includes("/usage/") ? `?start=${start}` : "";
			return unfilled(EXAMPLES[path]!, [(await (await server.request(path + query)).json()) as Json], path);
		}),
	);
	// Alerts are not made of records, nothing is to be scaled, and the scenario has not each part that the example names.
	const EXPECTED = /\/alerts$|\/scaling_recommendations$|\/components\/\w+$/;
	expect(all.flat().filter((path) => !EXPECTED.test(path))).toEqual([]);
});

test("WS /ws/analytics/realtime sends the document's metric_update for a metric that is sent", async () => {
	await using socket = await openSocket(server, `/ws/analytics/realtime?api_key=${server.adminKey}`);
	socket.send({ type: "subscribe", metrics: ["system.*"], interval_seconds: 5 });
	const sent = { name: "system.cpu.utilization", value: 0.452, tags: { "host.id": "h", "host.name": "h" } };
	const found = await until(async () => {
		expect((await server.request("/v1/ingest/metrics", { body: sent })).status).toBe(202);
		return socket.messages.find(({ metric, snapshot }) => metric === "system.cpu_usage" && !snapshot);
	});
	const example = { type: "metric_update", metric: "system.cpu_usage", value: 45.2, timestamp: "2025-09-20T10:50:00Z" };
	expect(deviations(example, found as Members)).toEqual([]);
	expect(found).toMatchObject({ type: example.type, metric: example.metric, interval_seconds: 5 });
	expect(new Date(found.timestamp as string).toISOString()).toBe(found.timestamp);
	await expect(openSocket(server, "/ws/analytics/realtime?api_key=tm_no_such_key")).rejects.toMatchObject({
		status: 401,
	});
});

describe("a refusal has the document's shape", () => {
	/** The body, after what all refusals have in common. */
	async function refusal(response: Response, status: number): Promise<Members> {
		const text = await response.text();
		expect(response.status, text).toBe(status);
		const body = JSON.parse(text) as Members;
		expect(body).toMatchObject({ error: expect.any(String), code: status });
		expect(text).not.toMatch(/node_modules|\bat \/|\.ts:\d/);
		expect(response.headers.get("x-request-id")).toBe(body.request_id);
		if (EXAMPLES[status]) expect(deviations(EXAMPLES[status], body)).toEqual([]);
		return body;
	}
	async function keyFor(body: Members): Promise<string> {
		const response = await server.request("/v1/keys", { body });
		return ((await response.json()) as { api_key: string }).api_key;
	}
	const as = (key: string, path: string, headers: Record<string, string> = {}) =>
		fetch(server.url + path, { headers: { "X-API-Key": key, ...headers } });

	test("400 names the parameter, what was given and what is possible", async () => {
		const body = await refusal(await server.request("/analytics/system/performance?timeframe=invalid"), 400);
		expect(body.details).toMatchObject(EXAMPLES["400"]!.details as Members);
		const unknown = await refusal(await server.request("/analytics/usage/overview?timefame=week"), 400);
		expect(unknown.details).toMatchObject({ parameter: "timefame", provided: "week" });
		const nothing = await server.request("/v1/ingest/metrics", { body: { value: 1 } });
		expect(nothing.status).toBe(400);
		expect(await nothing.json()).toMatchObject({ accepted: 0, rejected: [{ index: 0, field: "name" }] });
	});

	test.each(["/analytics/system/health", "/v1/monitoring/health", "/v1/ingest/events"])(
		"401 at %s without a key, with an unknown one, and with one in the URL",
		async (path) => {
			const method = path.includes("ingest") ? "POST" : "GET";
			await refusal(await fetch(server.url + path, { method }), 401);
			await refusal(await fetch(server.url + path, { method, headers: { "X-API-Key": "tm_no_such_key" } }), 401);
			await refusal(await fetch(`${server.url}${path}?api_key=${server.adminKey}`, { method }), 401);
		},
	);

	test("403 names the role it takes and those that the key has; a viewer may not explain", async () => {
		const writer = await keyFor({ name: "writer", roles: ["ingest"] });
		for (const path of PATHS) {
			expect(await refusal(await as(writer, path), 403)).toMatchObject({
				required_role: "analytics_viewer",
				current_permissions: ["ingest"],
			});
		}
		const viewer = await keyFor({ name: "viewer", roles: ["analytics_viewer"] });
		expect(await refusal(await as(viewer, "/analytics/system/health?explain=true"), 403)).toMatchObject({
			required_role: "analytics_editor",
			current_permissions: ["analytics_viewer"],
		});
		expect(await refusal(await as(viewer, "/v1/keys"), 403)).toMatchObject({ required_role: "admin" });
	});

	test("404 for what is not there, 405 with what is possible", async () => {
		await refusal(await server.request("/v1/monitoring/no_such_route"), 404);
		await refusal(await server.request("/v1/keys/key_none", { method: "DELETE" }), 404);
		const response = await server.request("/analytics/system/health", { method: "DELETE" });
		expect(response.headers.get("allow")).toBe("GET");
		await refusal(response, 405);
	});

	test("409 for an Idempotency-Key with another body", async () => {
		const send = (value: number) =>
			server.request("/v1/ingest/metrics", {
				body: { name: "contract.check", value },
				headers: { "Idempotency-Key": "contract-1" },
			});
		const [first, again] = [await (await send(1)).json(), await (await send(1)).json()];
		expect(again).toEqual(first);
		await refusal(await send(2), 409);
	});

	test("413 for a body that is too large once decompressed, 415 for one of another type", async () => {
		const large = gzipSync(`{"message":"${"x".repeat(21 * 1024 * 1024)}"}`);
		const headers = { "X-API-Key": server.adminKey, "Content-Type": "application/json" };
		const sent = { method: "POST", body: large, headers: { ...headers, "Content-Encoding": "gzip" } };
		await refusal(await fetch(`${server.url}/v1/ingest/logs`, sent), 413);
		const xml = { body: "<event/>", headers: { "Content-Type": "application/xml" } };
		await refusal(await server.request("/v1/ingest/events", xml), 415);
	});

	test("429 says how long to wait, in the body and in the headers", async () => {
		const key = await keyFor({ name: "small", roles: ["analytics_viewer"], read_limit: 3 });
		for (let i = 0; i < 3; i++) {
			const response = await as(key, "/analytics/system/logs");
			expect(response.status).toBe(200);
			expect(response.headers.get("ratelimit-remaining")).toBe(String(2 - i));
		}
		const response = await as(key, "/analytics/system/logs");
		const body = await refusal(response, 429);
		expect(body).toMatchObject({ limit: 3, window: 3_600 });
		expect(response.headers.get("retry-after")).toBe(String(body.retry_after));
		expect(body.retry_after).toBeLessThanOrEqual(1_200);
		expect(response.headers.get("ratelimit")).toMatch(/^"reads";r=0;t=\d+$/);
		expect(response.headers.get("ratelimit-policy")).toBe('"reads";q=3;w=3600');
		// Sending is not reading, and other keys have their own.
		expect((await server.request("/analytics/system/logs")).status).toBe(200);
	});
});
