/** Users by what they did in a period and in the one before it. */
import { at } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { usesIn } from "./features.ts";
import { type PeopleScope, presence, resolved } from "./people.ts";
import { type SessionKind, type SessionTotals, sessionRows } from "./sessions.ts";

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

/** In which windows a user was active, as bits in their order; those that a question adds come after. */
const CURRENT = 1;
const PREVIOUS = 2;
const PREVIOUS_WHOLE = 4;
const BEFORE = 8;
const OWN_WINDOWS = 4;

const isIn = (bit: number) => `bitAnd(w, ${bit}) != 0`;
const IS_DELETED = "deleted > 0 AND deleted >= signed";
/** Active in the period before and not in this one; who is deleted is lost too. */
const IS_CHURNED = `${isIn(PREVIOUS_WHOLE)} AND (NOT (${isIn(CURRENT)}) OR (${IS_DELETED}))`;
const IS_NEW = `${isIn(CURRENT)} AND NOT (${isIn(BEFORE)})`;
const IS_SEEN = `${isIn(CURRENT)} OR ${isIn(BEFORE)}`;

/**
 * A subquery with a row per user known at the end: `user`, `w`, milliseconds of the last sign-up and deletion (0 for none), and where
 * a zone is named `present`, the number of calendar days of activity in the period.
 */
