/**
 * How many users come back. Cohorts are users by the day of their first activity ever; those who were deleted stay in theirs. A rate
 * is over all cohorts whose day N is over: those who came back divided by all, so that big cohorts weigh more.
 */
import { Temporal } from "temporal-polyfill";
import { at } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { activeQuarters, daysUntil, type Identity, localDays, MAKES_ACTIVE, perUser } from "./people.ts";
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
	const [users, rules] = options.mode === "24h" ? byHours(params, options) : byDates(params, options);
	const columns = RETENTION_DAYS.map((n) => {
		const { over, back } = rules(n);
		return `countIf(${over}) AS users_${n}, countIf(${over} AND ${back}) AS retained_${n}`;
	});
	return {
		name: "retention",
		params,
		sql: `SELECT ${columns.join(", ")} FROM ${users}`,
		read: ([row]) =>
			RETENTION_DAYS.map((n) => ({ users: row?.[`users_${n}`] as number, retained: row?.[`retained_${n}`] as number })),
	};
}

/** A subquery with a row per user, and what is true of it for a day N: whether that is over, and whether the user was back. */
type Cohorts = readonly [users: string, rules: (n: number) => { readonly over: string; readonly back: string }];

function byDates(params: Params, options: RetentionOptions): Cohorts {
	const { as_of, timezone, mode, members, ...identity } = options;
	const date = Temporal.Instant.fromEpochMilliseconds(as_of).toZonedDateTimeISO(timezone).toPlainDate().toString();
	const today = params.add("Date", date);
	// The same day may come twice.
	const isUtc = timezone === "UTC";
	const rows = isUtc ? daysUntil(params, as_of) : activeQuarters(params, { start: 0, end: as_of });
	const each = isUtc ? "groupArray(one.day)" : `groupArrayArray(${localDays(params, timezone)})`;
	const days = { alone: each, person: each, user: "groupArrayArray(one.days)" };
	const users = perUser(params, rows, { days }, { ...identity, as_of, where: members?.(params) });
	const seen = `(SELECT days, arrayMin(days) AS began${mode === "rolling" ? ", arrayMax(days) AS latest" : ""} FROM ${users})`;
	return [
		seen,
		(n) => ({
			over: `began + ${n} < ${today}`,
			back: mode === "rolling" ? `latest >= began + ${n}` : `has(days, began + ${n})`,
		}),
	];
}

/** Of the events themselves: a quarter of an hour would not do. */
function byHours(params: Params, options: RetentionOptions): Cohorts {
	const { as_of, members } = options;
	const rows = `(SELECT person, toUnixTimestamp64Milli(ts) AS ms ${from("events", `${MAKES_ACTIVE} AND ts < ${at(params, as_of)}`)})`;
	const each = "groupArray(one.ms)";
	const times = { alone: `arraySort(${each})`, person: each, user: "arraySort(groupArrayArray(one.times))" };
	const users = perUser(params, rows, { times }, { ...options, where: members?.(params) });
	const day = 86_400_000;
	return [
		users,
		(n) => ({
			over: `times[1] + ${(n + 1) * day} <= ${params.add("Int64", as_of)}`,
			back: `arrayExists(ms -> ms >= times[1] + ${n * day} AND ms < times[1] + ${(n + 1) * day}, times)`,
		}),
	];
}
