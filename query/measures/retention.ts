/**
 * How many users come back. Cohorts are users by the day of their first activity ever; those who were deleted stay in theirs. A rate
 * is over all cohorts whose day N is over: those who came back divided by all, so that big cohorts weigh more.
 */
import { Temporal } from "temporal-polyfill";
import { at } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { activeQuarters, type Identity, localDays, MAKES_ACTIVE, resolved } from "./people.ts";
import type { Members } from "./segments.ts";

export const RETENTION_DAYS = [1, 7, 30] as const;
export const RETENTION_MODES = ["calendar", "rolling", "24h"] as const;
export type RetentionMode = (typeof RETENTION_MODES)[number];

export const RETENTION_METHODS: Readonly<Record<RetentionMode, string>> = {
	calendar: "active on calendar day N after the first one, over cohorts whose day N is over, weighted by size",
	rolling: "active on calendar day N after the first one or later, over cohorts whose day N is over, weighted by size",
	"24h": "active in the Nth 24 hours after the first event, over users for whom they are over",
};

/** For each day N: users for whom it is over, and those of them who came back. */
export type Retention = readonly { readonly users: number; readonly retained: number }[];

export interface RetentionOptions extends Identity {
	readonly timezone: string;
	readonly mode: RetentionMode;
	readonly members?: Members | undefined;
}

export function retention(options: RetentionOptions): Question<Retention> {
	const params = new Params();
	const users = options.mode === "24h" ? byHours(params, options) : byDates(params, options);
	const columns = RETENTION_DAYS.map(
		(n) => `countIf(over_${n}) AS users_${n}, countIf(over_${n} AND back_${n}) AS retained_${n}`,
	);
	return {
		name: "retention",
		params,
		sql: `SELECT ${columns.join(", ")} FROM ${users}`,
		read: ([row]) =>
			RETENTION_DAYS.map((n) => ({ users: row?.[`users_${n}`] as number, retained: row?.[`retained_${n}`] as number })),
	};
}

function byDates(params: Params, options: RetentionOptions): string {
	const { as_of, timezone, mode, members } = options;
	const date = Temporal.Instant.fromEpochMilliseconds(as_of).toZonedDateTimeISO(timezone).toPlainDate().toString();
	const today = params.add("Date", date);
	const rows = activeQuarters(params, { start: 0, end: as_of });
	// By person first: the join with the links then has few rows. The same day may come twice.
	const dates = timezone === "UTC" ? "groupArray(day)" : `groupArrayArray(${localDays(params, timezone)})`;
	const people = `(SELECT person, ${dates} AS dates FROM ${rows} GROUP BY person)`;
	const columns = RETENTION_DAYS.map((n) => {
		const back = mode === "rolling" ? `latest >= began + ${n}` : `has(days, began + ${n})`;
		return `began + ${n} < ${today} AS over_${n}, ${back} AS back_${n}`;
	});
	return `(SELECT ${columns.join(", ")} FROM (
	SELECT user, groupArrayArray(dates) AS days, arrayMin(days) AS began, arrayMax(days) AS latest
	FROM ${resolved(params, people, ["dates"], options)} WHERE user != 0${members ? ` AND ${members(params)}` : ""} GROUP BY user
))`;
}

/** Of the events themselves: a quarter of an hour would not do. */
function byHours(params: Params, options: RetentionOptions): string {
	const { as_of, members } = options;
	const rows = `(SELECT person, toUnixTimestamp64Milli(ts) AS ms ${from("events", `${MAKES_ACTIVE} AND ts < ${at(params, as_of)}`)})`;
	const day = 86_400_000;
	const columns = RETENTION_DAYS.map(
		(n) =>
			`times[1] + ${(n + 1) * day} <= ${params.add("Int64", as_of)} AS over_${n}, ` +
			`arrayExists(ms -> ms >= times[1] + ${n * day} AND ms < times[1] + ${(n + 1) * day}, times) AS back_${n}`,
	);
	return `(SELECT ${columns.join(", ")} FROM (
	SELECT user, arraySort(groupArray(ms)) AS times
	FROM ${resolved(params, rows, ["ms"], options)} WHERE user != 0${members ? ` AND ${members(params)}` : ""} GROUP BY user
))`;
}
