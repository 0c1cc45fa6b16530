/**
 * Subscriptions replayed from their records, as SQL: states in the order of time, and what each changes.
 *
 * Every record carries the full state from its time on; the latest one (by time, then id) counts. A trial does not pay, nor does a
 * canceled subscription from the date its cancellation takes effect (`effective_at`, never before the record itself); until then
 * it pays as before, and a later record takes a cancellation back that has not taken effect. An overdue subscription goes on
 * until it is canceled.
 */
import { at } from "../plan/scan.ts";
import type { Params } from "../sql.ts";
import { billingRows, type Money, UNIT } from "./money.ts";

export const SUBSCRIPTION_STARTED = "subscription.started";
const CANCELED = "subscription.canceled";
const REACTIVATED = "subscription.reactivated";
const TRIAL_STARTED = "subscription.trial_started";
export const SUBSCRIPTION_EVENTS = [
	SUBSCRIPTION_STARTED,
	"subscription.changed",
	"subscription.renewed",
	CANCELED,
	REACTIVATED,
	TRIAL_STARTED,
] as const;

/** Amounts a month by the unit of the billing interval; a record that names none is billed by the month. */
const PER_MONTH: Readonly<Record<string, number>> = {
	"": 1,
	...{ month: 1, monthly: 1, quarter: 1 / 3, quarterly: 1 / 3 },
	...{ year: 1 / 12, yearly: 1 / 12, annual: 1 / 12, annually: 1 / 12 },
	...{ week: 52 / 12, weekly: 52 / 12, day: 365 / 12, daily: 365 / 12 },
};

/** Later than any instant, in milliseconds. */
const FOREVER = "9007199254740991";

/** What is the same on all levels of {@link episodes}. */
const RECORDED = ["plan", "unit", "priced", "said", "leaving"] as const;
type EpisodeColumn =
	| (typeof RECORDED)[number]
	| ("customer" | "at" | "until" | "paying" | "monthly" | "starts" | "returns")
	| `was_${"paying" | "monthly" | "plan"}`;

/** What a state means for its customer: the first paying subscription begins, the last one ends, its first one of all has started. */
export const GAINED = "paying AND NOT was_paying AND together = 1";
export const LOST = "was_paying AND NOT paying AND together = 0";
export const MET = "starts AND beginnings = 1";

/**
 * A subquery of the states of all subscriptions. Columns: `customer` (the account, or a subscription that names none, marked by a
 * zero byte), `said` (the segment it sent last), `leaving` (a cancellation awaits its date); of the state `at`, `until`
 * (milliseconds, half-open), `paying`, `monthly` (NaN without a rate), `priced` (its amount and interval say something; otherwise
 * it counts as 0), `plan`, `unit` (its currency), `starts` (it is a `subscription.started`); of the state before `was_paying`,
 * `was_monthly`, `was_plan`; `returns` (it paid before, or says that it comes back); and of its customer `together` (its paying
 * subscriptions from then on), `beginnings` (its starts until then).
 * @param columns the ones to have besides the last two: what nobody reads is analysed all the same, on each of the levels
 */
export function episodes(params: Params, money: Money, columns: readonly EpisodeColumn[]): string {
	const end = params.add("Int64", money.end);
	const units = params.add("Array(String)", Object.keys(PER_MONTH));
	const factors = params.add("Array(Float64)", Object.values(PER_MONTH));
	const select = (expressions: Readonly<Record<string, string>>, always: readonly string[]) =>
		Object.entries(expressions)
			.filter(([name]) => always.includes(name) || columns.includes(name as EpisodeColumn))
			.map(([name, sql]) => (name === sql ? name : `${sql} AS ${name}`))
			.join(", ");
	const same = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, name]));
	const rows = billingRows(params, money, {
		table: "subscription_records",
		columns: [
			...["subject", "account_id", "kind", "ts", "id", "segment", "label AS plan", `${UNIT} AS unit`],
			...["toUnixTimestamp64Milli(ts) AS ms", "toUnixTimestamp64Milli(effective) AS at"],
			`transform(interval_unit, ${units}, ${factors}, 0.) AS per_month`,
			"amount IS NOT NULL AND per_month > 0 AS priced",
			`coalesce(amount, 0) * coalesce(quantity, 1) * (1 - least(greatest(discount, 0), 1)) * per_month
				/ if(interval_count > 0, interval_count, 1) AS price`,
		],
		predicate: `ts < ${at(params, money.end)}`,
	});
	// The table is in this order, and nothing is sorted. Arrays of each subscription's states instead take twice as long.
	const inOrder = "PARTITION BY subject ORDER BY ts, id ROWS BETWEEN UNBOUNDED PRECEDING AND";
	const ofRecord = {
		...same(["subject", "ts", "id", "kind", "ms", "at", "plan", "unit", "priced"]),
		paying: `kind NOT IN ('${CANCELED}', '${TRIAL_STARTED}')`,
		monthly: "if(price = 0, 0, price * rate)",
		account: "anyLastIf(account_id, account_id != '') OVER whole",
		said: "anyLastIf(segment, segment != '') OVER whole",
		leaving: `anyLast(at) OVER whole >= ${end}`,
		next_ms: `leadInFrame(ms, 1, ${FOREVER}) OVER whole`,
	};
	const records = `SELECT ${select(ofRecord, ["subject", "ts", "id", "kind", "ms", "at", "plan", "paying", "monthly", "account", "next_ms"])}
		FROM ${rows}
		WINDOW whole AS (${inOrder} UNBOUNDED FOLLOWING)`;
	const ofState = {
		...same([...RECORDED, "at", "paying", "monthly"]),
		customer: "if(account = '', concat(char(0), subject), account)",
		starts: `kind = '${SUBSCRIPTION_STARTED}'`,
		was_paying: "lagInFrame(paying) OVER whole",
		was_monthly: "lagInFrame(monthly) OVER whole",
		was_plan: "lagInFrame(plan) OVER whole",
		until: `leadInFrame(at, 1, ${FOREVER}) OVER whole`,
		returns: `kind = '${REACTIVATED}' OR max(paying) OVER before`,
	};
	const states = `SELECT ${select(ofState, ["customer", "at", "starts", "paying", "was_paying"])}
		FROM (${records})
		WHERE at < ${end} AND (at = ms OR at < next_ms)
		WINDOW whole AS (${inOrder} UNBOUNDED FOLLOWING), before AS (${inOrder} 1 PRECEDING)`;
	// Of one instant what begins comes first, so that a subscription that replaces another leaves no gap.
	const ofCustomer = {
		...same(columns),
		together: "sum(toInt8(paying) - toInt8(was_paying)) OVER customers",
		beginnings: "sum(starts) OVER customers",
	};
	return `(SELECT ${select(ofCustomer, Object.keys(ofCustomer))}
	FROM (${states})
	WINDOW customers AS (PARTITION BY customer ORDER BY at, was_paying ROWS UNBOUNDED PRECEDING))`;
}

/** Whether a state is the one just before an instant, and pays. */
export function paysAt(instant: string): string {
	return `(paying AND at < ${instant} AND until >= ${instant})`;
}
