/** Which tiers answer a question: the coarsest that serves the middle of the window, finer ones and raw points at its ends. */
import { LADDER, type Tier } from "../../schema/granularity.ts";
import type { Buckets } from "../time/buckets.ts";

/** A tier, or the raw points. */
export type Source = Tier | "raw";

/** `[from, to)` in milliseconds since the epoch, read from one source: of a tier, the buckets that begin in it. */
export interface Piece {
	readonly source: Source;
	readonly from: number;
	readonly to: number;
}

export interface Plan {
	/** In the order of time, without gap or overlap. */
	readonly pieces: readonly Piece[];
	/** The source of the greatest part of the window. */
	readonly main: Source;
}

/** How far back each source reaches, in days. */
export interface Reach {
	readonly raw_days: number;
	/** Logs, errors and profiles, which have no tiers. */
	readonly logs_days: number;
	readonly tier_days: (tier: Tier) => number;
	/** Events, of a project that keeps them for less time than the server. */
	readonly events_days?: number | undefined;
	/** Since when nothing that the project ever sent is gone, where it wants less than the server keeps. */
	readonly whole_days?: number | undefined;
}

export interface PlanRequest {
	/** Milliseconds since the epoch. */
	readonly start: number;
	readonly end: number;
	/** Where values may not be mixed; absent for one value over the window. */
	readonly buckets?: Buckets | undefined;
	/** Only raw points hold the answer, for instance percentiles by a tag. */
	readonly rawOnly?: boolean;
	/** Event time of the newest point there is, milliseconds since the epoch; absent: unknown. */
	readonly newest?: number | undefined;
	/** The real clock, not `as_of`: retention does not wait. */
	readonly now: number;
	readonly reach: Reach;
}

/** No source that still holds the window can answer rightly. */
export class RetentionError extends Error {
	override readonly name = "RetentionError";
	/** Start of what could be answered, milliseconds since the epoch. */
	readonly oldest: number;

	constructor(message: string, oldest: number) {
		super(message);
		this.oldest = oldest;
	}
}

/** Finer tiers than the main one for the ends of a window; steps between them would cost a scan and save nothing. */
const END_TIERS = ["1d", "1h"];
/**
 * Takes the place of raw points at the ends only where those are gone. A scan reads at least a granule of every series: of a
 * month in the 1m tier, of a day in the raw points.
 */
const OLD_END_TIER = "1m";

/**
 * Splits the window into pieces.
 * @throws RetentionError when a piece that is needed is no longer kept
 */
export function plan(request: PlanRequest): Plan {
	const { start, end, buckets } = request;
	const boundaries = buckets ? buckets.starts.filter((at) => at * 1_000 > start && at * 1_000 < end) : [];
	const serving = request.rawOnly
		? []
		: LADDER.filter((tier) => boundaries.every((at) => at % tier.step_seconds === 0));
	const main = serving.at(-1);
	const isRawKept = start >= keptFrom("raw", request);
	// Windows that are asked for every minute are of minutes: a point more or less is not worth the raw points of all series.
	const ends = isRawKept && !buckets?.trailing ? END_TIERS : [...END_TIERS, OLD_END_TIER];
	const tiers = serving
		.filter((tier) => tier === main || ends.includes(tier.name))
		.sort((a, b) => b.step_seconds - a.step_seconds);
	// Where nothing lies behind the window, the bucket that it ends in holds nothing else: the usual case, a window up to now.
	const settled = request.newest !== undefined && request.newest < end;
	const pieces = cover(start, end, tiers, settled);
	for (const piece of pieces) assertKept(piece, request);
	const longest = [...pieces].sort((a, b) => b.to - b.from - (a.to - a.from))[0];
	return { pieces, main: longest?.source ?? "raw" };
}

/**
 * Coarsest first; what a tier cannot cover with whole buckets falls to the next.
 * @param settled whether a bucket may reach beyond `to`
 */
function cover(from: number, to: number, tiers: readonly Tier[], settled = false): Piece[] {
	if (from >= to) return [];
	const [tier, ...finer] = tiers;
	if (!tier) return [{ source: "raw", from, to }];
	const step = tier.step_seconds * 1_000;
	const first = Math.ceil(from / step) * step;
	const last = settled ? to : Math.floor(to / step) * step;
	if (first >= last) return cover(from, to, finer, settled);
	return [...cover(from, first, finer), { source: tier, from: first, to: last }, ...cover(last, to, finer)];
}

type Clock = Pick<PlanRequest, "now" | "reach">;

/** Since when logs, errors and profiles are there, milliseconds since the epoch. */
export function logsKeptFrom({ now, reach }: Clock): number {
	return now - reach.logs_days * 86_400_000;
}

/**
 * @param start of the window, or the project's first record when that is later: nothing is lost before it
 * @throws RetentionError
 */
export function assertLogsKept(what: string, start: number, clock: Clock): void {
	const oldest = logsKeptFrom(clock);
	if (start >= oldest) return;
	throw new RetentionError(`${what} are kept for ${clock.reach.logs_days} days`, oldest);
}

/** Since when the events are there of a project that keeps them for less time than the server, milliseconds since the epoch. */
export function eventsKeptFrom({ now, reach }: Clock): number {
	return reach.events_days === undefined ? Number.NEGATIVE_INFINITY : now - reach.events_days * 86_400_000;
}

/**
 * @param start of a window that is asked of events
 * @throws RetentionError
 */
export function assertEventsKept(start: number, clock: Clock): void {
	const oldest = eventsKeptFrom(clock);
	if (start < oldest) throw new RetentionError(`Events are kept for ${clock.reach.events_days} days`, oldest);
}

function daysOf(source: Source, { reach }: Clock): number {
	return source === "raw" ? reach.raw_days : reach.tier_days(source);
}

function keptFrom(source: Source, clock: Clock): number {
	return clock.now - daysOf(source, clock) * 86_400_000;
}

function assertKept(piece: Piece, request: PlanRequest): void {
	const days = daysOf(piece.source, request);
	const oldest = keptFrom(piece.source, request);
	if (piece.from >= oldest) return;
	const what = piece.source === "raw" ? "Raw points" : `Values of ${piece.source.name}`;
	throw new RetentionError(
		`${what}, which this window needs from ${new Date(piece.from).toISOString()} on, are kept for ${days} days`,
		oldest,
	);
}
