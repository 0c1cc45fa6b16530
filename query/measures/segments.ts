/** Users by what they did in a period and in the one before it. */
import { at } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { usesIn } from "./features.ts";
import { activePeople, activeQuarters, localDays, type PeopleScope, resolved } from "./people.ts";
import { type SessionKind, sessionRows } from "./sessions.ts";

export const SIGN_UP_EVENT = "user.signed_up";
export const DELETED_EVENT = "user.deleted";

/** In the order of the rules: the first that holds decides, so no user is in two. */
export const SEGMENTS = ["churned", "new", "power", "active", "dormant"] as const;
export type Segment = (typeof SEGMENTS)[number];

/** Thresholds of the segments, version 1. */
export const SEGMENT_RULES = {
	version: 1,
	/** Power users: this share of the active users, those with the most sessions; a tie that reaches beyond it is left out, … */
	power_share: 0.1,
	/** … who were active on at least so many days, or on all days of a shorter period. */
	power_min_days: 3,
	/** A segment has a characteristic when its median is above this quantile of all active users. */
	characteristic_quantile: 0.75,
} as const;

/** A predicate on `user` that only members of a segment fulfil. */
export type Members = (params: Params) => string;

/** All users. */
export const everybody: Members = () => "user != 0";

/** A period, what comes before it, and what its growth compares with. */
export interface PeriodScope extends PeopleScope {
	/** Cut at the same elapsed time. */
	readonly previous: Span;
	readonly previousWhole: Span;
}

/** In which windows a user was active, as bits. */
const CURRENT = 1;
const PREVIOUS = 2;
const PREVIOUS_WHOLE = 4;
const BEFORE = 8;

const isIn = (window: number) => `bitAnd(w, ${window}) != 0`;
const IS_DELETED = "deleted > 0 AND deleted >= signed";
/** Active in the period before and not in this one; who is deleted is lost too. */
const IS_CHURNED = `${isIn(PREVIOUS_WHOLE)} AND (NOT (${isIn(CURRENT)}) OR (${IS_DELETED}))`;
const IS_NEW = `${isIn(CURRENT)} AND NOT (${isIn(BEFORE)})`;

/** A subquery with a row per user known before the end: `user`, `w`, and milliseconds of the last sign-up and deletion, 0 for none. */
function usersOf(params: Params, scope: PeriodScope): string {
	const windows: readonly [number, Span][] = [
		[CURRENT, scope],
		[PREVIOUS, scope.previous],
		[PREVIOUS_WHOLE, scope.previousWhole],
		[BEFORE, { start: 0, end: scope.start }],
	];
	const account = `event IN ('${SIGN_UP_EVENT}', '${DELETED_EVENT}') AND person != 0`;
	const parts = [
		...windows.map(
			([bit, span]) =>
				`SELECT person, toUInt8(${bit}) AS w, toInt64(0) AS signed, toInt64(0) AS deleted FROM ${activePeople(params, span)}`,
		),
		`SELECT person, toUInt8(0) AS w, if(event = '${SIGN_UP_EVENT}', toUnixTimestamp64Milli(ts), 0) AS signed,
	if(event = '${DELETED_EVENT}', toUnixTimestamp64Milli(ts), 0) AS deleted
${from("events", `${account} AND ts < ${at(params, scope.end)}`)}`,
	];
	const rows = resolved(params, `(${parts.join("\nUNION ALL ")})`, ["w", "signed", "deleted"], scope.as_of);
	return `(SELECT user, groupBitOr(one.w) AS w, max(one.signed) AS signed, max(one.deleted) AS deleted FROM ${rows} AS one
WHERE user != 0 GROUP BY user)`;
}

/** Users of a period. */
export interface UserTotals {
	/** Known at the end: by any activity. */
	readonly seen: number;
	/** Signed up and not deleted at the end. */
	readonly existing: number;
	readonly active: number;
	/** Active for the first time ever. */
	readonly fresh: number;
	readonly churned: number;
	/** Active in the period before, cut at the same elapsed time. */
	readonly previous: number;
}

export function userTotals(scope: PeriodScope, members?: Members): Question<UserTotals> {
	const params = new Params();
	return {
		name: "user_totals",
		params,
		sql: `SELECT countIf(${isIn(CURRENT)} OR ${isIn(BEFORE)}) AS seen, countIf(signed > deleted) AS existing,
	countIf(${isIn(CURRENT)}) AS active, countIf(${IS_NEW}) AS fresh, countIf(${IS_CHURNED}) AS churned,
	countIf(${isIn(PREVIOUS)}) AS previous
FROM ${usersOf(params, scope)}${members ? ` WHERE ${members(params)}` : ""}`,
		read: ([row]) => row as unknown as UserTotals,
	};
}

