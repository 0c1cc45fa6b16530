/** Reads ClickHouse's HTTP parameters and headers into one description of the request. Pure. */
import type { IncomingHttpHeaders } from "node:http";
import { engineError } from "./errors.ts";
import { formatName, isSettingName } from "./sql.ts";

export interface Credentials {
	user: string;
	password: string;
}

export interface QueryRequest {
	/** The part of the statement in the URL (or the multipart field), `""` when there is none. */
	query: string;
	database: string | undefined;
	/** Format of an answer whose statement names none. */
	defaultFormat: string;
	queryId: string | undefined;
	/** Settings and `param_…` values for the engine. */
	settings: Map<string, string>;
	/** Hold the answer back until the query is over. */
	waitEnd: boolean;
	/** Bytes of an answer held back before headers are sent, so that an early error is answered as one. */
	bufferBytes: number | undefined;
	/** `readonly` is kept here: set on a session, it would forbid the SET that takes it off again. */
	readOnly: boolean;
	compress: boolean;
	compressLevel: number;
	sendProgress: boolean;
	progressInterval_ms: number;
}

const RESERVED = new Set([
	"query",
	"database",
	"default_format",
	"query_id",
	"user",
	"password",
	"quota_key",
	"stacktrace",
	"buffer_size",
	"wait_end_of_query",
	"session_timeout",
	"session_check",
	"close_session",
	"client_protocol_version",
]);
/** Settings that this interface sees to: the engine is not asked to set them. */
const HTTP_ONLY = new Set([
	"readonly",
	"enable_http_compression",
	"http_zlib_compression_level",
	"send_progress_in_http_headers",
	"http_headers_progress_interval_ms",
	"http_wait_end_of_query",
	"http_response_buffer_size",
	"http_write_exception_in_output_format",
	"add_http_cors_header",
	"cancel_http_readonly_queries_on_client_close",
]);

const MiB = 1024 * 1024;

function isTrue(value: string | undefined): boolean {
	return value !== undefined && value !== "0" && value !== "" && value.toLowerCase() !== "false";
}

function integer(name: string, value: string | undefined, fallback: number): number {
	if (value === undefined || value === "") return fallback;
	if (!/^\d{1,12}$/.test(value)) {
		throw engineError(72, "CANNOT_PARSE_NUMBER", `Cannot parse setting ${name}: '${value}' is not a number`);
	}
	return Number(value);
}

function refuseUnsupported(params: URLSearchParams): void {
	const refuse = (what: string): never => {
		throw engineError(48, "NOT_IMPLEMENTED", `${what} not supported by the embedded engine`);
	};
	if (params.has("session_id")) refuse("Sessions (session_id) are");
	if (params.has("role")) refuse("Roles (role) are");
	if (isTrue(params.get("compress") ?? undefined)) refuse("Native block compression (compress=1) is");
	if (isTrue(params.get("decompress") ?? undefined)) refuse("Native block compression (decompress=1) is");
}

/**
 * @throws EngineError 48 for sessions, roles and native compression, 115 for a name that cannot be a setting.
 */
export function readQueryRequest(params: URLSearchParams, headers: IncomingHttpHeaders): QueryRequest {
	refuseUnsupported(params);
	const settings = new Map<string, string>();
	const http = new Map<string, string>();
	for (const [name, value] of params) {
		if (RESERVED.has(name) || name === "compress" || name === "decompress") continue;
		if (HTTP_ONLY.has(name)) http.set(name, value);
		else if (isSettingName(name)) settings.set(name, value);
		else throw engineError(115, "UNKNOWN_SETTING", `Unknown setting '${name}'.`);
	}
	const header = (name: string): string | undefined => headers[name]?.toString();
	const bufferSize = params.get("buffer_size") ?? http.get("http_response_buffer_size");
	return {
		query: params.getAll("query").join(""),
		database: params.get("database") || header("x-clickhouse-database") || undefined,
		defaultFormat: formatName(params.get("default_format") || header("x-clickhouse-format") || "TabSeparated"),
		queryId: params.get("query_id") || undefined,
		settings,
		waitEnd: isTrue(params.get("wait_end_of_query") ?? undefined) || isTrue(http.get("http_wait_end_of_query")),
		bufferBytes: bufferSize === undefined ? undefined : Math.min(integer("buffer_size", bufferSize, 0), 16 * MiB),
		readOnly: isTrue(http.get("readonly")),
		compress: isTrue(http.get("enable_http_compression")),
		compressLevel: integer("http_zlib_compression_level", http.get("http_zlib_compression_level"), 3),
		sendProgress: isTrue(http.get("send_progress_in_http_headers")),
		progressInterval_ms: integer(
			"http_headers_progress_interval_ms",
			http.get("http_headers_progress_interval_ms"),
			100,
		),
	};
}

/**
 * Finds the credentials: headers, Basic, or URL, as ClickHouse does.
 *
 * @throws EngineError 516 when two of these ways are mixed.
 */
export function readCredentials(params: URLSearchParams, headers: IncomingHttpHeaders): Credentials {
	const user = headers["x-clickhouse-user"]?.toString();
	const key = headers["x-clickhouse-key"]?.toString();
	const inHeaders = user !== undefined || key !== undefined;
	const inUrl = params.has("user") || params.has("password");
	const authorization = headers.authorization;
	if (Number(inHeaders) + Number(inUrl) + Number(authorization !== undefined) > 1) {
		const message = "Invalid authentication: it is not allowed to use several ways of authentication simultaneously";
		throw engineError(516, "AUTHENTICATION_FAILED", message);
	}
	if (inHeaders) return { user: user ?? "default", password: key ?? "" };
	if (authorization !== undefined) return basicCredentials(authorization);
	return { user: params.get("user") ?? "default", password: params.get("password") ?? "" };
}

function basicCredentials(authorization: string): Credentials {
	const encoded = /^Basic\s+(\S*)$/i.exec(authorization)?.[1];
	if (encoded === undefined) {
		const scheme = authorization.split(" ", 1)[0];
		throw engineError(
			516,
			"AUTHENTICATION_FAILED",
			`Invalid authentication: '${scheme}' HTTP Authorization scheme is not supported`,
		);
	}
	const text = Buffer.from(encoded, "base64").toString("utf8");
	const colon = text.indexOf(":");
	return colon === -1
		? { user: text, password: "" }
		: { user: text.slice(0, colon) || "default", password: text.slice(colon + 1) };
}
