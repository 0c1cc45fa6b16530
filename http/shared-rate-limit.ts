import type { Redis } from "ioredis";
import { type Allowance, allowanceOf, type LocalRateLimiter, type RateLimiter } from "./rate-limit.ts";

/** After a failure Redis is left alone for so long: a Redis that hangs then costs one request its wait, not each. */
const REST_MS = 1_000;

/**
 * The bucket of `LocalRateLimiter`, in Redis, on Redis' clock, so that all processes agree. A bucket that nobody took from for a
 * window is full, and forgotten.
 */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(bucket[1] or limit), tonumber(bucket[2] or now)
tokens = math.min(limit, tokens + math.max(0, now - at) * limit / window)
local allowed = 0
if tokens >= 1 then
	allowed = 1
	tokens = tokens - 1
end
local text = string.format('%.17g', tokens)
redis.call('HSET', KEYS[1], 'tokens', text, 'at', now)
redis.call('PEXPIRE', KEYS[1], window)
return {allowed, text}`;

type WithTake = Redis & { tidemarkTake(key: string, limit: number, window_ms: number): Promise<[number, string]> };

export interface SharedRateLimiterOptions {
	/** Must fail fast: no queue while it is not connected, and a timeout for commands. */
	readonly redis: Redis;
	/** Counts while Redis is away, from what was left when it went. */
	readonly local: LocalRateLimiter;
	readonly now?: () => number;
}

/**
 * One allowance of a key for all processes on one Redis. While Redis is away each process counts for itself, which lets a key
 * do more, but answers.
 */
export class SharedRateLimiter implements RateLimiter {
	readonly #redis: WithTake;
	readonly #local: LocalRateLimiter;
	readonly #now: () => number;
	#rest_until = 0;
	#fallbacks = 0;

	constructor({ redis, local, now = Date.now }: SharedRateLimiterOptions) {
		redis.defineCommand("tidemarkTake", { numberOfKeys: 1, lua: TAKE });
		this.#redis = redis as WithTake;
		this.#local = local;
		this.#now = now;
	}

	/** Requests that were counted in this process alone. */
	get fallbacks(): number {
		return this.#fallbacks;
	}

	async take(keyId: string, limit: number, window: number): Promise<Allowance> {
		if (this.#now() >= this.#rest_until) {
			try {
				const [allowed, text] = await this.#redis.tidemarkTake(`tidemark:rate:${keyId}`, limit, window * 1_000);
				this.#local.note(keyId, Number(text), window);
				return allowanceOf(allowed === 1, Number(text), limit, window);
			} catch {
				// Whatever it was, reads go on; how often this happens is counted.
				this.#rest_until = this.#now() + REST_MS;
			}
		}
		this.#fallbacks++;
		return this.#local.take(keyId, limit, window);
	}
}
