import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { Registry } from "prom-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type AnsweredRequest, createApp } from "./app.ts";
import type { AppEnv } from "./env.ts";
import { unavailable } from "./errors.ts";
import { parseBody, parseQuery } from "./validate.ts";

const answered: AnsweredRequest[] = [];
const failures: unknown[] = [];
let ready: () => void = () => undefined;
let inTime: () => void = () => undefined;
let url = "";
let close: () => void;

const querySchema = z.object({
	timeframe: z.enum(["1h", "24h"]).default("1h").describe("How far back."),
	limit: z.coerce.number().int().min(1).max(10).optional(),
});

beforeAll(async () => {
	const app = createApp({
		version: "1.2.3",
		readiness: { clickhouse: () => ready(), journal: async () => undefined },
		watched: { alerts: () => inTime() },
		metrics: new Registry(),
		docs: [
			{
				method: "get",
				path: "/things/{id}",
				summary: "A thing",
				tag: "Things",
				role: "analytics_viewer",
				query: querySchema,
				answers: { 200: z.object({ a: z.number().nullable() }) },
			},
		],
		conventions: {
			families: [
				{
					family: "http",
					title: "HTTP",
					records: [
						{
							signal: "event",
							name: "api.call",
							description: "A request",
							kind: null,
							unit: null,
							attributes: [],
							compatible: [],
							fills: [{ route: "/things/{id}", fields: ["a"] }],
							fills_nothing: null,
						},
					],
				},
			],
		},
		corsOrigins: ["https://app.example.com", "https://other.example.com"],
		onRequest: (request) => answered.push(request),
		onError: (error) => failures.push(error),
	});
	app.route(
		"/",
		new Hono<AppEnv>()
			.get("/things/:id", (c) => c.json(parseQuery(c, querySchema)))
			.post("/things/:id", async (c) => c.json(await parseBody(c, z.strictObject({ name: z.string() }))))
			.get("/raw", () => new Response("raw"))
			.get("/boom", () => {
				throw new TypeError("secret detail of line 12");
			})
			.get("/away", () => {
				throw unavailable("clickhouse", "ClickHouse does not answer", new Error("ECONNREFUSED"));
			})
			.get("/teapot", () => {
				throw new HTTPException(418, { message: "short and stout" });
			}),
	);
	const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
	await new Promise((resolve) => server.once("listening", resolve));
	const address = server.address();
	url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
	close = () => server.close();
});
afterAll(() => close());

const get = async (path: string, init?: RequestInit) => {
	const response = await fetch(url + path, init);
	const text = await response.text();
	return { response, text, body: text.startsWith("{") ? JSON.parse(text) : undefined };
};

test("every answer carries a request id: a sane one that was sent, or a new one", async () => {
	const sent = await get("/raw", { headers: { "X-Request-Id": "trace-7.a:b_c" } });
	expect(sent.response.headers.get("x-request-id")).toBe("trace-7.a:b_c");
	for (const path of ["/raw", "/boom", "/nowhere", "/livez", "/things/1?limit=x"]) {
		const { response } = await get(path, { headers: { "X-Request-Id": "two words" } });
		expect(response.headers.get("x-request-id"), path).toMatch(/^[0-9a-f-]{36}$/);
	}
});

test("an error of ours says nothing of itself, and is reported", async () => {
	failures.length = 0;
	const { response, body } = await get("/boom");
	expect(response.status).toBe(500);
	expect(body).toEqual({ error: "Internal error", code: 500, request_id: response.headers.get("x-request-id") });
	expect(failures).toHaveLength(1);
});

test("known errors keep their status, members and headers", async () => {
	const away = await get("/away");
	expect(away.response.status).toBe(503);
	expect(away.response.headers.get("retry-after")).toBe("5");
	expect(away.body).toMatchObject({ error: "ClickHouse does not answer", code: 503, part: "clickhouse" });
	expect(away.text).not.toContain("ECONNREFUSED");
	expect((await get("/teapot")).body).toMatchObject({ error: "short and stout", code: 418 });
});

test("no route is 404, another method of a route is 405 with those that are possible", async () => {
	expect((await get("/nowhere")).body).toMatchObject({ code: 404 });
	const wrong = await get("/things/1", { method: "DELETE" });
	expect(wrong.body).toMatchObject({ code: 405 });
	expect(wrong.response.headers.get("allow")).toBe("GET, POST");
});

test("a parameter that is wrong, unknown or given twice is refused in the document's shape", async () => {
	expect((await get("/things/1?timeframe=2h")).body).toMatchObject({
		error: "Invalid timeframe parameter",
		code: 400,
		details: { parameter: "timeframe", provided: "2h", valid_options: ["1h", "24h"] },
	});
	expect((await get("/things/1?timefame=1h")).body).toMatchObject({
		code: 400,
		details: { parameter: "timefame", provided: "1h", valid_options: ["timeframe", "limit"] },
	});
	expect((await get("/things/1?limit=1&limit=2")).body).toMatchObject({ code: 400, details: { parameter: "limit" } });
	expect((await get("/things/1?limit=99")).body).toMatchObject({ code: 400, details: { parameter: "limit" } });
	expect((await get("/things/1?limit=3")).body).toEqual({ timeframe: "1h", limit: 3 });
});

