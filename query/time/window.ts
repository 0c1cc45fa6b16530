import { badParameter } from "../../http/errors.ts";
import { GRANULARITIES, type Granularity, tierOf } from "../../schema/granularity.ts";
import { isTimezone } from "../../schema/timezone.ts";
import { alignDown, type Buckets, bucketsOver } from "./buckets.ts";
import { parseInstant } from "./instant.ts";

/** Seconds of the rolling timeframes of the documents. */
export const TIMEFRAME_SECONDS = {
	"1h": 3_600,
	"6h": 21_600,
	"24h": 86_400,
	"7d": 604_800,
	"30d": 2_592_000,
} as const;
export type Timeframe = keyof typeof TIMEFRAME_SECONDS;

/** Points that `auto` stays under. */
export const AUTO_POINTS = 1_500;
/** Points that are refused beyond. */
export const MAX_POINTS = 11_000;

/** The granularity of a timeframe that names none. */
const USUAL: Readonly<Record<Timeframe, Granularity>> = {
	"1h": "1m",
	"6h": "5m",
	"24h": "1h",
	"7d": "1h",
	"30d": "1d",
};

/** How a request names its window; all are texts as they were sent. */
export interface WindowQuery {
	readonly timeframe?: string | undefined;
	readonly start?: string | undefined;
	readonly end?: string | undefined;
	readonly as_of?: string | undefined;
	readonly timezone?: string | undefined;
}

/** What a question is about: `[start, end)` in milliseconds since the epoch. */
export interface Window {
	readonly start: number;
	readonly end: number;
	/** No record at or after this instant counts. */
	readonly as_of: number;
	readonly timezone: string;
	/** As asked for, or `custom` for `start`/`end`. */
	readonly timeframe: string;
}

/** A window with its buckets. */
export interface Grid extends Window {
	readonly buckets: Buckets;
}

export interface WindowRules {
	/** Of this route, in the document's order. */
	readonly timeframes: readonly Timeframe[];
	readonly defaultTimeframe: Timeframe;
	readonly now: number;
	/** Names of the parameters where the document has others. */
	readonly names?: { readonly start: string; readonly end: string };
}

/**
 * The window of a request without buckets: a rolling one starts at exactly `as_of − timeframe`.
 * @throws ApiError 400
 */
export function resolveWindow(query: WindowQuery, rules: WindowRules): Window {
	const names = rules.names ?? { start: "start", end: "end" };
	const timezone = query.timezone ?? "UTC";
	if (!isTimezone(timezone)) {
		throw badParameter({
			parameter: "timezone",
			provided: timezone,
			valid_options: ["an IANA zone such as UTC, Europe/Berlin, Asia/Kathmandu"],
		});
	}
	const instant = (parameter: string, text: string | undefined) => {
		if (text === undefined) return undefined;
		const at = parseInstant(text, timezone);
		if (at === undefined) {
			throw badParameter({
				parameter,
				provided: text,
				valid_options: ["RFC 3339, such as 2026-01-02T03:04:05Z", "seconds, ms, µs or ns since 1970"],
			});
		}
		return at;
	};
	const as_of = instant("as_of", query.as_of) ?? rules.now;
	const start = instant(names.start, query.start);
	const asked = instant(names.end, query.end) ?? as_of;
	const end = Math.min(asked, as_of);
	if (start !== undefined) {
		if (query.timeframe !== undefined) {
			throw badParameter({
				parameter: "timeframe",
				provided: query.timeframe,
				valid_options: [],
				reason: `timeframe and ${names.start} name two windows: send one of them`,
			});
		}
		if (start >= end) {
			throw badParameter({
				parameter: names.start,
				provided: query.start,
				valid_options: [`before ${new Date(end).toISOString()}`],
				reason: `${names.start} must be before ${names.end} and as_of`,
			});
		}
		return { start, end, as_of, timezone, timeframe: "custom" };
	}
	const timeframe = timeframeOf(query.timeframe ?? rules.defaultTimeframe, rules.timeframes);
	return { start: end - TIMEFRAME_SECONDS[timeframe] * 1_000, end, as_of, timezone, timeframe };
}

/**
 * The window of a request with buckets: a rolling one starts at the bucket boundary at or before `as_of − timeframe`.
 * @param granularity `auto`, one of the ladder, or undefined for the usual one of the timeframe
 * @throws ApiError 400
 */
export function resolveGrid(query: WindowQuery & { granularity?: string | undefined }, rules: WindowRules): Grid {
	const window = resolveWindow(query, rules);
	const granularity = granularityOf(query.granularity, window);
	if (pointsOf(window, granularity) > MAX_POINTS + 1) throw tooManyPoints(window, granularity, rules.timeframes);
	const start = window.timeframe === "custom" ? window.start : alignDown(window.start, granularity, window.timezone);
	return { ...window, start, buckets: bucketsOver(start, window.end, granularity, window.timezone) };
}

function timeframeOf(text: string, timeframes: readonly Timeframe[]): Timeframe {
	const found = timeframes.find((timeframe) => timeframe === text);
	if (found === undefined) {
		throw badParameter({ parameter: "timeframe", provided: text, valid_options: timeframes });
	}
	return found;
}

function granularityOf(text: string | undefined, window: Window): Granularity {
	if (text === undefined && window.timeframe in USUAL) return USUAL[window.timeframe as Timeframe];
	if (text === undefined || text === "auto") {
		return GRANULARITIES.find((granularity) => pointsOf(window, granularity) <= AUTO_POINTS) ?? "1d";
	}
	const found = GRANULARITIES.find((granularity) => granularity === text);
	if (found === undefined) {
		throw badParameter({ parameter: "granularity", provided: text, valid_options: [...GRANULARITIES, "auto"] });
	}
	return found;
}

function pointsOf(window: { start: number; end: number }, granularity: Granularity): number {
	return Math.ceil((window.end - window.start) / 1_000 / tierOf(granularity).step_seconds);
}

function tooManyPoints(window: Window, granularity: Granularity, timeframes: readonly Timeframe[]) {
	const fits = (w: { start: number; end: number }) =>
		GRANULARITIES.filter((candidate) => pointsOf(w, candidate) <= MAX_POINTS);
	return badParameter({
		parameter: "granularity",
		provided: granularity,
		valid_options: fits(window),
		reason: `${granularity} over this window is ${pointsOf(window, granularity)} points, at most ${MAX_POINTS} are answered`,
		allowed_pairs: Object.fromEntries(
			timeframes.map((timeframe) => [timeframe, fits({ start: 0, end: TIMEFRAME_SECONDS[timeframe] * 1_000 })]),
		),
	});
}
