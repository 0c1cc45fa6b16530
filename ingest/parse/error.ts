import { hash } from "node:crypto";
import { errorRecord, RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import type { ErrorRow } from "../batch.ts";
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
	const { high, low } = fingerprint(error_type, message, stack);
	return {
		ts,
		issueHigh: high,
		issueLow: low,
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

/** A frame of the program that reports, not of the libraries below it. */
const LIBRARY_FRAME = /node_modules|node:internal|site-packages|dist-packages|<anonymous>|\(native\)/;
// No part may run over its own beginning again ("@.*" would): a line of a quarter of a million "@" took half a minute.
const FRAME = /^\s*(at\s|File ")|:\d+(:\d+)?\)?$|@[^@]*:\d+/;
const IN_APP_FRAMES = 5;

/**
 * Fingerprint of an issue: type and top in-app frames with what changes from time to time masked; without a stack, type and
 * masked message.
 */
export function fingerprint(type: string, message: string, stack: string): { high: number; low: number } {
	const frames = stack.split("\n").filter((line) => FRAME.test(line));
	const inApp = frames.filter((line) => !LIBRARY_FRAME.test(line));
	const top = (inApp.length > 0 ? inApp : frames).slice(0, IN_APP_FRAMES).map((line) => mask(line.trim()));
	const digest = hash("sha256", [type, ...(top.length > 0 ? top : [mask(message)])].join("\n"), "buffer");
	return { high: digest.readUInt32BE(0), low: digest.readUInt32BE(4) };
}

/** Replaces UUIDs, hashes, hexadecimal and decimal numbers. */
function mask(text: string): string {
	return text
		.replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, "<id>")
		.replace(/\b0x[0-9a-f]+\b/gi, "<hex>")
		.replace(/\b(?=[a-f]*\d)[0-9a-f]{8,}\b/gi, "<hash>")
		.replace(/\d+/g, "<n>");
}
