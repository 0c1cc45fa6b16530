/** The server's own HTTP requests as OpenTelemetry's `http.server.request.duration`. */
import type { MetricPoint } from "../../schema/wire/ingest.ts";
import { OWN_COMPONENT } from "./log-record.ts";

/** One answered request; `route` is the pattern, undefined when none matched. */
export interface AnsweredRequest {
	readonly method: string;
	readonly route: string | undefined;
	readonly status: number;
	readonly duration_s: number;
}

/** Asked by machines every few seconds. Their 503 is an answer, not a failure, and they would drown what people ask. */
const PROBES = new Set(["/livez", "/readyz", "/metrics"]);
/** Others come from clients and could be anything: each would be a series. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** @param at_ms when it was answered. @returns undefined for the probes of supervisors and scrapers */
export function requestRecord(request: AnsweredRequest, at_ms: number): MetricPoint | undefined {
	const { method, route, status, duration_s } = request;
	if (route !== undefined && PROBES.has(route)) return undefined;
	return {
		name: "http.server.request.duration",
		kind: "distribution",
		unit: "s",
		value: duration_s,
		timestamp: at_ms,
		tags: {
			component: OWN_COMPONENT,
			"http.request.method": knownMethod(method),
			...(route === undefined ? {} : { "http.route": route }),
			"http.response.status_code": String(status),
			...(status >= 500 ? { "error.type": String(status) } : {}),
		},
	};
}

/** OpenTelemetry's rule for methods outside of the standard. */
export function knownMethod(method: string): string {
	return METHODS.has(method) ? method : "_OTHER";
}
