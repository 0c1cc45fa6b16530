/** The state of a key's allowance after a request. */
export interface Allowance {
	readonly allowed: boolean;
	readonly remaining: number;
	/** Seconds until the allowance is whole again. */
	readonly reset_seconds: number;
	/** Seconds until one more request is allowed; 0 when it was. */
	readonly retry_after: number;
}

/** Counts requests of a key; in process here, over Redis where several processes share the allowance. */
export interface RateLimiter {
	/** Takes one of `limit` requests in `window` seconds. */
	take(keyId: string, limit: number, window: number): Allowance | Promise<Allowance>;
}

interface Bucket {
	tokens: number;
	at: number;
}

/**
 * A token bucket a key: it holds `limit` tokens and fills over `window` seconds. Buckets that are full again are forgotten, so
 * memory follows the keys in use.
 */
export class LocalRateLimiter implements RateLimiter {
	readonly #now: () => number;
	readonly #buckets = new Map<string, Bucket>();
	#swept_at = 0;

	constructor(now: () => number = Date.now) {
		this.#now = now;
	}

	take(keyId: string, limit: number, window: number): Allowance {
		const now = this.#now();
		const perSecond = limit / window;
		const bucket = this.#buckets.get(keyId) ?? { tokens: limit, at: now };
		bucket.tokens = Math.min(limit, bucket.tokens + (Math.max(0, now - bucket.at) / 1_000) * perSecond);
		bucket.at = now;
		const allowed = bucket.tokens >= 1;
		if (allowed) bucket.tokens -= 1;
		this.#buckets.set(keyId, bucket);
		this.#sweep(now, window);
		return allowanceOf(allowed, bucket.tokens, limit, window);
	}

	/** What is left of a key's allowance, as someone else counted it. */
	note(keyId: string, tokens: number, window: number): void {
		const now = this.#now();
		this.#buckets.set(keyId, { tokens, at: now });
		this.#sweep(now, window);
	}

	#sweep(now: number, window: number): void {
		if (now - this.#swept_at < window * 1_000) return;
		this.#swept_at = now;
		for (const [keyId, bucket] of this.#buckets) {
			if (now - bucket.at >= window * 1_000) this.#buckets.delete(keyId);
		}
	}
}

/** What a client is told of a bucket of `limit` tokens that fills over `window` seconds. @param tokens left in it */
export function allowanceOf(allowed: boolean, tokens: number, limit: number, window: number): Allowance {
	const perSecond = limit / window;
	return {
		allowed,
		remaining: Math.floor(tokens),
		reset_seconds: Math.ceil((limit - tokens) / perSecond),
		retry_after: allowed ? 0 : Math.max(1, Math.ceil((1 - tokens) / perSecond)),
	};
}
