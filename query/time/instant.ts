import { Temporal } from "temporal-polyfill";

/** Times before and after are not of this program: 1970 to 2100, which `DateTime` columns hold. */
const MAX_MS = 4_102_444_800_000;

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const LOCAL = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/i;
const RFC3339 = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/i;

/**
 * Milliseconds since the epoch of a time in a request: RFC 3339, epoch in s, ms, µs or ns (told apart by size), or a date with or
 * without a time that is meant in `timezone`. `undefined` when it is none of these.
 */
export function parseInstant(text: string, timezone: string): number | undefined {
	const ms = parse(text.trim(), timezone);
	return ms !== undefined && ms >= 0 && ms <= MAX_MS ? ms : undefined;
}

function parse(text: string, timezone: string): number | undefined {
	if (/^\d+(\.\d+)?$/.test(text)) return fromEpoch(Number(text));
	try {
		// A plus sign that was not escaped in a URL arrives as a space.
		const exact = text.replace(/ (?=\d{2}:?\d{2}$)/, "+");
		if (RFC3339.test(exact)) return Temporal.Instant.from(exact.replace(" ", "T")).epochMilliseconds;
		if (DATE.test(text)) return Temporal.PlainDate.from(text).toZonedDateTime(timezone).epochMilliseconds;
		if (LOCAL.test(text)) return Temporal.PlainDateTime.from(text).toZonedDateTime(timezone).epochMilliseconds;
	} catch {
		// A 30th of February and its like: no time.
	}
	return undefined;
}

function fromEpoch(value: number): number {
	if (value < 1e11) return Math.floor(value * 1_000);
	if (value < 1e14) return Math.floor(value);
	if (value < 1e17) return Math.floor(value / 1e3);
	return Math.floor(value / 1e6);
}
