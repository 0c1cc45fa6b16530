import { createMiddleware } from "hono/factory";
import type { AppEnv, DenialReason, Principal } from "./env.ts";
import { forbidden, tooManyRequests, unauthorized } from "./errors.ts";
import type { Allowance, RateLimiter } from "./rate-limit.ts";
import { allowsAny, type Role, roleWords } from "./roles.ts";

/** Seconds over which the reads of a key are counted. */
export const READ_WINDOW_SECONDS = 3_600;
/** Longer texts are no keys; hashing them would be work for nothing. */
const MAX_SECRET_LENGTH = 512;

export interface AuthOptions {
	readonly keys: {
		verify(secret: string): Promise<Principal | undefined>;
		/** Whose key this was, where it was one. */
		ended?(secret: string): { readonly principal: Principal; readonly reason: DenialReason } | undefined;
	};
	readonly limiter: RateLimiter;
}

/** `requireRole(role)` lets a request pass whose key has the role, or one of several, and puts the key into `c.get("key")`. */
export type RequireRole = ReturnType<typeof createAuth>;

/**
 * The middleware that every route beneath a key uses. Reads count against the allowance of the key; ingest has limits of its own.
 * `acceptQueryKey` is for WebSocket and SSE only, whose clients in browsers cannot set headers.
 */
export function createAuth({ keys, limiter }: AuthOptions) {
	return (role: Role | readonly Role[], options: { acceptQueryKey?: boolean } = {}) =>
		createMiddleware<AppEnv>(async (c, next) => {
			const secret =
				presentedKey(c.req.header("authorization"), c.req.header("x-api-key")) ??
				(options.acceptQueryKey ? c.req.query("api_key") : undefined);
			if (secret === undefined) {
				throw unauthorized("An API key is needed: send Authorization: Bearer <key> or X-API-Key: <key>");
			}
			const key = secret.length > MAX_SECRET_LENGTH ? undefined : await keys.verify(secret);
			if (!key) {
				const ended = secret.length > MAX_SECRET_LENGTH ? undefined : keys.ended?.(secret);
				if (ended) c.set("denial", { ...identity(ended.principal), reason: ended.reason });
				throw unauthorized("Unknown, expired or revoked API key");
			}
			if (!allowsAny(key.roles, role)) {
				c.set("denial", { ...identity(key), reason: "role", required_role: roleWords(role) });
				throw forbidden(roleWords(role), key.roles);
			}
			c.set("key", key);
			if (options.acceptQueryKey) {
				c.set("recheck", async () => {
					const now = await keys.verify(secret);
					return now !== undefined && allowsAny(now.roles, role);
				});
			}
			if (role !== "ingest") {
				const allowance = await limiter.take(key.key_id, key.read_limit, READ_WINDOW_SECONDS);
				for (const [name, value] of Object.entries(rateLimitHeaders(key.read_limit, allowance))) c.header(name, value);
				if (!allowance.allowed) throw tooManyRequests(key.read_limit, READ_WINDOW_SECONDS, allowance.retry_after);
			}
			await next();
		});
}

function identity({ key_id, project }: Principal) {
	return { key_id, project };
}

/**
 * `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers from its revision 8 on, and the three fields of the
 * revisions before, which most clients know.
 */
function rateLimitHeaders(limit: number, { remaining, reset_seconds }: Allowance): Record<string, string> {
	return {
		"RateLimit-Policy": `"reads";q=${limit};w=${READ_WINDOW_SECONDS}`,
		RateLimit: `"reads";r=${remaining};t=${reset_seconds}`,
		"RateLimit-Limit": String(limit),
		"RateLimit-Remaining": String(remaining),
		"RateLimit-Reset": String(reset_seconds),
	};
}

function presentedKey(authorization: string | undefined, apiKey: string | undefined): string | undefined {
	const [, bearer] = /^Bearer +(\S+) *$/i.exec(authorization ?? "") ?? [];
	return bearer ?? apiKey;
}
