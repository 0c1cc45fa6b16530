import { between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";

export function usersOf(spans: readonly Span[], where = "event != 'user.deleted'"): Question<number[]> {
	const params = new Params();
	return {
		name: "distinct_users",
		params,
		sql: `SELECT ${spans.map(({ start, end }, i) => `uniqExactIf(user_id, ${between(params, "ts", start, end)}) AS u${i}`)} ${from("events", `user_id != '' AND ${where}`)}`,
		read: ([row]) => spans.map((_, i) => row?.[`u${i}`] as number),
	};
}
