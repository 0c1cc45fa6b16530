// What a call can fail with. All are TidemarkError; the class says what to do about it.

/** Body of an error answer, as every route gives it. */
interface ErrorBody {
	error?: unknown;
	code?: unknown;
	details?: unknown;
	retry_after?: unknown;
	[member: string]: unknown;
}

interface ErrorFields {
	status?: number | undefined;
	code?: number | string | undefined;
	body?: unknown;
	requestId?: string | undefined;
	retryAfter?: number | undefined;
	cause?: unknown;
}

export class TidemarkError extends Error {
	override name = "TidemarkError";
	/** HTTP status; undefined when there was no answer. */
	readonly status: number | undefined;
	/** The answer's `code`; without an answer `connection_failed` or `timeout`. */
	readonly code: number | string | undefined;
	/** The answer's `details`, such as `{parameter, provided, valid_options}`. */
	readonly details: unknown;
	/** The whole answer, with what only some errors have (`required_role`, `limit`, `window`). */
	readonly body: unknown;
	/** Quote it when asking for help: the server's log has it too. */
	readonly requestId: string | undefined;
	/** Seconds to wait before trying again, when the server said so. */
	readonly retryAfter: number | undefined;

	constructor(message: string, fields: ErrorFields = {}) {
		super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
		this.status = fields.status;
		this.code = fields.code;
		this.body = fields.body;
		this.details = isObject(fields.body) ? fields.body.details : undefined;
		this.requestId = fields.requestId;
		this.retryAfter = fields.retryAfter;
	}
}

/** 400, 413, 415, 422: the request is wrong, `details` says where. */
export class ValidationError extends TidemarkError {
	override name = "ValidationError";
}
/** 401: no key, or one that is unknown, expired or revoked. */
export class AuthenticationError extends TidemarkError {
	override name = "AuthenticationError";
}
/** 403: the key lacks a role. */
export class PermissionError extends TidemarkError {
	override name = "PermissionError";
}
/** 404. */
export class NotFoundError extends TidemarkError {
	override name = "NotFoundError";
}
/** 409: what is there contradicts the request. */
export class ConflictError extends TidemarkError {
	override name = "ConflictError";
}
/** 429: over a limit; `retryAfter` says for how long. */
export class RateLimitError extends TidemarkError {
	override name = "RateLimitError";
}
/** 5xx, or no answer at all: not this request's fault. */
export class UnavailableError extends TidemarkError {
	override name = "UnavailableError";
}

const CLASSES: Record<number, typeof TidemarkError> = {
	400: ValidationError,
	401: AuthenticationError,
	403: PermissionError,
	404: NotFoundError,
	409: ConflictError,
	413: ValidationError,
	415: ValidationError,
	422: ValidationError,
	429: RateLimitError,
};

/**
 * The error for an answer that is not 2xx.
 *
 * @param nowMs the time that a `Retry-After` with a date is counted from, epoch milliseconds
 */
export function errorFromAnswer(status: number, headers: Headers, text: string, nowMs: number): TidemarkError {
	const requestId = headers.get("x-request-id") ?? undefined;
	return errorOf(status, parseJson(text), {
		requestId,
		retryAfter: retryAfterSeconds(headers.get("retry-after"), nowMs),
	});
}

/** The error that a server describes in this body, wherever it came from. */
export function errorOf(status: number, body: unknown, given: ErrorFields = {}): TidemarkError {
	const fields: ErrorBody = isObject(body) ? body : {};
	const message = typeof fields.error === "string" ? fields.error : `the server answered ${status}`;
	const ErrorClass = CLASSES[status] ?? (status >= 500 ? UnavailableError : TidemarkError);
	return new ErrorClass(message, {
		status,
		code: typeof fields.code === "number" || typeof fields.code === "string" ? fields.code : status,
		body,
		requestId: given.requestId,
		retryAfter: given.retryAfter ?? finite(fields.retry_after),
	});
}

/** Seconds in a `Retry-After` header, which holds either seconds or a date. */
export function retryAfterSeconds(header: string | null, nowMs: number): number | undefined {
	if (header === null) return undefined;
	const seconds = /^\s*\d+(\.\d+)?\s*$/.test(header) ? Number(header) : (Date.parse(header) - nowMs) / 1000;
	return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

function finite(value: unknown): number | undefined {
	return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// A proxy's page, or nothing.
		return text;
	}
}

function isObject(value: unknown): value is ErrorBody {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
