/** The window of a compliance report. */
import { Temporal } from "temporal-polyfill";
import { badParameter } from "../../http/errors.ts";
import { COMPLIANCE_TIMEFRAMES } from "../../schema/wire/index.ts";
import { resolveWindow, type Window, type WindowQuery } from "../time/window.ts";

const MONTHS = { month: 1, quarter: 3, year: 12 } as const;

/**
 * Calendar periods in the zone: `quarter` from its first day to `as_of`, `previous_quarter` the whole one before it; `90d` ends at
 * `as_of`.
 * @throws ApiError 400
 */
export function resolvePeriod(query: WindowQuery, now: number): Window {
	const { timeframe: asked, ...rest } = query;
	if (asked !== undefined && !COMPLIANCE_TIMEFRAMES.includes(asked)) {
		throw badParameter({ parameter: "timeframe", provided: asked, valid_options: COMPLIANCE_TIMEFRAMES });
	}
	if (query.start !== undefined) {
		if (asked === undefined) return resolveWindow(rest, { timeframes: ["30d"], defaultTimeframe: "30d", now });
		const reason = "timeframe and start name two windows: send one of them";
		throw badParameter({ parameter: "timeframe", provided: asked, valid_options: [], reason });
	}
	const timeframe = asked ?? "quarter";
	const window = resolveWindow(rest, { timeframes: ["30d"], defaultTimeframe: "30d", now });
	const days = /^(\d+)d$/.exec(timeframe)?.[1];
	const end = Temporal.Instant.fromEpochMilliseconds(window.end).toZonedDateTimeISO(window.timezone);
	if (days !== undefined) {
		return { ...window, timeframe, start: end.subtract({ days: Number(days) }).epochMilliseconds };
	}
	const months = MONTHS[timeframe.replace("previous_", "") as keyof typeof MONTHS];
	// A window that ends as a period does is the whole of it, not the empty one after it.
	const last = end.subtract({ nanoseconds: 1 });
	const first = Temporal.PlainDate.from({ year: last.year, month: last.month - ((last.month - 1) % months), day: 1 });
	const at = (date: Temporal.PlainDate) => date.toZonedDateTime(window.timezone).epochMilliseconds;
	if (!timeframe.startsWith("previous_")) return { ...window, timeframe, start: at(first) };
	return { ...window, timeframe, start: at(first.subtract({ months })), end: at(first) };
}
