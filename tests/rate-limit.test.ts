/** Allowances of keys over a real Redis: shared by processes, counted locally while it is away, shared again when it is back. */
import { Hono } from "hono";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAuth } from "../http/auth.ts";
import type { AppEnv } from "../http/env.ts";
import { errorHandler } from "../http/errors.ts";
import { LocalRateLimiter } from "../http/rate-limit.ts";
import { SharedRateLimiter } from "../http/shared-rate-limit.ts";
import { connectRedis } from "../storage.ts";
import { type EmbeddedRedis, startRedis } from "../workers/redis.ts";
import { temporaryFolder, until } from "./server.ts";

const HOUR = 3_600;
const logger = pino({ level: "silent" });
/** Longer than a command may take, shorter than anyone waits for an answer. */
const BOUND_MS = 3_000;

let redis: EmbeddedRedis;
const stops: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
	redis = await startRedis({ dataDir: temporaryFolder(), logger });
	stops.push(() => redis.stop());
});
afterAll(async () => {
	for (const stop of stops.reverse()) await stop();
});

/** As in a process of its own. */
async function limiter(): Promise<SharedRateLimiter> {
	const client = connectRedis(redis.url, logger, stops);
	await until(() => client.status === "ready", { what: "the connection to Redis" });
	return new SharedRateLimiter({ redis: client, local: new LocalRateLimiter() });
}

const within = <T>(work: Promise<T>): Promise<T> =>
	Promise.race([
		work,
		new Promise<never>((_, reject) => setTimeout(() => reject(new Error("no answer in time")), BOUND_MS)),
	]);

/** How many of `requests` requests pass, spread over the limiters. */
async function passed(limiters: readonly SharedRateLimiter[], key: string, requests: number, limit: number) {
	let count = 0;
	for (let i = 0; i < requests; i++) {
		if ((await within(limiters[i % limiters.length]!.take(key, limit, HOUR))).allowed) count++;
	}
	return count;
}

/** Redis counts for both again. */
async function shared(limiters: readonly SharedRateLimiter[]): Promise<void> {
	for (const one of limiters) {
		await until(
			async () => {
				const before = one.fallbacks;
				await one.take("probe", 1_000_000, HOUR);
				return one.fallbacks === before;
			},
			{ what: "Redis to be used again" },
		);
	}
}

test("two processes share one allowance, each key has its own", async () => {
	const both = [await limiter(), await limiter()];
	expect(await passed(both, "shared", 30, 11)).toBe(11);
	expect(await passed(both, "another", 30, 7)).toBe(7);
	expect(both.map(({ fallbacks }) => fallbacks)).toEqual([0, 0]);
	const refused = await both[0]!.take("shared", 11, HOUR);
	expect(refused).toMatchObject({ allowed: false, remaining: 0 });
	// The eleven fill over an hour, one in five minutes and a half.
	expect(refused.retry_after).toBeGreaterThan(300);
	expect(refused.retry_after).toBeLessThanOrEqual(Math.ceil(HOUR / 11));
	expect(refused.reset_seconds).toBeGreaterThan(HOUR - 60);
});

test("what was taken comes back with time, and a bucket that is full is forgotten", async () => {
	const one = await limiter();
	const client = new Redis(redis.url);
	stops.push(async () => client.disconnect());
	expect(await passed([one], "quick", 5, 3)).toBe(3);
	// Half an hour ago by Redis' clock.
	const at = Number(await client.hget("tidemark:rate:quick", "at"));
	await client.hset("tidemark:rate:quick", "at", at - 1_800_000);
	expect(await passed([one], "quick", 5, 3)).toBe(1);
	const left_ms = await client.pttl("tidemark:rate:quick");
	expect(left_ms).toBeGreaterThan(0);
	expect(left_ms).toBeLessThanOrEqual(HOUR * 1_000);
	// Of a clock that was set back: nothing is given, nothing breaks.
	await client.hset("tidemark:rate:quick", "at", at + 86_400_000);
	expect((await one.take("quick", 3, HOUR)).allowed).toBe(false);
});

test("while Redis hangs each process answers by itself, from what was left; when it is back they share again", async () => {
	const both = [await limiter(), await limiter()];
	expect(await passed(both, "used up", 9, 5)).toBe(5);
	process.kill(redis.pid, "SIGSTOP");
	try {
		expect(await passed(both, "hanging", 30, 6)).toBe(12);
		expect(await passed(both, "used up", 6, 5)).toBe(0);
		expect(both[0]!.fallbacks).toBeGreaterThan(0);
	} finally {
		process.kill(redis.pid, "SIGCONT");
	}
	await shared(both);
	expect(await passed(both, "after the hang", 30, 8)).toBe(8);
});

test("killing Redis fails no request, and its successor is used without a restart", async () => {
	const both = [await limiter(), await limiter()];
	process.kill(redis.pid, "SIGKILL");
	expect((await within(both[0]!.take("killed", 5, HOUR))).allowed).toBe(true);
	expect((await within(both[1]!.take("killed", 5, HOUR))).allowed).toBe(true);
	await shared(both);
	expect(await passed(both, "after the kill", 30, 9)).toBe(9);
});

test("a key over its allowance is told so in the document's shape, with headers that say the same", async () => {
	const requireRole = createAuth({
		keys: {
			verify: async () => ({ key_id: "k", project: "p", name: "n", roles: ["analytics_viewer"], read_limit: 2 }),
		},
		limiter: await limiter(),
	});
	const app = new Hono<AppEnv>().get("/read", requireRole("analytics_viewer"), (c) => c.json({}));
	app.onError(errorHandler(() => undefined));
	const ask = () => app.request("/read", { headers: { "X-API-Key": "any" } });
	const first = await ask();
	expect(first.status).toBe(200);
	expect(first.headers.get("ratelimit-limit")).toBe("2");
	expect(first.headers.get("ratelimit-remaining")).toBe("1");
	expect(first.headers.get("ratelimit-policy")).toBe('"reads";q=2;w=3600');
	expect(first.headers.get("ratelimit")).toBe(`"reads";r=1;t=${first.headers.get("ratelimit-reset")}`);
	expect((await ask()).status).toBe(200);
	const refused = await ask();
	const body = (await refused.json()) as { retry_after: number };
	expect(refused.status).toBe(429);
	expect(body).toEqual({
		error: expect.any(String),
		code: 429,
		limit: 2,
		window: 3_600,
		retry_after: expect.any(Number),
	});
	expect(refused.headers.get("retry-after")).toBe(String(body.retry_after));
	expect(body.retry_after).toBeGreaterThan(1_700);
	expect(body.retry_after).toBeLessThanOrEqual(1_800);
	expect(refused.headers.get("ratelimit-remaining")).toBe("0");
});