function usersOf(params: Params, scope: PeriodScope, more: readonly Span[] = [], timezone?: string): string {
	const before = { start: 0, end: scope.start };
	const windows = [scope, scope.previous, scope.previousWhole, before, ...more];
	const dates = timezone === undefined ? [] : ["dates"];
	const account = `event IN ('${SIGN_UP_EVENT}', '${DELETED_EVENT}') AND person != 0 AND ts < ${at(params, scope.end)}`;
	const of = (event: string) => `maxIf(toUnixTimestamp64Milli(ts), event = '${event}')`;
	const rows =
		`(SELECT ${["person", "w", ...dates].join(", ")}, toInt64(0) AS signed, toInt64(0) AS deleted ` +
		`FROM ${presence(params, { windows, datesIn: timezone })} UNION ALL ` +
		`SELECT person, toUInt16(0) AS w${dates.length > 0 ? ", emptyArrayDate() AS dates" : ""}, ` +
		`${of(SIGN_UP_EVENT)} AS signed, ${of(DELETED_EVENT)} AS deleted ${from("events", account)} GROUP BY person)`;
	const known = resolved(params, rows, ["w", ...dates, "signed", "deleted"], scope);
	return `(SELECT user, groupBitOr(one.w) AS w, max(one.signed) AS signed, max(one.deleted) AS deleted${
		dates.length > 0 ? ", length(groupUniqArrayArray(one.dates)) AS present" : ""
	}
FROM ${known} AS one WHERE user != 0 GROUP BY user)`;
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

const USER_TOTALS = `countIf(${IS_SEEN}) AS seen, countIf(signed > deleted) AS existing, countIf(${isIn(CURRENT)}) AS active,
	countIf(${IS_NEW}) AS fresh, countIf(${IS_CHURNED}) AS churned, countIf(${isIn(PREVIOUS)}) AS previous`;

export function userTotals(scope: PeriodScope): Question<UserTotals> {
	const params = new Params();
	return {
		name: "user_totals",
		params,
		sql: `SELECT ${USER_TOTALS} FROM ${usersOf(params, scope)}`,
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

const SESSION_SUMS = ["visits", "duration", "single", "n", "chats", "inferences"] as const;

/** A subquery with `user`, `segment` ('' for none) and all that is known of them. */
function segmented(params: Params, options: SegmentOptions, more: readonly Span[] = []): string {
	const { scope, timezone, days, sessions } = options;
	const visits = `(SELECT user, count() AS visits, sum(ended - began) AS duration, countIf(one.n = 1) AS single,
	sum(one.n) AS n, sum(one.chats) AS chats, sum(one.inferences) AS inferences
FROM ${sessionRows(params, scope, sessions)} AS one GROUP BY user)`;
	const used = `(SELECT DISTINCT person, feature FROM ${usesIn(params, scope)})`;
	const breadth = `(SELECT user, uniqExact(feature) AS breadth FROM ${resolved(params, used, ["feature"], scope)} GROUP BY user)`;
	const minDays = Math.min(SEGMENT_RULES.power_min_days, days);
	const isPower = `place <= ceil(${SEGMENT_RULES.power_share} * actives) AND visits > 0 AND present >= ${minDays}`;
	return `(SELECT *, if(visits = 0, nan, duration / visits) AS mean_ms, ${isIn(CURRENT)} AS here,
	multiIf(${IS_CHURNED}, 'churned', ${IS_NEW}, 'new', ${isIn(CURRENT)} AND ${isPower}, 'power', ${isIn(CURRENT)}, 'active',
		${IS_DELETED} OR NOT (${isIn(BEFORE)}), '', 'dormant') AS segment
FROM (
	SELECT *, countIf(${isIn(CURRENT)}) OVER () AS actives,
		countIf(${isIn(CURRENT)}) OVER (ORDER BY visits DESC RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place
	FROM (
		SELECT known.user AS user, w, signed, deleted, present, breadth, ${SESSION_SUMS.join(", ")}
		FROM ${usersOf(params, scope, more, timezone)} AS known
		LEFT JOIN ${visits} AS came ON known.user = came.user
		LEFT JOIN ${breadth} AS used ON known.user = used.user
	)
))`;
}

/** The users of one segment. */
export function segmentMembers(options: SegmentOptions, segment: Segment): Members {
	return (params) => `user IN (SELECT user FROM ${segmented(params, options)} WHERE segment = '${segment}')`;
}

/** One segment of a period, with the users and sessions in it. */
export interface SegmentTotals extends UserTotals, SessionTotals {
	/** Undefined for users who are in none: those who were deleted. */
	readonly segment: Segment | undefined;
	readonly users: number;
	/** Whether the segment's median is above the quantile of all active users. */
	readonly frequent: boolean;
	readonly long: boolean;
	readonly broad: boolean;
	/** Users who were active in each of the windows that were asked for. */
	readonly in: readonly number[];
}

/** Segments that have users, in the order of the rules. @param more windows whose active users are counted too */
export function segmentTotals(options: SegmentOptions, more: readonly Span[] = []): Question<SegmentTotals[]> {
	const params = new Params();
	const q = SEGMENT_RULES.characteristic_quantile;
	const upper = (column: string, also = "1") =>
		`quantileExactInclusiveIf(${q})(${column}, here AND ${also}) OVER () AS ${column}_high`;
	const above = (column: string, also = "1") =>
		`ifNull(quantileExactInclusiveIf(0.5)(one.${column}, ${also}) > any(${column}_high), 0)`;
	const hasVisit = "visits > 0";
	const windows = more.map((_, i) => `countIf(${isIn(2 ** (OWN_WINDOWS + i))})`);
	return {
		name: "segment_totals",
		params,
		sql: `SELECT segment, count() AS users, ${USER_TOTALS}, sum(one.visits) AS sessions, sum(one.duration) AS duration_ms,
	sum(one.single) AS single, sum(one.n) AS n, sum(one.chats) AS chats, sum(one.inferences) AS inferences,
	${above("visits")} AS frequent, ${above("mean_ms", "one.visits > 0")} AS long, ${above("breadth")} AS broad, [${windows.join(", ")}] AS in
FROM (SELECT *, ${upper("visits")}, ${upper("mean_ms", hasVisit)}, ${upper("breadth")} FROM ${segmented(params, options, more)}) AS one
GROUP BY segment`,
		read: (rows) => {
			const place = ({ segment }: SegmentTotals) => (segment ? SEGMENTS.indexOf(segment) : SEGMENTS.length);
			const segments = rows.map((row) => {
				const { segment, frequent, long, broad, ...sums } = row as unknown as SegmentTotals;
				return {
					...{ ...sums, segment: segment || undefined },
					...{ frequent: Boolean(frequent), long: Boolean(long), broad: Boolean(broad) },
				};
			});
			return segments.sort((a, b) => place(a) - place(b));
		},
	};
}

const SUMS = ["users", "seen", "existing", "active", "fresh", "churned", "previous", "sessions"] as const;
const SESSION_TOTALS = ["duration_ms", "single", "n", "chats", "inferences"] as const;

/** Segments together. */
export function togetherOf(
	segments: readonly SegmentTotals[],
): UserTotals & SessionTotals & { readonly users: number; readonly in: readonly number[] } {
	const sum = (of: (segment: SegmentTotals) => number) => segments.reduce((all, segment) => all + of(segment), 0);
	const windows = segments[0]?.in ?? [];
	return {
		...(Object.fromEntries(
			[...SUMS, ...SESSION_TOTALS].map((name) => [name, sum((segment) => segment[name])]),
		) as unknown as UserTotals & SessionTotals & { users: number }),
		in: windows.map((_, i) => sum((segment) => segment.in[i]!)),
	};
}
