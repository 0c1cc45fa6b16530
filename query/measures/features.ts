/** Use of features: one `feature.used` is one use. */
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { bucketIn } from "./counts.ts";
import { type PeopleScope, perUser, QUARTER_MS, resolved, splitAtQuarters } from "./people.ts";
import { FEEDBACK_EVENT, RATING } from "./ratings.ts";
import type { Members } from "./segments.ts";

export const FEATURE_USED = "feature.used";
const IS_USE = `event = '${FEATURE_USED}' AND strings['feature'] != ''`;

/** A subquery with `feature`, `person`, `n`: uses in a window, repeated. */
export function usesIn(params: Params, span: Span): string {
	const { state, raw } = splitAtQuarters(span);
	const parts = [
		...(state ? [`SELECT feature, person, n ${from("feature_uses_15m", bucketIn(params, state))}`] : []),
		...raw.map(({ start, end }) => {
			const where = `${IS_USE} AND ${between(params, "ts", start, end)}`;
			return `SELECT strings['feature'] AS feature, person, toUInt64(1) AS n ${from("events", where)}`;
		}),
	];
	return `(${parts.length > 0 ? parts.join(" UNION ALL ") : "SELECT '' AS feature, toUInt64(0) AS person, toUInt64(0) AS n WHERE 0"})`;
}

/** A subquery with a row per `user`: `breadth`, how many features they used in a window. */
export function breadthOf(params: Params, scope: PeopleScope): string {
	const { start, end } = scope;
	const first = Math.ceil(start / QUARTER_MS) * QUARTER_MS;
	const whole = { start: first, end: Math.ceil(end / QUARTER_MS) * QUARTER_MS };
	const before = { start, end: Math.min(first, end) };
	// The first use in a quarter of an hour tells whether there was one before the end; only what comes before the first quarter is in events.
	const parts = [
		`SELECT person, feature ${from("feature_uses_15m", `${bucketIn(params, whole)} AND first < ${at(params, end)}`)}`,
		...(before.start < before.end
			? [
					`SELECT person, strings['feature'] AS feature ${from("events", `${IS_USE} AND ${between(params, "ts", before.start, before.end)}`)}`,
				]
			: []),
	];
	const breadth = {
		alone: "uniqExact(one.feature)",
		person: "groupUniqArray(one.feature)",
		user: "length(groupUniqArrayArray(one.breadth))",
	};
	return perUser(params, `(${parts.join(" UNION ALL ")})`, { breadth }, scope);
}

export interface FeatureUse {
	readonly feature: string;
	/** By anybody, users or not. */
	readonly uses: number;
	readonly users: number;
}

/** Features used in a window, the most used first. */
export function featureUse(scope: PeopleScope): Question<FeatureUse[]> {
	const params = new Params();
	return {
		name: "feature_use",
		params,
		sql: `SELECT feature, sum(n) AS uses, uniqExactIf(user, user != 0) AS users
FROM ${resolved(params, usesIn(params, scope), ["feature", "n"], scope)}
GROUP BY feature ORDER BY uses DESC, feature`,
		read: (rows) => rows as unknown as FeatureUse[],
	};
}

/** Distinct users of a feature, or of any. */
export function featureUsers(scope: PeopleScope, feature?: string): Question<number> {
	const params = new Params();
	const named = feature === undefined ? "" : ` WHERE feature = ${params.add("String", feature)}`;
	return {
		name: "feature_users",
		params,
		sql: `SELECT uniqExactIf(user, user != 0) AS users
FROM ${resolved(params, `(SELECT person FROM ${usesIn(params, scope)}${named})`, [], scope)}`,
		read: ([row]) => row?.users as number,
	};
}

/** Uses of each feature in several windows, in their order. All begin and end on a quarter of an hour. */
export function featureUseIn(spans: readonly Span[]): Question<Map<string, number[]>> {
	const params = new Params();
	const whole = {
		start: Math.min(...spans.map(({ start }) => start)),
		end: Math.max(...spans.map(({ end }) => end)),
	};
	const sums = spans.map((span) => `sumIf(n, ${bucketIn(params, span)})`).join(", ");
	return {
		name: "feature_use_in",
		params,
		sql: `SELECT feature, [${sums}] AS uses ${from("feature_uses_15m", bucketIn(params, whole))} GROUP BY feature`,
		read: (rows) => new Map(rows.map((row) => [row.feature as string, row.uses as number[]])),
	};
}

export interface FeatureRating {
	readonly n: number;
	/** 1 to 5. */
	readonly mean: number;
	readonly raters: number;
}

/** Ratings of features in a window. */
export function featureRatings(scope: PeopleScope): Question<Map<string, FeatureRating>> {
	const params = new Params();
	const where = `event = '${FEEDBACK_EVENT}' AND strings['target_type'] = 'feature' AND ${between(params, "ts", scope.start, scope.end)}`;
	const rows = `(SELECT person, strings['target_id'] AS feature, ${RATING} AS rating ${from("events", where)})`;
	return {
		name: "feature_ratings",
		params,
		sql: `SELECT feature, count(rating) AS n, avg(rating) AS mean, uniqExactIf(user, user != 0 AND rating IS NOT NULL) AS raters
FROM ${resolved(params, rows, ["feature", "rating"], scope)} GROUP BY feature HAVING n > 0`,
		read: (found) => new Map(found.map((row) => [row.feature as string, row as unknown as FeatureRating])),
	};
}

export interface Adoption {
	readonly feature: string;
	readonly users: number;
	/** From a user's first activity ever to the first use ever; milliseconds. */
	readonly median_ms: number;
}

/** Features by how many users of a cohort used them in the window, and how long it took them to begin. */
export function featureAdoption(scope: PeopleScope, members: Members): Question<Adoption[]> {
	const params = new Params();
	const before = `toUnixTimestamp64Milli(first) < ${params.add("Int64", scope.as_of)}`;
	// The state tells of the first use ever and of whole quarters of an hour at once.
	const { state, raw } = splitAtQuarters(scope);
	const isHere = state ? bucketIn(params, state) : "toUInt8(0)";
	const uses = [
		`SELECT person, feature, toUnixTimestamp64Milli(first) AS at, ${isHere} AS here ${from("feature_uses_15m", before)}`,
		...raw.map(({ start, end }) => {
			const edge = from("events", `${IS_USE} AND ${between(params, "ts", start, end)}`);
			return `SELECT person, strings['feature'] AS feature, ${params.add("Int64", scope.as_of)} AS at, toUInt8(1) AS here ${edge}`;
		}),
	].join(" UNION ALL ");
	const starts = `(SELECT person, toUnixTimestamp64Milli(first) AS began ${from("user_days", before)})`;
	return {
		name: "feature_adoption",
		params,
		sql: `SELECT feature, count() AS users, quantileExactInclusive(0.5)(at - began) AS median_ms
FROM (
	SELECT user, feature, min(used.at) AS at FROM ${resolved(params, `(${uses})`, ["feature", "at", "here"], scope)} AS used
	WHERE user != 0 AND ${members(params)} GROUP BY user, feature HAVING max(here) = 1
) AS firsts INNER JOIN (
	SELECT user, min(known.began) AS began FROM ${resolved(params, starts, ["began"], scope)} AS known GROUP BY user
) AS seen ON firsts.user = seen.user
GROUP BY feature ORDER BY users DESC, feature`,
		read: (rows) => rows as unknown as Adoption[],
	};
}
