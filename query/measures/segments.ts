/** Users by what they did in a period and in the one before it. */
import { at } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { breadthOf } from "./features.ts";
import { gathered, type PeopleScope, perUser, presence } from "./people.ts";
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
	/** That the project never said that a user signed up or was deleted: nothing looks for it then. */
	readonly unregistered?: boolean | undefined;
}

/** What is true of a row of {@link usersOf}. */
function rulesOf({ unregistered }: PeriodScope) {
	const deleted = unregistered ? "0" : "(deleted > 0 AND deleted >= signed)";
	return {
		deleted,
		/** Active in the period before and not in this one; who is deleted is lost too. */
		churned: unregistered ? "lately AND NOT here" : `lately AND (NOT here OR ${deleted})`,
		fresh: "here AND NOT before",
		existing: unregistered ? "0" : "signed > deleted",
	};
}

/**
 * A subquery with a row per user known at the end: `user`; `here`, `previously`, `lately` and `before`, whether they were active in the
 * period, in the one before as it was at this time, in all of that, and ever before; milliseconds of the last sign-up and deletion
 * (0 for none); and where a zone is named `present`, the calendar days of activity in the period.
 * @param more windows by the name of their column
 */
function usersOf(
	params: Params,
	scope: PeriodScope,
	more: Readonly<Record<string, Span>> = {},
	timezone?: string,
): string {
	const { previous: previously, previousWhole: lately, unregistered } = scope;
	const windows = { here: scope, previously, lately, before: { start: 0, end: scope.start }, ...more };
	const dates = timezone === undefined ? undefined : { of: "here", timezone };
	const also = unregistered ? [] : ["toInt64(0) AS signed", "toInt64(0) AS deleted"];
	const parts = presence(params, { windows, dates, also });
	if (!unregistered) {
		const account = `event IN ('${SIGN_UP_EVENT}', '${DELETED_EVENT}') AND person != 0 AND ts < ${at(params, scope.end)}`;
		const of = (event: string) => `maxIf(toUnixTimestamp64Milli(ts), event = '${event}')`;
		const nowhere = Object.keys(windows).map((name) => `0 AS ${name}`);
		const never = dates ? ["emptyArrayDate() AS dates"] : [];
		parts.push(
			`SELECT ${["person", ...nowhere, ...never].join(", ")}, ${of(SIGN_UP_EVENT)} AS signed, ${of(DELETED_EVENT)} AS deleted ` +
				`${from("events", account)} GROUP BY person`,
		);
	}
	const columns = [...Object.keys(windows), ...(unregistered ? [] : ["signed", "deleted"])];
	return perUser(
		params,
		`(${parts.join(" UNION ALL ")})`,
		{
			...Object.fromEntries(columns.map((column) => [column, gathered("max", column)])),
			...(dates ? { dates: gathered("groupUniqArrayArray", "dates") } : {}),
		},
		scope,
	);
}

/** Users of a period. */
export interface UserTotals {
	/** Those of whom anything is known at the end, deleted or not. */
	readonly users: number;
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
	/** Users who were active in each of the windows that were asked for. */
	readonly in: readonly number[];
}

/** @param more windows by the name of their column */
function totalsOf(scope: PeriodScope, more: Readonly<Record<string, Span>>): string {
	const { existing, fresh, churned } = rulesOf(scope);
	const windows = Object.keys(more).map((name) => `countIf(${name})`);
	return `count() AS users, countIf(here OR before) AS seen, countIf(${existing}) AS existing, countIf(here) AS active,
	countIf(${fresh}) AS fresh, countIf(${churned}) AS churned, countIf(previously) AS previous, [${windows.join(", ")}] AS in`;
}

const columnsOf = (windows: readonly Span[]) =>
	Object.fromEntries(windows.map((window, i) => [`also_${i}`, window] as const));

