import { Temporal } from "temporal-polyfill";
import { badParameter } from "../../http/errors.ts";
import { resolveWindow, type Window, type WindowQuery } from "./window.ts";

/** `[start, end)` in milliseconds since the epoch. */
export interface Span {
	readonly start: number;
	readonly end: number;
}

/** Calendar periods of the documents, to date; `today` and `day` are the same. */
const UNITS = { today: "days", day: "days", week: "weeks", month: "months", year: "years" } as const;
export type CalendarTimeframe = keyof typeof UNITS;

/** A calendar period to date in the zone of the request, or a window of its own, with what it is compared with. */
export interface Period extends Window {
	/** The whole period; it may end after `as_of`. */
	readonly whole: Span;
	/** The period before, cut at the same elapsed time: what growth compares with. */
	readonly previous: Span;
	/** The whole period before. */
	readonly previousWhole: Span;
}

export interface PeriodRules {
	/** Of this route, in the document's order. */
	readonly timeframes: readonly CalendarTimeframe[];
	readonly defaultTimeframe: CalendarTimeframe;
	readonly now: number;
}

/**
 * The period of a request. Weeks start on Monday; `start`/`end` make a window whose predecessor has its length.
 * @throws ApiError 400
 */
export function resolvePeriod(query: WindowQuery, { timeframes, defaultTimeframe, now }: PeriodRules): Period {
	const name = query.timeframe ?? defaultTimeframe;
	const timeframe = timeframes.find((candidate) => candidate === name);
	if (timeframe === undefined) {
		throw badParameter({ parameter: "timeframe", provided: name, valid_options: timeframes });
	}
	if (query.start !== undefined) {
		const window = resolveWindow(query, { timeframes: [], defaultTimeframe: "24h", now });
		const before = precedingSpan(window);
		return { ...window, whole: window, previous: before, previousWhole: before };
	}
	// The rolling start that comes with it is not used.
	const window = resolveWindow(
		{ ...query, timeframe: undefined },
		{ timeframes: ["24h"], defaultTimeframe: "24h", now },
	);
	return periodAt(timeframe, window);
}

/** The calendar period that an instant lies in. */
export function periodAt(timeframe: CalendarTimeframe, window: Pick<Window, "end" | "as_of" | "timezone">): Period {
	// A window that ends at midnight is of the day before: ends are not included.
	const last = Temporal.Instant.fromEpochMilliseconds(window.end - 1).toZonedDateTimeISO(window.timezone);
	const day = last.toPlainDate();
	const unit = UNITS[timeframe];
	const first =
		unit === "days"
			? day
			: unit === "weeks"
				? day.subtract({ days: day.dayOfWeek - 1 })
				: day.with(unit === "months" ? { day: 1 } : { day: 1, month: 1 });
	const startOf = (date: Temporal.PlainDate) => date.toZonedDateTime(window.timezone).epochMilliseconds;
	const start = startOf(first);
	const whole = { start, end: startOf(first.add({ [unit]: 1 })) };
	const previousWhole = { start: startOf(first.subtract({ [unit]: 1 })), end: start };
	const cut = Math.min(previousWhole.start + (window.end - start), previousWhole.end);
	return {
		...{ start, end: window.end, as_of: window.as_of, timezone: window.timezone, timeframe },
		...{ whole, previous: { start: previousWhole.start, end: cut }, previousWhole },
	};
}

/** The window of the same length that ends where this one starts. */
export function precedingSpan({ start, end }: Span): Span {
	return { start: start - (end - start), end: start };
}
