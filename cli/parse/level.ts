import { type LogLevel, parseLevel } from "../../schema/wire/ingest.ts";

const WORDS =
	"trace|debug|verbose|info|information|notice|warn|warning|err|error|severe|crit|critical|alert|emerg|fatal|panic";
/** Capitals stand for a level anywhere near the start: `10:30:00 [main] WARN com.example - …`. */
const CAPITALS = new RegExp(`(?:^|[\\s\\[(<|:])(${WORDS.toUpperCase()})(?=[\\s\\])>|:,-]|$)`);
/** In other spellings they may be prose, so something must set them apart: `[error]`, `error:`, `level=warn`. */
const SET_APART = new RegExp(`\\[(${WORDS})\\]|^(${WORDS}):|\\b(?:level|lvl|severity)=["']?(${WORDS})\\b`, "i");
const NEAR_THE_START = 80;

/** The level that a line names, by the usual conventions; undefined when it names none. */
export function findLevel(text: string): LogLevel | undefined {
	const start = text.slice(0, NEAR_THE_START);
	const found = CAPITALS.exec(start)?.slice(1) ?? SET_APART.exec(start)?.slice(1);
	const word = found?.find((group) => group !== undefined)?.toLowerCase();
	if (word === undefined) return undefined;
	return word === "severe" ? "error" : parseLevel(word);
}

/** Severities of syslog, RFC 5424 §6.2.1. */
export const SYSLOG_LEVELS = ["critical", "critical", "critical", "error", "warning", "info", "info", "debug"] as const;

/** The level of a JSON log: a word, or a number as pino and bunyan write it. */
export function jsonLevel(value: unknown): LogLevel | undefined {
	if (typeof value === "string") return value.toLowerCase() === "severe" ? "error" : parseLevel(value);
	if (typeof value !== "number") return undefined;
	if (value < 30) return "debug";
	if (value < 40) return "info";
	if (value < 50) return "warning";
	return value < 60 ? "error" : "critical";
}
