/** Users that were active: any event with a resolved user makes one so, but being deleted. */
import { at, between, bucketOf } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Buckets } from "../time/buckets.ts";
import { activePeople, MAKES_ACTIVE, type PeopleScope, quartersIn, resolved, splitAtQuarters } from "./people.ts";

const QUARTER_SECONDS = 900;

/** Distinct active users of a window. */
export function distinctUsers(scope: PeopleScope): Question<number> {
	const params = new Params();
	return {
		name: "distinct_users",
		params,
		sql: `SELECT uniqExactIf(user, user != 0) AS users
FROM ${resolved(params, activePeople(params, scope), [], scope)}`,
		read: ([row]) => row?.users as number,
	};
}

/** Whether any user was ever active. */
export function hasUsers(as_of: number): Question<boolean> {
	const params = new Params();
	return {
		name: "has_users",
		params,
		sql: `SELECT 1 ${from("user_days", `bitAnd(person, 1) = 1 AND first < ${at(params, as_of)}`)} LIMIT 1`,
		read: (rows) => rows.length > 0,
	};
}

/** Distinct active users by start of the bucket; a bucket without one is absent. */
export function activeUsers(
	scope: PeopleScope & { readonly buckets?: Buckets | undefined; readonly component?: string | undefined },
): Question<Map<number, number>> {
	const params = new Params();
	return {
		name: "active_users",
		params,
		sql: `SELECT t, uniqExact(user) AS users
FROM ${resolved(params, bucketRows(params, scope), ["t"], scope)}
WHERE user != 0 GROUP BY t`,
		read: (rows) => new Map(rows.map((row) => [row.t as number, row.users as number])),
	};
}

/** A subquery with `person` and `t`, repeated. Only events know the component and boundaries within a quarter of an hour. */
function bucketRows(params: Params, scope: Parameters<typeof activeUsers>[0]): string {
	const { buckets, component } = scope;
	const inside = buckets?.starts.filter((start) => start * 1_000 > scope.start && start * 1_000 < scope.end) ?? [];
	const isAligned = inside.every((start) => start % QUARTER_SECONDS === 0);
	const { state, raw } =
		component === undefined && isAligned ? splitAtQuarters(scope) : { state: undefined, raw: [scope] };
	const ofComponent = component === undefined ? "" : ` AND strings['component'] = ${params.add("String", component)}`;
	const parts = raw.map(
		(edge) =>
			`SELECT person, ${bucketOf(params, buckets, "ts")} AS t ` +
			from("events", `${between(params, "ts", edge.start, edge.end)} AND ${MAKES_ACTIVE}${ofComponent}`),
	);
	if (state) {
		const { where, quarters } = quartersIn(params, state);
		const bucket = bucketOf(params, buckets, "toDateTime(toUInt32(day) * 86400 + quarter * 900, 'UTC')");
		const starts = `arrayDistinct(arrayMap(quarter -> ${bucket}, bitPositionsToArray(${quarters})))`;
		parts.push(`SELECT person, arrayJoin(${starts}) AS t ${from("user_days", where)}`);
	}
	return `(${parts.join(" UNION ALL ")})`;
}
