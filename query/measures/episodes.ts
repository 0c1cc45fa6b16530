/**
 * Subscriptions replayed from their records, as SQL: states in the order of time.
 *
 * Every record carries the full state from its time on; the latest one (by time, then id) counts. A trial does not pay, nor does a
 * canceled subscription from the date its cancellation takes effect (`effective_at`, never before the record itself); until then
 * it pays as before, and a later record takes a cancellation back that has not taken effect. An overdue subscription goes on
 * until it is canceled.
 */
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
 * zero byte), `segment` (the last one sent), `started` (first `subscription.started`), `leaving` (a cancellation awaits its date);
 * of the state `at`, `until` (milliseconds, half-open), `paying`, `monthly` (NaN without a rate), `priced` (its amount and interval
 * say something; otherwise it counts as 0), `plan`, `unit` (its currency); of the state before `was_paying`, `was_monthly`,
 * `was_plan`; and `returns` (it paid before, or says that it comes back).
 */
export function episodes(params: Params, money: Money): string {
	const end = params.add("Int64", money.end);
	const units = params.add("Array(String)", Object.keys(PER_MONTH));
	const factors = params.add("Array(Float64)", Object.values(PER_MONTH));
	const rows = billingRows(params, money, {
		columns: [
			...["subject", "account_id", "kind", "toUnixTimestamp64Milli(ts) AS ms", "id", "segment", "label AS plan"],
			// One number to compare instead of a pair, which takes four times as long.
			"bitShiftLeft(toUInt128(ms), 64) + id AS place",
			`${UNIT} AS unit`,
			"toUnixTimestamp64Milli(effective) AS starts",
			`transform(toString(interval_unit), ${units}, ${factors}, 0.) AS per_month`,
			"amount IS NOT NULL AND per_month > 0 AS priced",
			`coalesce(amount, 0) * coalesce(quantity, 1) * (1 - least(greatest(discount, 0), 1)) * per_month
				/ if(interval_count > 0, interval_count, 1) AS price`,
		],
		predicate: `kind IN ${params.add("Array(String)", SUBSCRIPTION_EVENTS)} AND subject != ''`,
	});
	// Level by level: an alias that is used again within its own level is analysed again each time, which took longer than to run.
	const latest = (column: string) => `argMaxIf(${column}, place, ${column} != '')`;
	const histories = `SELECT subject, ${latest("account_id")} AS account, ${latest("segment")} AS segment,
			min(if(kind = '${SUBSCRIPTION_STARTED}', ms, ${FOREVER})) AS started,
			arraySort(groupArray((ms, id, starts, kind NOT IN ('${CANCELED}', '${TRIAL_STARTED}'), kind = '${REACTIVATED}',
				if(price = 0, 0, price * rate), priced, toString(plan), toString(unit)))) AS history
		FROM ${rows}
		GROUP BY subject`;
	const states = `SELECT if(account = '', concat(char(0), subject), account) AS customer, segment, started,
			history[-1].3 >= ${end} AS leaving,
			arrayFilter((state, next) -> state.3 < ${end} AND (state.3 = state.1 OR next.1 = 0 OR state.3 < next.1),
				history, arrayShiftLeft(history, 1)) AS states
		FROM (${histories})`;
	const pairs = `SELECT customer, segment, started, leaving, now, was, next, paid
		FROM (${states})
		ARRAY JOIN states AS now, arrayShiftRight(states, 1) AS was, arrayShiftLeft(states, 1) AS next, arrayCumSum(states.4) AS paid`;
	return `(SELECT customer, segment, started, leaving, now.3 AS at, if(next.1 = 0, ${FOREVER}, next.3) AS until,
		now.4 AS paying, now.6 AS monthly, now.7 AS priced, now.8 AS plan, now.9 AS unit,
		was.4 AS was_paying, was.6 AS was_monthly, was.8 AS was_plan, now.5 OR paid > now.4 AS returns
	FROM (${pairs}))`;
}

/** Whether a state is the one just before an instant, and pays. */
export function paysAt(instant: string): string {
	return `(paying AND at < ${instant} AND until >= ${instant})`;
}

/**
 * When the number of a customer's paying subscriptions changed, in the order of time, and by how much; of one instant what begins
 * comes first, so that a subscription that replaces another leaves no gap.
 */
export const FLIPS = `arraySort(groupArrayIf((at, was_paying, toInt32(paying) - toInt32(was_paying)), paying != was_paying))`;

/** How often the last paying subscription of a customer ended in `[start, end)`. @param flips column of {@link FLIPS} */
export function losses(flips: string, start: string, end: string): string {
	return `arrayCount((time, paying) -> paying = 0 AND time >= ${start} AND time < ${end}, ${flips}.1, arrayCumSum(${flips}.3))`;
}
