/** From a line of the program's own log to a log record. */
import type { LogLevel, LogRecord } from "../../schema/wire/ingest.ts";

/** The component of what does not name its own. */
export const OWN_COMPONENT = "tidemark";

/** pino's numbers. Less severe lines stay on the terminal. */
const LEVELS: Readonly<Record<number, LogLevel>> = { 30: "info", 40: "warning", 50: "error", 60: "critical" };

/** Names whose values are nobody's business, whatever the spelling: apiKey, api_key, redis-password, Set-Cookie. */
const SECRET_NAME = /(?:key|secret|password|passwd|passphrase|token|authorization|cookie|credentials?)$/i;
/** Secrets within a text: user and password of a URL, a bearer token, `password=…`. */
const SECRET_TEXTS: readonly [RegExp, string][] = [
	[/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, "$1[redacted]@"],
	[/\b(Bearer|Basic) +[\w.~+/=-]{8,}/gi, "$1 [redacted]"],
	[/\b((?:password|passwd|secret|token|api_?key)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s&,;"']+)/gi, "$1[redacted]"],
];
const REDACTED = "[redacted]";
const MAX_DEPTH = 8;

/** @returns undefined for a line that is below `info`, or no line of pino's */
export function logRecord(line: string): LogRecord | undefined {
	const entry = parse(line);
	const level = LEVELS[entry?.level as number];
	if (!entry || !level) return undefined;
	const { level: _, time, msg, component, pid: __, hostname: ___, ...context } = entry;
	return {
		message: redactText(typeof msg === "string" ? msg : ""),
		level,
		component: typeof component === "string" && component !== "" ? component : OWN_COMPONENT,
		...(typeof time === "number" ? { timestamp: time } : {}),
		...(Object.keys(context).length > 0 ? { context: redact(context, MAX_DEPTH) as Record<string, unknown> } : {}),
	};
}

function parse(line: string): Record<string, unknown> | undefined {
	try {
		const value: unknown = JSON.parse(line);
		return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
	} catch {
		return undefined;
	}
}

function redact(value: unknown, depth: number): unknown {
	if (typeof value === "string") return redactText(value);
	if (typeof value !== "object" || value === null) return value;
	if (depth === 0) return "[deeper]";
	if (Array.isArray(value)) return value.map((item) => redact(item, depth - 1));
	return Object.fromEntries(
		Object.entries(value).map(([name, member]) => [
			name,
			SECRET_NAME.test(name) && member !== null ? REDACTED : redact(member, depth - 1),
		]),
	);
}

function redactText(text: string): string {
	return SECRET_TEXTS.reduce((rest, [pattern, by]) => rest.replace(pattern, by), text);
}