/** What tells segments apart. */
export interface SegmentOptions {
	readonly scope: PeriodScope;
	readonly timezone: string;
	/** Calendar days of the period so far. */
	readonly days: number;
	readonly sessions: SessionKind;
}

/** A subquery with `user`, `segment`, `visits` (sessions), `mean_ms` (of them, NaN for none), `breadth` (distinct features). */
function segmented(params: Params, { scope, timezone, days, sessions }: SegmentOptions): string {
	const visits = `(SELECT user, count() AS visits, sum(ended - began) AS duration FROM ${sessionRows(params, scope, sessions)} GROUP BY user)`;
	const rows = activeQuarters(params, scope);
	const dayRows = `(SELECT person, ${localDays(params, timezone)} AS dates FROM ${rows})`;
	const present = `(SELECT user, length(groupUniqArrayArray(dates)) AS present FROM ${resolved(params, dayRows, ["dates"], scope.as_of)} GROUP BY user)`;
	const breadth = `(SELECT user, uniqExact(feature) AS breadth FROM ${resolved(params, usesIn(params, scope), ["feature"], scope.as_of)} GROUP BY user)`;
	const minDays = Math.min(SEGMENT_RULES.power_min_days, days);
	const isPower = `place <= ceil(${SEGMENT_RULES.power_share} * actives) AND visits > 0 AND present >= ${minDays}`;
	return `(SELECT user, visits, if(visits = 0, nan, duration / visits) AS mean_ms, breadth, ${isIn(CURRENT)} AS here,
	multiIf(${IS_CHURNED}, 'churned', ${IS_NEW}, 'new', ${isIn(CURRENT)} AND ${isPower}, 'power', ${isIn(CURRENT)}, 'active',
		${IS_DELETED} OR NOT (${isIn(BEFORE)}), '', 'dormant') AS segment
FROM (
	SELECT *, countIf(${isIn(CURRENT)}) OVER () AS actives,
		countIf(${isIn(CURRENT)}) OVER (ORDER BY visits DESC RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place
	FROM (
		SELECT known.user AS user, w, signed, deleted, visits, duration, present, breadth FROM ${usersOf(params, scope)} AS known
		LEFT JOIN ${visits} AS came ON known.user = came.user
		LEFT JOIN ${present} AS dated ON known.user = dated.user
		LEFT JOIN ${breadth} AS used ON known.user = used.user
	)
))`;
}

/** The users of one segment. */
export function segmentMembers(options: SegmentOptions, segment: Segment): Members {
	return (params) => `user IN (SELECT user FROM ${segmented(params, options)} WHERE segment = '${segment}')`;
}

/** One segment of a period. */
export interface SegmentTotals {
	readonly segment: Segment;
	readonly users: number;
	readonly sessions: number;
	/** Whether the segment's median is above the quantile of all active users. */
	readonly frequent: boolean;
	readonly long: boolean;
	readonly broad: boolean;
}

/** Segments that have users, in the order of the rules. */
export function segmentTotals(options: SegmentOptions): Question<SegmentTotals[]> {
	const params = new Params();
	const q = SEGMENT_RULES.characteristic_quantile;
	const upper = (column: string, also = "1") =>
		`quantileExactInclusiveIf(${q})(${column}, here AND ${also}) OVER () AS ${column}_high`;
	const above = (column: string, also = "1") =>
		`ifNull(quantileExactInclusiveIf(0.5)(one.${column}, ${also}) > any(${column}_high), 0)`;
	const hasVisit = "visits > 0";
	return {
		name: "segment_totals",
		params,
		sql: `SELECT segment, count() AS users, sum(one.visits) AS sessions, ${above("visits")} AS frequent,
	${above("mean_ms", "one.visits > 0")} AS long, ${above("breadth")} AS broad
FROM (SELECT *, ${upper("visits")}, ${upper("mean_ms", hasVisit)}, ${upper("breadth")} FROM ${segmented(params, options)}) AS one
WHERE segment != '' GROUP BY segment`,
		read: (rows) =>
			(rows as unknown as (Omit<SegmentTotals, "frequent" | "long" | "broad"> & Record<string, unknown>)[])
				.map((row) => ({
					...{ segment: row.segment, users: row.users, sessions: row.sessions },
					...{ frequent: Boolean(row.frequent), long: Boolean(row.long), broad: Boolean(row.broad) },
				}))
				.sort((a, b) => SEGMENTS.indexOf(a.segment) - SEGMENTS.indexOf(b.segment)),
	};
}
