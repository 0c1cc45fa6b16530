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

/**
 * A subquery of the states of all subscriptions. Columns: `customer` (the account, or a subscription that names none, marked by a
 * zero byte), `said` (the segment it sent last), `leaving` (a cancellation awaits its date); of the state `at`, `until`
 * (milliseconds, half-open), `paying`, `monthly` (NaN without a rate), `priced` (its amount and interval say something; otherwise
 * it counts as 0), `plan`, `unit` (its currency); of the state before `was_paying`, `was_monthly`, `was_plan`; `returns` (it paid
 * before, or says that it comes back); and of what it means for its customer `gained` and `lost` (the first paying subscription
 * that begins, the last one that ends), `met` (its first `subscription.started`).
 */
export function episodes(params: Params, money: Money): string {
	const end = params.add("Int64", money.end);
	const units = params.add("Array(String)", Object.keys(PER_MONTH));
	const factors = params.add("Array(Float64)", Object.values(PER_MONTH));
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
	const records = `SELECT *, kind NOT IN ('${CANCELED}', '${TRIAL_STARTED}') AS paying, if(price = 0, 0, price * rate) AS monthly,
			anyLastIf(account_id, account_id != '') OVER whole AS account, anyLastIf(segment, segment != '') OVER whole AS said,
			anyLast(at) OVER whole >= ${end} AS leaving, leadInFrame(ms, 1, ${FOREVER}) OVER whole AS next_ms
		FROM ${rows}
		WINDOW whole AS (${inOrder} UNBOUNDED FOLLOWING)`;
	const states = `SELECT *, if(account = '', concat(char(0), subject), account) AS customer, kind = '${SUBSCRIPTION_STARTED}' AS starts,
			lagInFrame(paying) OVER whole AS was_paying, lagInFrame(monthly) OVER whole AS was_monthly,
			lagInFrame(plan) OVER whole AS was_plan, leadInFrame(at, 1, ${FOREVER}) OVER whole AS until,
			kind = '${REACTIVATED}' OR max(paying) OVER before AS returns
		FROM (${records})
		WHERE at < ${end} AND (at = ms OR at < next_ms)
		WINDOW whole AS (${inOrder} UNBOUNDED FOLLOWING), before AS (${inOrder} 1 PRECEDING)`;
	// Of one instant what begins comes first, so that a subscription that replaces another leaves no gap.
	return `(SELECT *, paying AND NOT was_paying AND together = 1 AS gained, was_paying AND NOT paying AND together = 0 AS lost,
		starts AND beginnings = 1 AS met
	FROM (
		SELECT *, sum(toInt8(paying) - toInt8(was_paying)) OVER customers AS together, sum(starts) OVER customers AS beginnings
		FROM (${states})
		WINDOW customers AS (PARTITION BY customer ORDER BY at, was_paying ROWS UNBOUNDED PRECEDING)
	))`;
}

/** Whether a state is the one just before an instant, and pays. */
export function paysAt(instant: string): string {
	return `(paying AND at < ${instant} AND until >= ${instant})`;
}
