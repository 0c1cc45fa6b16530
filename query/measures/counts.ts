/** How many events of a name there were, and in which hours people do what they do. */
import { between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { MAKES_ACTIVE, type PeopleScope, resolved, splitAtQuarters } from "./people.ts";
import type { Members } from "./segments.ts";

export const CHAT_EVENT = "chat.message.sent";
export const DOCUMENT_EVENT = "document.created";
export const COLLABORATION_EVENT = "collaboration.started";
export const VOICE_EVENT = "voice.session.started";
export const API_EVENT = "api.call";

/** `bucket` of the tables by quarter of an hour lies in a span of whole ones. */
export function bucketIn(params: Params, { start, end }: Span): string {
	const time = (ms: number) => `toDateTime(${params.add("UInt32", ms / 1_000)}, 'UTC')`;
	return `bucket >= ${time(start)} AND bucket < ${time(end)}`;
}

/** Events of a window by name; a name without one is absent. */
export function eventCounts(span: Span, names: readonly string[]): Question<Map<string, number>> {
	const params = new Params();
	const named = `event IN ${params.add("Array(String)", names)}`;
	const { state, raw } = splitAtQuarters(span);
	const parts = [
		...(state
			? [`SELECT event AS name, n ${from("event_counts_15m", `${named} AND ${bucketIn(params, state)}`)}`]
			: []),
		...raw.map(
			({ start, end }) =>
				`SELECT event AS name, toUInt64(1) AS n ${from("events", `${named} AND ${between(params, "ts", start, end)}`)}`,
		),
	];
	return {
		name: "event_counts",
		params,
		sql: `SELECT name, sum(n) AS total FROM (${parts.length > 0 ? parts.join(" UNION ALL ") : "SELECT '' AS name, 0 AS n"}) GROUP BY name`,
		read: (rows) => new Map(rows.map((row) => [row.name as string, row.total as number])),
	};
}

/** Chat messages of a window by role, `unknown` for those without one. */
export function chatsByRole({ start, end }: Span): Question<Map<string, number>> {
	const params = new Params();
	return {
		name: "chats_by_role",
		params,
		sql: `SELECT strings['role'] AS role, count() AS total
${from("events", `event = '${CHAT_EVENT}' AND ${between(params, "ts", start, end)}`)} GROUP BY role ORDER BY total DESC, role`,
		read: (rows) => new Map(rows.map((row) => [(row.role as string) || "unknown", row.total as number])),
	};
}

/** Events of users by hour of the day (0 to 23) and by day of the week (1 is Monday), in the zone. */
export interface HoursOfUse {
	readonly byHour: ReadonlyMap<number, number>;
	readonly byWeekday: ReadonlyMap<number, number>;
}

/** Events that have a user. Of some users they come from the events, since the state knows no single one. */
export function hoursOfUse(scope: PeopleScope, timezone: string, members?: Members): Question<HoursOfUse> {
	const params = new Params();
	const zone = params.add("String", timezone);
	return {
		name: "hours_of_use",
		params,
		sql: `SELECT toHour(bucket, ${zone}) AS hour, toDayOfWeek(bucket, 0, ${zone}) AS weekday, sum(n) AS total
FROM ${members ? ofMembers(params, scope, members) : ofAll(params, scope)} GROUP BY hour, weekday`,
		read: (rows) => {
			const byHour = new Map<number, number>();
			const byWeekday = new Map<number, number>();
			const add = (all: Map<number, number>, key: number, n: number) => all.set(key, (all.get(key) ?? 0) + n);
			for (const { hour, weekday, total } of rows as unknown as { hour: number; weekday: number; total: number }[]) {
				add(byHour, hour, total);
				add(byWeekday, weekday, total);
			}
			return { byHour, byWeekday };
		},
	};
}

function ofAll(params: Params, scope: PeopleScope): string {
	const { state, raw } = splitAtQuarters(scope);
	const parts = [
		...(state
			? [`SELECT bucket, identified AS n ${from("event_counts_15m", `identified > 0 AND ${bucketIn(params, state)}`)}`]
			: []),
		...raw.map(
			({ start, end }) =>
				`SELECT toDateTime(ts, 'UTC') AS bucket, toUInt64(1) AS n ${from("events", `user_id != '' AND ${between(params, "ts", start, end)}`)}`,
		),
	];
	return `(${parts.join(" UNION ALL ")})`;
}

function ofMembers(params: Params, scope: PeopleScope, members: Members): string {
	const rows = `(SELECT person, toDateTime(ts, 'UTC') AS bucket ${from("events", `${MAKES_ACTIVE} AND ${between(params, "ts", scope.start, scope.end)}`)})`;
	return `(SELECT bucket, toUInt64(1) AS n FROM ${resolved(params, rows, ["bucket"], scope)} WHERE ${members(params)})`;
}
