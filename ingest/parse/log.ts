import { type LogLevel, logRecord, parseLevel, RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import type { LogRow } from "../batch.ts";
import { explain, Problem } from "./problem.ts";
import { fits, isDocument, isId, isObject } from "./text.ts";
import { parseTimestamp, type TimeBounds } from "./time.ts";

const CUT_MARK = " …[cut]";

/** Checks one log record. A line without a level is `info`; a message over the limit is cut and marked. */
export function parseLog(record: unknown, bounds: TimeBounds): LogRow | Problem {
	if (!isObject(record)) return new Problem("", "must be an object");
	const { message, component, trace_id, span_id } = record;
	const level = parseLevelMember(record.level, "info");
	const context = record.context;
	if (typeof message !== "string" || !level || !isId(component) || !isId(trace_id) || !isId(span_id)) {
		return explain(logRecord, record);
	}
	if (context !== undefined && !isDocument(context)) return explain(logRecord, record);
	const ts = parseTimestamp(record.timestamp, bounds);
	if (ts instanceof Problem) return ts;
	const contextText = documentText(context, "context");
	if (contextText instanceof Problem) return contextText;
	return {
		ts,
		level,
		component: component ?? "",
		message: cut(message),
		context: contextText,
		trace_id: trace_id ?? "",
		span_id: span_id ?? "",
	};
}

export function parseLevelMember(level: unknown, absent: LogLevel): LogLevel | undefined {
	if (level === undefined) return absent;
	return typeof level === "string" ? parseLevel(level) : undefined;
}

/** A context as JSON text, empty when there is none. */
export function documentText(document: Record<string, unknown> | undefined, field: string): string | Problem {
	if (document === undefined) return "";
	const text = JSON.stringify(document);
	return fits(text, RECORD_LIMITS.documentBytes)
		? text
		: new Problem(field, `larger than ${RECORD_LIMITS.documentBytes} bytes`);
}

/** At most 64 KiB of a text, cut between characters and marked. */
export function cut(message: string): string {
	if (fits(message, RECORD_LIMITS.messageBytes)) return message;
	const room = RECORD_LIMITS.messageBytes - Buffer.byteLength(CUT_MARK);
	const bytes = Buffer.from(message.slice(0, RECORD_LIMITS.messageBytes));
	let end = room;
	// Not into the middle of a character: continuation bytes are 10xxxxxx.
	while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
	return bytes.toString("utf8", 0, end) + CUT_MARK;
}
