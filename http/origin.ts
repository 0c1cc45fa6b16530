import { createMiddleware } from "hono/factory";
import type { AppEnv } from "./env.ts";
import { ApiError } from "./errors.ts";

/**
 * For streams: browsers let any page open a WebSocket to any server, and tell only where the page is from. Pages of this server and
 * of the named origins pass, and whatever is no browser and names none.
 * @param allowed origins, `*` for all
 */
export function checkOrigin(allowed: readonly string[]) {
	return createMiddleware<AppEnv>(async (c, next) => {
		const origin = c.req.header("origin");
		if (origin !== undefined && !isAllowed(origin, c.req.header("host"), allowed)) {
			throw new ApiError(403, "Pages of this origin may not open streams: name it in TIDEMARK_CORS_ORIGINS", {
				extra: { origin },
			});
		}
		await next();
	});
}

function isAllowed(origin: string, host: string | undefined, allowed: readonly string[]): boolean {
	if (allowed.includes("*") || allowed.includes(origin)) return true;
	// The scheme is left out: behind a proxy that ends TLS this server is not told its own.
	return host !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}
