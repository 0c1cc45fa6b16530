/** Which locations have a worker: each says so in Redis every few seconds. */
import type { Redis } from "ioredis";

const KEY = "tidemark:locations";
const INTERVAL_MS = 5_000;
const GONE_MS = 20_000;

/** @returns ends it */
export function sayLocation(redis: Redis, location: string, now: () => number): () => void {
	// Redis is away: nobody can ask for a run meanwhile.
	const say = () => void redis.hset(KEY, location, now()).catch(() => undefined);
	say();
	redis.on("ready", say);
	const timer = setInterval(say, INTERVAL_MS);
	return () => {
		clearInterval(timer);
		redis.off("ready", say);
	};
}

/** Locations that a worker spoke for of late. @throws when Redis is away */
export async function locationsHeard(redis: Redis, now: number): Promise<Set<string>> {
	const said = Object.entries(await redis.hgetall(KEY));
	return new Set(said.filter(([, at]) => now - Number(at) < GONE_MS).map(([location]) => location));
}
