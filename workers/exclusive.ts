/** Work of which one process of many does it at a time. */
import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";

/** Longer for who holds it, and for nobody else. */
const RENEW = 'return redis.call("get", KEYS[1]) == ARGV[1] and redis.call("pexpire", KEYS[1], ARGV[2]) or 0';
const RELEASE = 'return redis.call("get", KEYS[1]) == ARGV[1] and redis.call("del", KEYS[1]) or 0';

/**
 * Does the work unless another process is at it. While it lasts, however long, nobody else begins; a process that was killed holds it
 * for as long as `hold_ms`.
 * @returns whether it was done
 * @throws what the work throws, and when Redis is away
 */
export async function exclusively(
	redis: Redis,
	key: string,
	hold_ms: number,
	work: () => Promise<void>,
): Promise<boolean> {
	const token = randomUUID();
	if ((await redis.set(key, token, "PX", hold_ms, "NX")) !== "OK") return false;
	const renew = () => void redis.eval(RENEW, 1, key, token, hold_ms).catch(() => undefined);
	const renewing = setInterval(renew, hold_ms / 3);
	try {
		await work();
		return true;
	} finally {
		clearInterval(renewing);
		await redis.eval(RELEASE, 1, key, token).catch(() => undefined);
	}
}
