import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import { cors } from "hono/cors";
import { matchedRoutes } from "hono/route";
import type { ConventionsAnswer } from "../schema/wire/index.ts";
import { DOCS_PAGE } from "./docs-page.ts";
import type { AppEnv, Denial } from "./env.ts";
import { ApiError, errorHandler } from "./errors.ts";
import { openApiDocument, type RouteDoc } from "./openapi.ts";

/** One answered request; `route` is the pattern, not the path, and undefined when none matched. */
export interface AnsweredRequest {
	readonly method: string;
	readonly route: string | undefined;
	readonly status: number;
	readonly duration_s: number;
	readonly requestId: string;
	/** The project of the key, once it is known. */
	readonly project: string | undefined;
	/** When a known key was not let in. */
	readonly denial: Denial | undefined;
	/** It could have changed something, and found that there was nothing to change. */
	readonly unchanged?: boolean;
}

export interface AppOptions {
	readonly version: string;
	/** Parts that must work before this process takes requests, by name; a check throws when its part is down. */
	readonly readiness: Readonly<Record<string, () => Promise<void> | void>>;
	/** Parts that `/readyz` tells of, and that do not stop this process from taking requests; a check throws when its part is not well. */
	readonly watched?: AppOptions["readiness"];
	/** Prometheus text of the process, as `prom-client`'s registry gives it. */
	readonly metrics: { readonly contentType: string; metrics(): Promise<string> };
	/** What mounted routes say of themselves in `/openapi.json`. */
	readonly docs: readonly RouteDoc[];
	/** Records with a meaning, for the reference. */
	readonly conventions?: ConventionsAnswer | undefined;
	readonly onRequest: (request: AnsweredRequest) => void;
	/** Origins whose pages may use this server from a browser; `*` is any. None by default. */
	readonly corsOrigins?: readonly string[] | undefined;
	/** Hears of every error that is ours: a 500. */
	readonly onError: (error: unknown, requestId: string) => void;
	/** Seconds of a clock that only moves forward. */
	readonly clock?: () => number;
}

const SANE_REQUEST_ID = /^[\w.:-]{1,128}$/;

/**
 * The app that every role mounts its routes on: request id, access hook, errors, health, metrics and the API reference. It never
 * touches a body: ingest reads it from the socket.
 */
export function createApp(options: AppOptions): Hono<AppEnv> {
	const clock = options.clock ?? (() => performance.now() / 1_000);
	const app = new Hono<AppEnv>();
	const answerError = errorHandler(options.onError);
	app.onError(answerError);
	// Answers instead of throwing: an error thrown here would pass by the middleware below.
	app.notFound((c) => {
		const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((method) =>
			// Middleware matches by ALL; a route of its own method is one that could have answered.
			app.router.match(method, c.req.path)[0].some(([[, route]]) => route.method === method),
		);
		const known = methods.length > 0;
		const error = new ApiError(
			known ? 405 : 404,
			known ? `${c.req.method} is not possible here` : `No route ${c.req.method} ${c.req.path}`,
			known ? { headers: { Allow: methods.join(", ") } } : {},
		);
		return answerError(error, c);
	});
	app.use(async (c, next) => {
		const started = clock();
		const sent = c.req.header("x-request-id");
		const requestId = sent !== undefined && SANE_REQUEST_ID.test(sent) ? sent : randomUUID();
		c.set("requestId", requestId);
		await next();
		c.header("X-Request-Id", requestId);
		const key = c.get("key") as AppEnv["Variables"]["key"] | undefined;
		options.onRequest({
			method: c.req.method,
			route: matchedRoutes(c).findLast((route) => route.method !== "ALL")?.path,
			status: c.res.status,
			duration_s: clock() - started,
			requestId,
			project: key?.project,
			unchanged: c.get("unchanged") ?? false,
			denial: c.get("denial") ?? (c.res.status === 403 && key ? deniedPart(key) : undefined),
		});
	});
	if (options.corsOrigins !== undefined) app.use(crossOrigin(options.corsOrigins));
	app.get("/livez", (c) => c.json({ status: "ok" }));
	app.get("/readyz", async (c) => {
		const [results, watched] = await Promise.all([states(options.readiness), states(options.watched ?? {})]);
		const parts = Object.fromEntries([...results, ...watched]);
		const down = results.filter(([, state]) => state !== "ok").map(([part]) => part);
		const isWell = watched.every(([, state]) => state === "ok");
		if (down.length === 0) return c.json({ status: isWell ? "ok" : "degraded", parts });
		throw new ApiError(503, `Not ready: ${down.join(", ")}`, {
			extra: { part: down[0], parts, retry_after: 2 },
			headers: { "Retry-After": "2" },
		});
	});
	app.get("/metrics", async (c) =>
		c.body(await options.metrics.metrics(), 200, { "Content-Type": options.metrics.contentType }),
	);
	let document: string | undefined;
	app.get("/openapi.json", (c) => {
		document ??= JSON.stringify(openApiDocument([...OWN_DOCS, ...options.docs], options));
		return c.body(document, 200, { "Content-Type": "application/json" });
	});
	app.get("/docs", (c) =>
		c.html(DOCS_PAGE, 200, {
			"Content-Security-Policy":
				"default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'",
		}),
	);
	return app;
}

/** `ok`, or what is wrong with it, of each part. */
function states(parts: AppOptions["readiness"]): Promise<(readonly [part: string, state: string])[]> {
	return Promise.all(
		Object.entries(parts).map(async ([part, check]) => {
			try {
				await check();
				return [part, "ok"] as const;
			} catch (error) {
				return [part, error instanceof Error ? error.message : "failed"] as const;
			}
		}),
	);
}

/** The route let the key in, and then asked for a role that only a part of it needs. */
function deniedPart({ key_id, project }: AppEnv["Variables"]["key"]): Denial {
	return { key_id, project, reason: "role" };
}

/** Keys come in headers, never in cookies, so a page can do no more than its key. */
function crossOrigin(origins: readonly string[]) {
	return cors({
		origin: origins.includes("*") ? "*" : [...origins],
		allowMethods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
		allowHeaders: [
			...["Authorization", "X-API-Key", "Content-Type", "Content-Encoding", "Idempotency-Key", "X-Request-Id"],
		],
		exposeHeaders: [
			...["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy"],
			...["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"],
		],
		maxAge: 7_200,
	});
}

const OWN_DOCS: readonly RouteDoc[] = [
	{ method: "get", path: "/livez", summary: "The process answers", tag: "Server", answers: { 200: null } },
	{
		method: "get",
		path: "/readyz",
		summary:
			"Every part this process needs works; 503 names the part that does not, `degraded` has one that others feel",
		tag: "Server",
		answers: { 200: null },
	},
	{
		method: "get",
		path: "/metrics",
		summary: "Prometheus text of the server itself",
		tag: "Server",
		answers: { 200: null },
	},
	{ method: "get", path: "/openapi.json", summary: "This reference", tag: "Server", answers: { 200: null } },
	{ method: "get", path: "/docs", summary: "This reference as a page", tag: "Server", answers: { 200: null } },
];