/** @param more windows whose active users are counted too */
export function userTotals(scope: PeriodScope, more: readonly Span[] = []): Question<UserTotals> {
	const params = new Params();
	const others = columnsOf(more);
	return {
		name: "user_totals",
		params,
		sql: `SELECT ${totalsOf(scope, others)} FROM ${usersOf(params, scope, others)}`,
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

/** The segment of a row of {@link inOrder}, '' for none. */
function segmentOf({ scope, days }: SegmentOptions): string {
	const { churned, fresh, deleted } = rulesOf(scope);
	const minDays = Math.min(SEGMENT_RULES.power_min_days, days);
	const isPower = `visits > 0 AND place <= ceil(${SEGMENT_RULES.power_share} * actives) AND length(dates) >= ${minDays}`;
	return `multiIf(${churned}, 'churned', ${fresh}, 'new', here AND ${isPower}, 'power', here, 'active', ${deleted} OR NOT before, '', 'dormant')`;
}

/** A subquery with a row per user and the sums of the sessions that they began: `visits`, `duration`, `single`, `n`, `chats`, `inferences`. */
function visitsOf(params: Params, { scope, sessions }: SegmentOptions): string {
	return `(SELECT user, count() AS visits, sum(ended - began) AS duration, countIf(one.n = 1) AS single,
	sum(one.n) AS n, sum(one.chats) AS chats, sum(one.inferences) AS inferences
FROM ${sessionRows(params, scope, sessions)} AS one GROUP BY user)`;
}

/** Windows over all users: how many are active, and how many of those have as many sessions as this one or more. */
const IN_ORDER = `countIf(here) OVER () AS actives,
	countIf(here) OVER (ORDER BY visits DESC RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place`;

/** The users of one segment. */
export function segmentMembers(options: SegmentOptions, segment: Segment): Members {
	return (params) => {
		const known = usersOf(params, options.scope, {}, options.timezone);
		// Only the most active are known by their sessions; where these are not looked for, nobody is one of them.
		const isByVisits = segment === "power" || segment === "active";
		const rows = isByVisits
			? `SELECT known.user AS user, here, lately, before, dates, visits, ${IN_ORDER}${options.scope.unregistered ? "" : ", signed, deleted"}
	FROM ${known} AS known LEFT JOIN ${visitsOf(params, options)} AS came ON known.user = came.user`
			: `SELECT *, 0 AS visits, 0 AS place, 0 AS actives FROM ${known}`;
		return `user IN (SELECT user FROM (${rows}) WHERE ${segmentOf(options)} = '${segment}')`;
	};
}

/** One segment of a period, with the users and sessions in it. */
export interface SegmentTotals extends UserTotals, SessionTotals {
	/** Undefined for users who are in none: those who were deleted. */
	readonly segment: Segment | undefined;
	/** Whether the segment's median is above the quantile of all active users. */
	readonly frequent: boolean;
	readonly long: boolean;
	readonly broad: boolean;
}

/** Segments that have users, in the order of the rules. @param more windows whose active users are counted too */
export function segmentTotals(options: SegmentOptions, more: readonly Span[] = []): Question<SegmentTotals[]> {
	const params = new Params();
	const { scope, timezone } = options;
	const q = SEGMENT_RULES.characteristic_quantile;
	const mean = "duration / visits";
	const upper = (name: string, value: string, also = "") =>
		`quantileExactInclusiveIf(${q})(${value}, here${also}) OVER () AS ${name}`;
	const above = (value: string, name: string, also = "1") =>
		`ifNull(quantileExactInclusiveIf(0.5)(${value}, ${also}) > any(${name}), 0)`;
	const others = columnsOf(more);
	return {
		name: "segment_totals",
		params,
		sql: `SELECT ${segmentOf(options)} AS segment, ${totalsOf(scope, others)},
	sum(one.visits) AS sessions, sum(one.duration) AS duration_ms,
	sum(one.single) AS single, sum(one.n) AS n, sum(one.chats) AS chats, sum(one.inferences) AS inferences,
	${above("one.visits", "many")} AS frequent, ${above("one.duration / one.visits", "lengthy", "one.visits > 0")} AS long,
	${above("one.breadth", "various")} AS broad
FROM (
	SELECT *, ${IN_ORDER}, ${upper("many", "visits")}, ${upper("lengthy", mean, " AND visits > 0")}, ${upper("various", "breadth")}
	FROM ${usersOf(params, scope, others, timezone)} AS known
	LEFT JOIN ${visitsOf(params, options)} AS came ON known.user = came.user
	LEFT JOIN ${breadthOf(params, scope)} AS used ON known.user = used.user
) AS one GROUP BY segment`,
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
export function togetherOf(segments: readonly SegmentTotals[]): UserTotals & SessionTotals {
	const sum = (of: (segment: SegmentTotals) => number) => segments.reduce((all, segment) => all + of(segment), 0);
	const windows = segments[0]?.in ?? [];
	return {
		...(Object.fromEntries(
			[...SUMS, ...SESSION_TOTALS].map((name) => [name, sum((segment) => segment[name])]),
		) as unknown as UserTotals & SessionTotals),
		in: windows.map((_, i) => sum((segment) => segment.in[i]!)),
	};
}
