/** The window that a widget looks at, and what it is compared with. */
import type { DashboardTimeframe } from "../../../schema/wire/index.ts";
import { type CalendarTimeframe, periodAt, precedingSpan, type Span } from "../../time/period.ts";
import {
	type Grid,
	resolveGrid,
	resolveWindow,
	TIMEFRAME_SECONDS,
	type Timeframe,
	type Window,
} from "../../time/window.ts";

const ROLLING = Object.keys(TIMEFRAME_SECONDS) as Timeframe[];
const CALENDAR: Partial<Record<DashboardTimeframe, CalendarTimeframe>> = {
	...{ "1d": "today", today: "today", week: "week", month: "month", year: "year" },
};
/** Buckets of a calendar period, as coarse as those of a rolling one of its length. */
const USUAL: Readonly<Record<CalendarTimeframe, string>> = {
	...{ today: "1h", day: "1h", week: "1h", month: "1d", year: "1d" },
};

/** How a window is named; all but the timeframe are texts as they were sent. */
export interface AskedWindow {
	/** Not beside `start`. */
	readonly timeframe?: DashboardTimeframe | undefined;
	readonly start?: string | undefined;
	readonly end?: string | undefined;
	readonly as_of?: string | undefined;
	readonly timezone: string;
}

/** @throws ApiError 400 */
export function widgetWindow(asked: AskedWindow, now: number): Window & { readonly previous: Span } {
	const calendar = asked.timeframe && CALENDAR[asked.timeframe];
	const rules = { timeframes: ROLLING, defaultTimeframe: "24h", now } as const;
	// Refused where it comes beside a start, whichever it is.
	if (calendar === undefined || asked.start !== undefined) {
		const window = resolveWindow(asked, rules);
		return { ...window, previous: precedingSpan(window) };
	}
	const { start, end, as_of, timezone, previous } = periodAt(
		calendar,
		resolveWindow({ ...asked, timeframe: undefined }, rules),
	);
	return { start, end, as_of, timezone, timeframe: asked.timeframe!, previous };
}

/** The window in buckets. @throws ApiError 400 */
export function widgetGrid(asked: AskedWindow, granularity: string | undefined, now: number): Grid {
	const rules = { timeframes: ROLLING, defaultTimeframe: "24h", now } as const;
	const calendar = asked.timeframe && CALENDAR[asked.timeframe];
	if (calendar === undefined) return resolveGrid({ ...asked, granularity }, rules);
	const { start, end, as_of, timezone, timeframe } = widgetWindow(asked, now);
	const text = (ms: number) => new Date(ms).toISOString();
	const exact = { start: text(start), end: text(end), as_of: text(as_of), timezone };
	return { ...resolveGrid({ ...exact, granularity: granularity ?? USUAL[calendar] }, rules), timeframe };
}
