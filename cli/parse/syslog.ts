// Syslog, as sent (RFC 3164, RFC 5424) and as kept in files (no priority; ISO time with rsyslog's newer defaults).
import { findLevel, jsonLevel, SYSLOG_LEVELS } from "./level.ts";
import { joiningParser } from "./plain.ts";
import type { FoundLog, LineParser } from "./record.ts";
import { leadingTime } from "./time.ts";

const FACILITIES = [
	..."kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock".split(" "),
	...Array.from({ length: 8 }, (_, n) => `local${n}`),
];

/** The two that syslog daemons write; applications write the others. */
const SYSLOG_TIME = /^(?:[A-Z][a-z]{2} [ \d]\d |\d{4}-\d\d-\d\dT)/;

/** Parses syslog; lines that are none (a message of several lines) are joined to the one before. */
export function syslogParser(referenceMs: number): LineParser {
	return joiningParser((line) => parseSyslog(line, referenceMs));
}

/**
 * The log record of a line of syslog, undefined when it is none.
 *
 * @param referenceMs a time near which it was written, since RFC 3164 has no year
 */
export function parseSyslog(line: string, referenceMs: number): FoundLog | undefined {
	const priority = /^<(\d{1,3})>/.exec(line);
	if (!priority) return parseTraditional(line, undefined, referenceMs);
	const value = Number(priority[1]);
	if (value > 191) return undefined;
	const rest = line.slice(priority[0].length);
	return rest.startsWith("1 ") ? parse5424(rest.slice(2), value) : parseTraditional(rest, value, referenceMs);
}

/** `TIMESTAMP HOST TAG[PID]: MESSAGE` */
function parseTraditional(text: string, priority: number | undefined, referenceMs: number): FoundLog | undefined {
	if (!SYSLOG_TIME.test(text)) return undefined;
	const time = leadingTime(text, referenceMs);
	if (!time) return undefined;
	const match = /^ (?<host>[^\s:[\]]+) (?<tag>[^\s:[\]]{1,64})(?:\[(?<pid>[^\]]*)\])?: ?(?<message>.*)$/s.exec(
		text.slice(time.end),
	);
	if (!match?.groups) return undefined;
	const { host, tag, pid, message } = match.groups;
	// `2024-01-15T10:30:00Z WARN pool: …` is an application's line.
	if (jsonLevel(host) !== undefined) return undefined;
	return {
		message: message!,
		level: priority === undefined ? findLevel(message!) : SYSLOG_LEVELS[priority % 8],
		component: tag,
		context: { host, ...(pid && { pid }), ...facility(priority) },
		timestamp: time.ms,
	};
}

/** `TIMESTAMP HOST APP PROCID MSGID STRUCTURED-DATA [MESSAGE]`, each `-` when there is none. */
function parse5424(text: string, priority: number): FoundLog | undefined {
	const match = /^(\S+) (\S+) (\S+) (\S+) (\S+) /.exec(text);
	if (!match) return undefined;
	const [timestamp, host, app, pid, id] = match.slice(1).map((part) => (part === "-" ? undefined : part));
	if (timestamp !== undefined && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(timestamp))
		return undefined;
	const data = structuredData(text.slice(match[0].length));
	if (!data) return undefined;
	const rest = text.slice(match[0].length + data.end);
	if (rest !== "" && !rest.startsWith(" ")) return undefined;
	return {
		// A message in UTF-8 may say so with a byte order mark.
		message: rest.slice(1).replace(/^\uFEFF/, ""),
		level: SYSLOG_LEVELS[priority % 8],
		component: app,
		context: {
			...(host && { host }),
			...(pid && { pid }),
			...(id && { message_id: id }),
			...facility(priority),
			...(Object.keys(data.elements).length > 0 && { structured_data: data.elements }),
		},
		timestamp,
	};
}

/** `-`, or elements `[id name="value" …]`; in a value `\"`, `\\` and `\]` stand for the character. */
function structuredData(text: string): { elements: Record<string, Record<string, string>>; end: number } | undefined {
	if (text.startsWith("-")) return { elements: {}, end: 1 };
	const elements: Record<string, Record<string, string>> = Object.create(null);
	const element = /\[([^\s=\]"]{1,32})((?: [^\s=\]"]{1,32}="(?:[^"\\\]]|\\.)*")*)\]/sy;
	let end = 0;
	for (let match = element.exec(text); match; match = element.exec(text)) {
		const values: Record<string, string> = Object.create(null);
		for (const [, name, value] of match[2]!.matchAll(/ ([^\s=\]"]+)="((?:[^"\\\]]|\\.)*)"/gs)) {
			values[name!] = value!.replace(/\\(["\\\]])/g, "$1");
		}
		elements[match[1]!] = values;
		end = element.lastIndex;
	}
	return end > 0 ? { elements, end } : undefined;
}

function facility(priority: number | undefined): { facility?: string } {
	const name = priority === undefined ? undefined : FACILITIES[priority >> 3];
	return name ? { facility: name } : {};
}
