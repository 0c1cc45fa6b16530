// Timestamps as log files write them. Pure: the year that a format leaves out comes from a reference time.

/** A time found in a text. */
export interface FoundTime {
	/** Milliseconds since the epoch. */
	ms: number;
	/** Where it ends in the text, with the brackets around it. */
	end: number;
	/** klog writes the level as a letter before the time. */
	level?: string;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const FRACTION = "(?:[.,](?<fraction>\\d{1,9}))?";
const CLOCK = `(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)${FRACTION}`;
const ZONE = "(?:\\s?(?<zone>Z|UTC|GMT|[+-]\\d\\d:?\\d\\d))?";
const MONTH = "(?<monthName>[A-Z][a-z]{2})";
const EDGE = "(?=[\\s\\],;:|]|$)";

/** Each is tried at the start of the text, behind an optional opening bracket. */
const FORMATS = [
	// 2024-01-15T10:30:00.123Z, 2024/01/15 10:30:00
	`(?<year>\\d{4})[-/](?<month>\\d\\d)[-/](?<day>\\d\\d)[T ]${CLOCK}${ZONE}`,
	// 15/Jan/2024:10:30:00 +0000
	`(?<day>\\d\\d)/${MONTH}/(?<year>\\d{4})[: ]${CLOCK}${ZONE}`,
	// Mon Jan 15 10:30:00.123456 2024
	`(?:[A-Z][a-z]{2} )${MONTH} {1,2}(?<day>\\d{1,2}) ${CLOCK} (?<year>\\d{4})`,
	// Jan 15 10:30:00
	`${MONTH} {1,2}(?<day>\\d{1,2}) ${CLOCK}`,
	// I0115 10:30:00.123456
	`(?<letter>[IWEF])(?<month>\\d\\d)(?<day>\\d\\d) ${CLOCK}`,
	// 1705314600, 1705314600.123, 1705314600123
	`(?<epoch>1\\d{9})${FRACTION}`,
	`(?<epochMs>1\\d{12})`,
].map((format) => new RegExp(`^${format}${EDGE}`));

const KLOG_LEVELS: Record<string, string> = { I: "info", W: "warning", E: "error", F: "critical" };

/**
 * The time at the start of a text, in brackets or not. Without a zone in the text it is local time, as the machine that
 * reads it has it.
 *
 * @param referenceMs a time near which the text was written; a time without a year is put into the year that brings it
 * closest, but at most a day, after it
 */
export function leadingTime(text: string, referenceMs: number): FoundTime | undefined {
	const bracket = text.startsWith("[");
	const body = bracket ? text.slice(1) : text;
	for (const format of FORMATS) {
		const match = format.exec(body);
		const ms = match && timeOf(match.groups ?? {}, referenceMs);
		if (!match || ms === undefined || ms === null) continue;
		let end = match[0].length;
		if (bracket) {
			const close = body.slice(end, end + 20).indexOf("]");
			if (close === -1) return undefined;
			end += close + 2;
		}
		const level = KLOG_LEVELS[match.groups?.letter ?? ""];
		return { ms, end, ...(level && { level }) };
	}
	return undefined;
}

/** The time in the first brackets of a line, where web servers write it. */
export function bracketedTime(text: string, referenceMs: number): FoundTime | undefined {
	const open = text.indexOf("[");
	if (open <= 0 || open > 300) return undefined;
	const found = leadingTime(text.slice(open), referenceMs);
	return found && { ...found, end: open + found.end };
}

function timeOf(parts: Record<string, string | undefined>, referenceMs: number): number | undefined {
	const millis = Number(`0.${parts.fraction ?? "0"}`) * 1000;
	if (parts.epoch) return Math.floor(Number(parts.epoch) * 1000 + millis);
	if (parts.epochMs) return Number(parts.epochMs);
	const month = parts.month ? Number(parts.month) - 1 : MONTHS.indexOf(parts.monthName?.toLowerCase() ?? "");
	const clock = [Number(parts.hour), Number(parts.minute), Number(parts.second)] as const;
	if (clock[0] > 23 || clock[1] > 59 || clock[2] > 60) return undefined;
	const at = (year: number) => epochOf([year, month, Number(parts.day)], clock, Math.floor(millis), parts.zone);
	if (parts.year) return at(Number(parts.year));
	const year = new Date(referenceMs).getUTCFullYear();
	// From next year down: the first that is not in the future is the closest.
	for (const candidate of [year + 1, year, year - 1]) {
		const ms = at(candidate);
		if (ms !== undefined && ms <= referenceMs + 86_400_000) return ms;
	}
	return undefined;
}

function epochOf(
	[year, month, day]: readonly [number, number, number],
	clock: readonly [number, number, number],
	millis: number,
	zone: string | undefined,
): number | undefined {
	// A month or a day that does not exist would roll over into another.
	const calendar = new Date(Date.UTC(year, month, day));
	if (month < 0 || calendar.getUTCMonth() !== month || calendar.getUTCDate() !== day) return undefined;
	if (zone === undefined) return new Date(year, month, day, ...clock, millis).getTime();
	const offset = /([+-])(\d\d):?(\d\d)/.exec(zone);
	const minutes = offset ? (Number(offset[2]) * 60 + Number(offset[3])) * (offset[1] === "-" ? -1 : 1) : 0;
	return Date.UTC(year, month, day, ...clock, millis) - minutes * 60_000;
}
