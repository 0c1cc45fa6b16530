import { errorRecord, RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import type { ErrorRow } from "../batch.ts";
import { fingerprint } from "../fingerprint/fingerprint.ts";
import { cut, documentText, parseLevelMember } from "./log.ts";
import { explain, Problem } from "./problem.ts";
import { fits, isDocument, isId, isName, isObject } from "./text.ts";
import { parseTimestamp, type TimeBounds } from "./time.ts";

/** Checks one error record and gives it the fingerprint of its issue. */
export function parseError(record: unknown, bounds: TimeBounds): ErrorRow | Problem {
	if (!isObject(record)) return new Problem("", "must be an object");
	const { error_message, error_type, stack_trace, component, context } = record;
	const severity = parseLevelMember(record.severity, "error");
	if (typeof error_message !== "string" || error_message === "" || !isName(error_type) || !severity) {
		return explain(errorRecord, record);
	}
	if ((stack_trace !== undefined && typeof stack_trace !== "string") || !isId(component)) {
		return explain(errorRecord, record);
	}
	if (context !== undefined && !isDocument(context)) return explain(errorRecord, record);
	const ts = parseTimestamp(record.timestamp, bounds);
	if (ts instanceof Problem) return ts;
	const contextText = documentText(context, "context");
	if (contextText instanceof Problem) return contextText;
	const stack = stack_trace ?? "";
	if (!fits(stack, RECORD_LIMITS.documentBytes)) {
		return new Problem("stack_trace", `larger than ${RECORD_LIMITS.documentBytes} bytes`);
	}
	const message = cut(error_message);
	const { high, low, culprit } = fingerprint(error_type, message, stack);
	return {
		ts,
		issueHigh: high,
		issueLow: low,
		culprit,
		error_type,
		severity,
		component: component ?? "",
		message,
		stack,
		context: contextText,
		user_id: contextId(context, "user_id"),
		trace_id: contextId(context, "trace_id"),
	};
}

function contextId(context: Record<string, unknown> | undefined, id: string): string {
	const value = context && Object.hasOwn(context, id) ? context[id] : undefined;
	return typeof value === "string" || typeof value === "number" ? String(value).slice(0, RECORD_LIMITS.idBytes) : "";
}
