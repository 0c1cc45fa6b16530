/** How far users come within 30 days of their sign-up. */
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { CHAT_EVENT, COLLABORATION_EVENT } from "./counts.ts";
import { MAKES_ACTIVE, type PeopleScope, resolved } from "./people.ts";
import { SIGN_UP_EVENT } from "./segments.ts";

export const ONBOARDING_RULES = {
	version: 1,
	/** Days after the sign-up within which a step counts. */
	window_days: 30,
	/** Active on so many days makes an active user. */
	active_days: 3,
} as const;

/** Users by the steps that they reached. */
export interface Funnel {
	readonly signup: number;
	readonly first_chat: number;
	readonly first_collaboration: number;
	readonly active_user: number;
}

/**
 * Users who signed up in the scope. `any` counts each step by itself; `ordered` counts users who reached it after the one before,
 * so it never grows.
 */
export function onboarding(scope: PeopleScope, timezone: string): Question<{ any: Funnel; ordered: Funnel }> {
	const params = new Params();
	const window = params.add("Int64", ONBOARDING_RULES.window_days * 86_400_000);
	const signUps = `(SELECT person, toUnixTimestamp64Milli(ts) AS ms ${from("events", `event = '${SIGN_UP_EVENT}' AND person != 0 AND ${between(params, "ts", scope.start, scope.end)}`)})`;
	const cohort = `(SELECT user, min(one.ms) AS signed FROM ${resolved(params, signUps, ["ms"], scope)} AS one WHERE user != 0 GROUP BY user)`;
	const known = `${MAKES_ACTIVE} AND ts >= ${at(params, scope.start)} AND ts < ${at(params, scope.as_of)}`;
	const rows = `(SELECT person, event AS name, toUnixTimestamp64Milli(ts) AS ms ${from("events", known)})`;
	const zone = params.add("String", timezone);
	const has = (times: string) => `length(${times}) > 0`;
	return {
		name: "onboarding",
		params,
		sql: `SELECT count() AS signup, countIf(${has("chats")}) AS any_chat, countIf(${has("shared")}) AS any_shared, countIf(is_active) AS any_active,
	countIf(chat_ms > 0) AS chat, countIf(shared_ms > 0) AS share, countIf(shared_ms > 0 AND is_active AND latest > shared_ms) AS still
FROM (
	SELECT user, groupArrayIf(ms, name = '${CHAT_EVENT}') AS chats, groupArrayIf(ms, name = '${COLLABORATION_EVENT}') AS shared,
		uniqExact(toDate(fromUnixTimestamp64Milli(ms, 'UTC'), ${zone})) >= ${ONBOARDING_RULES.active_days} AS is_active, max(ms) AS latest,
		arrayMin(arrayPushBack(arrayFilter(x -> x > any(signed), chats), ${NEVER})) % ${NEVER} AS chat_ms,
		if(chat_ms = 0, 0, arrayMin(arrayPushBack(arrayFilter(x -> x > chat_ms, shared), ${NEVER})) % ${NEVER}) AS shared_ms
	FROM ${cohort} AS began INNER JOIN ${resolved(params, rows, ["name", "ms"], scope)} AS did ON began.user = did.user
	WHERE ms >= signed AND ms <= signed + ${window}
	GROUP BY user
)`,
		read: ([row]) => {
			const [signup, chat, share, still] = [row?.signup, row?.chat, row?.share, row?.still] as number[];
			const of = (a = 0, b = 0, c = 0, d = 0): Funnel => ({
				signup: a,
				first_chat: b,
				first_collaboration: c,
				active_user: d,
			});
			return {
				any: of(signup, row?.any_chat as number, row?.any_shared as number, row?.any_active as number),
				ordered: of(signup, chat, share, still),
			};
		},
	};
}

/** After all times. */
const NEVER = "9007199254740991";
