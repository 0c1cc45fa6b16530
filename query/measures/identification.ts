/** How a project tells people and their visits apart; what other questions about people are asked by. */
import { at } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { SessionKind } from "./sessions.ts";

export interface Identification {
	/** `client` when any event of a user carried a session_id. */
	readonly sessions: SessionKind;
	/** Whether no id was ever linked to a user. */
	readonly unlinked: boolean;
}

/** What is known before `as_of`, milliseconds since the epoch. */
export function identification(as_of: number): Question<Identification> {
	const params = new Params();
	const before = at(params, as_of);
	// Nearly always the first row is one: other threads would read theirs in vain.
	return {
		name: "identification",
		params,
		sql: `SELECT 'session' AS what ${from("session_hours", `hour < ${before} AND first < ${before}`)} LIMIT 1
UNION ALL SELECT 'link' AS what ${from("identities", `tupleElement(first, 1) < ${before}`)} LIMIT 1
SETTINGS max_threads = 1`,
		read: (rows) => {
			const known = new Set(rows.map(({ what }) => what));
			return { sessions: known.has("session") ? "client" : "inactivity", unlinked: !known.has("link") };
		},
	};
}
