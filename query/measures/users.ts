/** Users that were active: any event with a user makes one so, but being deleted. */
import { between, bucketOf } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Scope } from "./scope.ts";

/** Distinct users by start of the bucket; a bucket without one is absent. */
export function activeUsers(scope: Scope): Question<Map<number, number>> {
	const params = new Params();
	const component =
		scope.component === undefined ? "1" : `strings['component'] = ${params.add("String", scope.component)}`;
	return {
		name: "active_users",
		params,
		sql: `SELECT ${bucketOf(params, scope.buckets, "ts")} AS t, uniqExact(user_id) AS users
${from("events", `${between(params, "ts", scope.start, scope.end)} AND user_id != '' AND event != 'user.deleted' AND ${component}`)}
GROUP BY t`,
		read: (rows) => new Map(rows.map((row) => [row.t as number, row.users as number])),
	};
}
