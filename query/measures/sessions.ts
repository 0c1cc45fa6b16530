/**
 * Product sessions: a client's session_id on events that also have a user, never split. A project that sends no session_id at all has
 * sessions that end by half an hour without an event of the user, not at midnight. A session belongs to the window in which it starts,
 * with all that is known of it before `as_of`, and to the user of its first event.
 */
import { between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { type Identity, MAKES_ACTIVE, type PeopleScope, resolved } from "./people.ts";

/** How sessions are told apart. */
export type SessionKind = "client" | "inactivity";

export const SESSION_METHODS: Readonly<Record<SessionKind, string>> = {
	client: "session_id of events that have a user",
	inactivity: "30 minutes without an event of the user",
};

const GAP_MS = 1_800_000;
const HOUR_MS = 3_600_000;

/**
 * A subquery with a row per session that starts in the scope: `user`, `began` and `ended` (milliseconds since the epoch), `n` events
 * of users, `chats`, `inferences`.
 */
export function sessionRows(params: Params, scope: PeopleScope, kind: SessionKind): string {
	return kind === "client" ? clientSessions(params, scope) : inactivitySessions(params, scope);
}

function clientSessions(params: Params, scope: PeopleScope): string {
	const { start, end, as_of } = scope;
	// Whole hours come from the state, the hour of as_of from the events.
	const edge = Math.floor(as_of / HOUR_MS) * HOUR_MS;
	const hour = (ms: number) => `toDateTime(${params.add("UInt32", ms / 1_000)}, 'UTC')`;
	const first = Math.floor(start / HOUR_MS) * HOUR_MS;
	const last = Math.ceil(end / HOUR_MS) * HOUR_MS;
	const columns = ["session", "first", "last", "n", "chats", "inferences"];
	const raw = `session_id != '' AND ${between(params, "ts", edge, as_of)}`;
	// A session of the window may go on after it, and may have begun before it and then is not of the window. To look for the hours
	// that sessions may be in takes longer than to look at them, and nothing can be looked for by what a function makes of it.
	const inWindow = `SELECT session ${from("session_hours", `hour >= ${hour(first)} AND hour < ${hour(last)}`)}`;
	const known = `hour < ${hour(edge)} AND (hour >= ${hour(first)} OR identity(session) IN (${inWindow}))`;
	const rows = [
		`SELECT person, ${columns.join(", ")} ${from("session_hours", known)}`,
		`SELECT person, sipHash64(session_id) AS session, ts AS first, ts AS last, toUInt64(1) AS n,
	toUInt64(event = 'chat.message.sent') AS chats, toUInt64(event = 'model_inference_completed') AS inferences ${from("events", raw)}`,
	].join(" UNION ALL ");
	// Messages count whoever sent them, an assistant has no user_id.
	return `(SELECT argMinIf(seen.user, (seen.first, seen.user), seen.user != 0) AS user,
	toUnixTimestamp64Milli(minIf(seen.first, seen.user != 0)) AS began, toUnixTimestamp64Milli(maxIf(seen.last, seen.user != 0)) AS ended,
	sumIf(seen.n, seen.user != 0) AS n, sum(seen.chats) AS chats, sum(seen.inferences) AS inferences
FROM ${resolved(params, `(${rows})`, columns, scope)} AS seen
GROUP BY session
HAVING user != 0 AND began >= ${params.add("Int64", start)} AND began < ${params.add("Int64", end)})`;
}

function inactivitySessions(params: Params, scope: PeopleScope): string {
	const { start, end, as_of } = scope;
	const events = `SELECT person, toUnixTimestamp64Milli(ts) AS ms, event = 'chat.message.sent' AS chat,
	event = 'model_inference_completed' AS inference
${from("events", `${MAKES_ACTIVE} AND ${between(params, "ts", start - GAP_MS, as_of)}`)}`;
	return `(SELECT user, visit[1].1 AS began, visit[-1].1 AS ended, length(visit) AS n,
	arraySum(e -> e.2, visit) AS chats, arraySum(e -> e.3, visit) AS inferences
FROM (
	SELECT user, arraySort(groupArray((ms, chat, inference))) AS all,
		arrayJoin(arraySplit((e, gap) -> gap > ${params.add("UInt32", GAP_MS)}, all, arrayDifference(arrayMap(e -> e.1, all)))) AS visit
	FROM ${resolved(params, `(${events})`, ["ms", "chat", "inference"], scope)}
	WHERE user != 0 GROUP BY user
) WHERE began >= ${params.add("Int64", start)} AND began < ${params.add("Int64", end)})`;
}

/** Sessions that start in a window. */
export interface SessionTotals {
	readonly sessions: number;
	/** Sum of last event − first event. */
	readonly duration_ms: number;
	/** Sessions of one event, which last 0. */
	readonly single: number;
	readonly n: number;
	readonly chats: number;
	readonly inferences: number;
}

export function sessionTotals(scope: PeopleScope, kind: SessionKind): Question<SessionTotals> {
	const params = new Params();
	return {
		name: "session_totals",
		params,
		sql: `SELECT ${TOTALS} FROM ${sessionRows(params, scope, kind)} AS one`,
		read: ([row]) => row as unknown as SessionTotals,
	};
}

const TOTALS = `count() AS sessions, sum(ended - began) AS duration_ms, countIf(one.n = 1) AS single,
	sum(one.n) AS n, sum(one.chats) AS chats, sum(one.inferences) AS inferences`;

/** Sessions of several windows, in their order: what lies between them is looked at too. None may overlap another. */
export function sessionTotalsIn(
	spans: readonly Span[],
	identity: Identity,
	kind: SessionKind,
): Question<SessionTotals[]> {
	const params = new Params();
	const whole = { start: Math.min(...spans.map(({ start }) => start)), end: Math.max(...spans.map(({ end }) => end)) };
	const began = (ms: number) => params.add("Int64", ms);
	const places = spans.map(({ start, end }, i) => `began >= ${began(start)} AND began < ${began(end)}, ${i}`);
	return {
		name: "session_totals",
		params,
		sql: `SELECT multiIf(${places.join(", ")}, ${spans.length}) AS place, ${TOTALS}
FROM ${sessionRows(params, { ...identity, ...whole }, kind)} AS one GROUP BY place`,
		read: (rows) => {
			const found = new Map(rows.map(({ place, ...totals }) => [place, totals as unknown as SessionTotals]));
			return spans.map((_, i) => found.get(i) ?? NO_SESSIONS);
		},
	};
}

const NO_SESSIONS: SessionTotals = { sessions: 0, duration_ms: 0, single: 0, n: 0, chats: 0, inferences: 0 };

/** Seconds; null without a session. */
export function meanDuration_s({ sessions, duration_ms }: SessionTotals): number | null {
	return sessions === 0 ? null : duration_ms / sessions / 1_000;
}
