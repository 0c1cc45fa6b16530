import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { AppEnv } from "./env.ts";

export interface ApiErrorOptions {
	/** Members beside `error` and `code`. */
	readonly extra?: Readonly<Record<string, unknown>>;
	readonly headers?: Readonly<Record<string, string>>;
	readonly cause?: unknown;
}

/** An error that a client sees: `{"error": message, "code": status, ...extra}`. */
export class ApiError extends Error {
	override readonly name = "ApiError";
	readonly status: ContentfulStatusCode;
	readonly extra: Readonly<Record<string, unknown>>;
	readonly headers: Readonly<Record<string, string>>;

	constructor(status: ContentfulStatusCode, message: string, options: ApiErrorOptions = {}) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.status = status;
		this.extra = options.extra ?? {};
		this.headers = options.headers ?? {};
	}
}

export interface BadParameter {
	readonly parameter: string;
	readonly provided: unknown;
	/** What would have been accepted; for a value that is not from a list, a description of it. */
	readonly valid_options: readonly unknown[];
	/** In full sentences, when the list alone does not say it. */
	readonly reason?: string;
	/** Where in `provided` the trouble starts, from 0. */
	readonly position?: number;
	/** For granularity: what each timeframe can be asked in. */
	readonly allowed_pairs?: Readonly<Record<string, readonly string[]>>;
	readonly message?: string;
}

/** 400 in the shape of the analytics document. */
export function badParameter({ message, ...details }: BadParameter): ApiError {
	return new ApiError(400, message ?? `Invalid ${details.parameter} parameter`, { extra: { details } });
}

export function unauthorized(message: string): ApiError {
	return new ApiError(401, message, { headers: { "WWW-Authenticate": 'Bearer realm="tidemark"' } });
}

export function forbidden(required_role: string, current_permissions: readonly string[]): ApiError {
	return new ApiError(403, `Insufficient permissions: this needs the role ${required_role}`, {
		extra: { required_role, current_permissions },
	});
}

export function notFound(what: string): ApiError {
	return new ApiError(404, `${what} not found`);
}

/** `window` and `retry_after` in seconds. */
export function tooManyRequests(limit: number, window: number, retry_after: number): ApiError {
	return new ApiError(429, "Rate limit exceeded", {
		extra: { limit, window, retry_after },
		headers: { "Retry-After": String(retry_after) },
	});
}

/** 503 that names the part which is down. */
export function unavailable(part: string, message: string, cause?: unknown, retry_after = 5): ApiError {
	return new ApiError(503, message, {
		extra: { part, retry_after },
		headers: { "Retry-After": String(retry_after) },
		...(cause === undefined ? {} : { cause }),
	});
}

/** What of an error may leave the process: an unknown one says nothing of itself. */
export function toApiError(error: unknown): ApiError {
	if (error instanceof ApiError) return error;
	if (error instanceof HTTPException) {
		return new ApiError(error.status, error.message || `HTTP ${error.status}`, { cause: error });
	}
	return new ApiError(500, "Internal error", { cause: error });
}

/** The one place that turns an error into an answer. `report` hears of those that are our fault. */
export function errorHandler(report: (error: unknown, requestId: string) => void) {
	return (error: unknown, c: Context<AppEnv>): Response => {
		const known = toApiError(error);
		const request_id = c.get("requestId");
		if (known.status === 500) report(error, request_id);
		return c.json(
			{ error: known.message, code: known.status, ...known.extra, request_id },
			known.status,
			known.headers as Record<string, string>,
		);
	};
}
