import { rmSync } from "node:fs";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder, until } from "../tests/server.ts";
import { exclusively } from "./exclusive.ts";
import { type EmbeddedRedis, startRedis } from "./redis.ts";

const HOLD_MS = 300;
const dataDir = temporaryFolder();
let embedded: EmbeddedRedis;
let redis: Redis;
beforeAll(async () => {
	embedded = await startRedis({ dataDir, logger: pino({ level: "silent" }) });
	redis = new Redis(embedded.url);
});
afterAll(async () => {
	redis?.disconnect();
	await embedded?.stop();
	rmSync(dataDir, { recursive: true, force: true });
});

/** Work that lasts until it is told to end. */
function lasting(key: string) {
	let end = () => {};
	const ended = new Promise<void>((resolve) => {
		end = resolve;
	});
	return { done: exclusively(redis, key, HOLD_MS, () => ended), end };
}
const nothing = async () => {};

test("nobody else begins while work lasts, also longer than it is held for, and then somebody does", async () => {
	const { done, end } = lasting("long");
	await until(() => redis.exists("long"));
	const began = performance.now();
	await until(async () => {
		expect(await exclusively(redis, "long", HOLD_MS, nothing)).toBe(false);
		return performance.now() - began > 3 * HOLD_MS;
	});
	end();
	expect(await done).toBe(true);
	expect(await exclusively(redis, "long", HOLD_MS, nothing)).toBe(true);
});

test("what another holds by now is neither made longer nor given back", async () => {
	const { done, end } = lasting("lost");
	await until(() => redis.exists("lost"));
	// Redis forgot it, and somebody else took it.
	await redis.set("lost", "another", "PX", 2 * HOLD_MS);
	await until(async () => (await redis.exists("lost")) === 0);
	await redis.set("lost", "another");
	end();
	expect(await done).toBe(true);
	expect(await redis.get("lost")).toBe("another");
});

test("work that fails is given back, and a process that was killed holds it no longer than it says", async () => {
	const fails = () => Promise.reject(new Error("no"));
	await expect(exclusively(redis, "failed", HOLD_MS, fails)).rejects.toThrow("no");
	expect(await redis.exists("failed")).toBe(0);
	await redis.set("failed", "of a killed one", "PX", HOLD_MS);
	await until(() => exclusively(redis, "failed", HOLD_MS, nothing));
});
