/** Who uses features. */
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { type PeopleScope, resolved, splitAtQuarters } from "./people.ts";

export const FEATURE_USED = "feature.used";

/** Distinct users of a feature, or of any. */
export function featureUsers(scope: PeopleScope, feature?: string): Question<number> {
	const params = new Params();
	const name = feature === undefined ? "!= ''" : `= ${params.add("String", feature)}`;
	const { state, raw } = splitAtQuarters(scope);
	const parts = raw.map((edge) => {
		const used = `event = '${FEATURE_USED}' AND strings['feature'] ${name}`;
		return `SELECT person ${from("events", `${used} AND ${between(params, "ts", edge.start, edge.end)}`)}`;
	});
	if (state) {
		const inside = `bucket >= toDateTime(${at(params, state.start)}) AND bucket < toDateTime(${at(params, state.end)})`;
		parts.push(`SELECT person ${from("feature_uses_15m", `feature ${name} AND ${inside}`)}`);
	}
	return {
		name: "feature_users",
		params,
		sql: `SELECT uniqExactIf(user, user != 0) AS users FROM ${resolved(params, `(${parts.join(" UNION ALL ")})`, [], scope.as_of)}`,
		read: ([row]) => row?.users as number,
	};
}
