/** `/v1/heartbeats/{token}`: a call that must come. Whoever knows the token may call; it opens nothing else. */
import { randomUUID } from "node:crypto";
import { type Context, Hono } from "hono";
import type { AppEnv } from "../../http/env.ts";
import { notFound, tooManyRequests, unavailable } from "../../http/errors.ts";
import type { RouteDoc } from "../../http/openapi.ts";
import { parseQuery } from "../../http/validate.ts";
import { heartbeatAnswer, heartbeatQuery } from "../../schema/wire/index.ts";
import type { TokenBook } from "./token-book.ts";

export interface HeartbeatOptions {
	readonly tokens: TokenBook;
	/** Takes events of a project. Resolves when they are durable. */
	readonly write: (project: string, events: readonly object[]) => Promise<unknown>;
	/** False while the journal is full. */
	readonly ready: () => boolean;
	readonly clock: () => number;
}

const PATH = "/v1/heartbeats/:token";
/** Calls of one token that are recorded in a second; nobody's heart beats faster. */
const CALLS_PER_SECOND = 2;
const docs = {
	path: "/v1/heartbeats/{token}",
	summary: "Tell a heartbeat that what it watches has run",
	tag: "Ingest",
	query: heartbeatQuery,
	answers: { 202: heartbeatAnswer },
} as const;
export const HEARTBEAT_DOCS: readonly RouteDoc[] = [
	{ ...docs, method: "get" },
	{ ...docs, method: "post" },
];

export function heartbeatRoutes({ tokens, write, ready, clock }: HeartbeatOptions): Hono<AppEnv> {
	/** Calls of this second by test. */
	let calls = new Map<string, number>();
	let second = 0;
	const isFlood = (id: string): boolean => {
		const now = Math.floor(clock() / 1_000);
		if (now !== second) calls = new Map();
		second = now;
		const count = (calls.get(id) ?? 0) + 1;
		calls.set(id, count);
		return count > CALLS_PER_SECOND;
	};
	const beat = async (c: Context<AppEnv>): Promise<Response> => {
		const { status, duration_ms, error } = parseQuery(c, heartbeatQuery);
		const test = await tokens.find(c.req.param("token") ?? "").catch((cause: unknown) => {
			throw unavailable("clickhouse", "Heartbeats cannot be read: ClickHouse does not answer", cause);
		});
		if (!test) throw notFound("Heartbeat");
		if (isFlood(test.id)) throw tooManyRequests(CALLS_PER_SECOND, 1, 1);
		const { body } = test;
		if (!body.enabled) return c.json({ recorded: false }, 202);
		if (!ready()) throw unavailable("journal", "The journal is full: records wait for ClickHouse");
		const failed = status === "fail";
		const properties = {
			...{ check_id: test.id, check_name: body.name, check_type: "heartbeat", component: body.component },
			...{ ok: !failed, status: failed ? "failed" : "passed", interval_s: body.frequency_seconds },
			...(duration_ms === undefined ? {} : { duration_ms }),
			...(failed ? { error: error ?? "it said that it failed" } : {}),
		};
		const event = { event: "check.completed", event_id: randomUUID(), timestamp: clock(), properties };
		await write(test.project, [event]);
		return c.json({ recorded: true }, 202);
	};
	return new Hono<AppEnv>().get(PATH, beat).post(PATH, beat);
}
