// JSON lines: Tidemark's own records, and the logs of the usual JSON loggers.
import { jsonLevel } from "./level.ts";
import { type FoundLog, type LineParser, logJson, type Parsed } from "./record.ts";

export const RECORD_TYPES = ["metric", "event", "log", "error", "profile"] as const;
export type RecordType = (typeof RECORD_TYPES)[number];

/** Members that loggers put the same thing into, the first that is there. */
const MESSAGE = ["message", "msg", "@message", "log", "text"];
const LEVEL = ["level", "severity", "lvl", "levelname", "log.level"];
const TIME = ["timestamp", "time", "ts", "@timestamp", "t", "datetime"];
const COMPONENT = ["component", "logger", "service", "name", "logger_name", "module"];
const TRACE = ["trace_id", "traceId", "trace.id"];
const SPAN = ["span_id", "spanId", "span.id"];

/**
 * Parses JSON lines. A line with one of our types is sent as it is; one without is of type `type`, or of the type that
 * its members tell, or a line of a JSON logger.
 */
export function ndjsonParser(type?: RecordType, component?: string): LineParser {
	return {
		push({ text, number, offset }): Parsed[] {
			if (text.trim() === "") return [];
			const record = parse(text);
			if (!record) return [{ line: number, problem: "not a JSON object" }];
			return [{ line: number, offset, json: toBatchLine(text, record, type, component) }];
		},
		end: () => [],
	};
}

export function isJsonObject(text: string): boolean {
	return parse(text) !== undefined;
}

function toBatchLine(
	text: string,
	record: Record<string, unknown>,
	type: RecordType | undefined,
	component: string | undefined,
): string {
	if (isType(record.type) && isMeantAs(record, record.type)) return text;
	const own = type ?? guessType(record);
	// The text itself goes on, since a number that JavaScript would round keeps its digits that way.
	if (own)
		return Object.keys(record).length === 0 ? `{"type":"${own}"}` : `{"type":"${own}",${withoutType(text, record)}`;
	return logJson({ ...(component && { component }), ...foreignLog(record) });
}

/** What follows the opening brace. A `type` of its own would win over ours, as the last of two members does. */
function withoutType(text: string, record: Record<string, unknown>): string {
	const { type, ...rest } = record;
	return (type === undefined ? text.trim() : JSON.stringify(rest)).slice(1);
}

function guessType(record: Record<string, unknown>): RecordType | undefined {
	return RECORD_TYPES.find((type) => isOwn(record, type));
}

/** Whether a line with one of our types is a record of ours, right or wrong, and not a logger's that has such a member. */
function isMeantAs(record: Record<string, unknown>, type: RecordType): boolean {
	if (isOwn(record, type)) return true;
	return MESSAGE.every((name) => !(name in record));
}

/** Whether it has what tells a record of the type. */
function isOwn(record: Record<string, unknown>, type: RecordType): boolean {
	switch (type) {
		case "metric":
			return typeof record.name === "string" && ("value" in record || "values" in record);
		case "event":
			return typeof record.event === "string" && MESSAGE.every((name) => !(name in record));
		case "error":
			return "error_message" in record;
		case "profile":
			return "operation" in record && "wall_ns" in record;
		case "log":
			return Object.keys(record).every((name) => LOG_MEMBERS.has(name)) && typeof record.message === "string";
	}
}

const LOG_MEMBERS = new Set(["type", "message", "level", "component", "context", "trace_id", "span_id", "timestamp"]);

/** A line of pino, bunyan, winston, zap, logrus, structlog, …: what is known goes to its place, the rest is context. */
function foreignLog(record: Record<string, unknown>): FoundLog {
	const rest = { ...record };
	const take = (names: string[], fits: (value: unknown) => boolean) => {
		const name = names.find((one) => fits(rest[one]));
		if (name === undefined) return undefined;
		const value = rest[name];
		delete rest[name];
		return value;
	};
	const isText = (value: unknown) => typeof value === "string" && value !== "";
	const message = take(MESSAGE, isText) as string | undefined;
	const level = take(LEVEL, (value) => jsonLevel(value) !== undefined);
	const timestamp = take(TIME, isTime) as string | number | undefined;
	const component = take(COMPONENT, isText) as string | undefined;
	const trace_id = take(TRACE, isText) as string | undefined;
	const span_id = take(SPAN, isText) as string | undefined;
	return {
		message: message ?? JSON.stringify(record),
		...(level !== undefined && { level: jsonLevel(level) }),
		...(timestamp !== undefined && { timestamp }),
		...(component && { component }),
		...(trace_id && { trace_id }),
		...(span_id && { span_id }),
		...(message !== undefined && Object.keys(rest).length > 0 && { context: rest }),
	};
}

function isTime(value: unknown): boolean {
	if (typeof value === "number") return value > 1e8;
	return typeof value === "string" && /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)$/i.test(value);
}

function isType(value: unknown): value is RecordType {
	return (RECORD_TYPES as readonly unknown[]).includes(value);
}

function parse(text: string): Record<string, unknown> | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null && !Array.isArray(value)
			? (value as Record<string, unknown>)
			: undefined;
	} catch {
		return undefined;
	}
}