test("a body is refused by type, size, syntax and schema, each with its status", async () => {
	const post = (body: string, type = "application/json") =>
		get("/things/1", { method: "POST", body, headers: { "Content-Type": type } });
	expect((await post("{}", "application/xml")).response.status).toBe(415);
	expect((await post(JSON.stringify({ name: "x".repeat(1_100_000) }))).response.status).toBe(413);
	expect((await post("{")).body).toMatchObject({ code: 400, error: "The body is not JSON" });
	expect((await post('{"name":1}')).body).toMatchObject({ code: 400, details: { parameter: "name", provided: 1 } });
	expect((await post('{"name":"a","nmae":"b"}')).body).toMatchObject({ code: 400, details: { parameter: "nmae" } });
	expect((await post('{"name":"a"}')).body).toEqual({ name: "a" });
});

test("readyz names the part that is down, livez does not care", async () => {
	const parts = { clickhouse: "ok", journal: "ok", alerts: "ok" };
	expect((await get("/readyz")).body).toEqual({ status: "ok", parts });
	inTime = () => {
		throw new Error("400 s behind");
	};
	const late = await get("/readyz");
	inTime = () => undefined;
	expect(late.response.status).toBe(200);
	expect(late.body).toEqual({ status: "degraded", parts: { ...parts, alerts: "400 s behind" } });
	ready = () => {
		throw new Error("connection refused");
	};
	const { response, body } = await get("/readyz");
	ready = () => undefined;
	expect(response.status).toBe(503);
	expect(body).toMatchObject({
		code: 503,
		part: "clickhouse",
		parts: { clickhouse: "connection refused", journal: "ok" },
	});
	expect((await get("/livez")).response.status).toBe(200);
});

test("the access hook hears pattern, status and duration of every request", async () => {
	answered.length = 0;
	await get("/things/42");
	await get("/nowhere");
	await get("/boom");
	expect(answered.map(({ method, route, status }) => [method, route, status])).toEqual([
		["GET", "/things/:id", 200],
		["GET", undefined, 404],
		["GET", "/boom", 500],
	]);
	expect(answered.every((request) => request.duration_s > 0 && request.duration_s < 5)).toBe(true);
});

test("openapi.json describes routes from the schemas that validate them, docs shows it without another host", async () => {
	const { body } = await get("/openapi.json");
	expect(body.openapi).toBe("3.1.0");
	const operation = body.paths["/things/{id}"].get;
	expect(operation["x-required-role"]).toBe("analytics_viewer");
	expect(operation.parameters).toContainEqual({
		name: "timeframe",
		in: "query",
		required: false,
		description: "How far back.",
		schema: { type: "string", enum: ["1h", "24h"], default: "1h" },
	});
	expect(operation.parameters[0]).toMatchObject({ name: "id", in: "path", required: true });
	expect(operation.responses["200"].content["application/json"].schema.properties.a).toEqual({
		type: ["number", "null"],
	});
	expect(body["x-conventions"]).toMatchObject([{ records: [{ name: "api.call", fills: [{ fields: ["a"] }] }] }]);
	const { text, response } = await get("/docs");
	expect(response.headers.get("content-type")).toContain("text/html");
	expect(text.match(/https?:\/\//g)).toBeNull();
});

test("pages of named origins may use it from a browser, errors included, and no others", async () => {
	const preflight = await get("/things/1", {
		method: "OPTIONS",
		headers: {
			Origin: "https://app.example.com",
			"Access-Control-Request-Method": "POST",
			"Access-Control-Request-Headers": "authorization,content-type",
		},
	});
	expect(preflight.response.status).toBe(204);
	expect(preflight.response.headers.get("access-control-allow-origin")).toBe("https://app.example.com");
	expect(preflight.response.headers.get("access-control-allow-headers")).toMatch(/authorization.*content-type/i);
	for (const path of ["/things/1", "/things/1?limit=x", "/nowhere", "/boom"]) {
		const { response } = await get(path, { headers: { Origin: "https://other.example.com" } });
		expect(response.headers.get("access-control-allow-origin"), path).toBe("https://other.example.com");
		expect(response.headers.get("access-control-expose-headers"), path).toContain("Retry-After");
	}
	const stranger = await get("/things/1", { headers: { Origin: "https://app.example.com.evil.example" } });
	expect(stranger.response.status).toBe(200);
	expect(stranger.response.headers.get("access-control-allow-origin")).toBeNull();
});
