/** Customers one by one: what they pay, how they use the product, what they say. */
import { Temporal } from "temporal-polyfill";
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { CUSTOMER_RULES } from "./customer-rules.ts";
import { episodes, LOST, paysAt } from "./episodes.ts";
import type { Money } from "./money.ts";
import { FEEDBACK_EVENT, RATING } from "./ratings.ts";
import { INVOICE_PAID } from "./revenue.ts";
import { TICKET_RATED } from "./tickets.ts";

export const PAYMENT_FAILED = "payment.failed";
const DAY_MS = 86_400_000;

export interface Customer {
	/** Null for a subscription that names no account. */
	readonly account_id: string | null;
	/** What its records say, else the plan of its largest subscription; null when it did not pay then. */
	readonly segment_start: string | null;
	readonly segment_end: string | null;
	/** The one that it had when it left; null when it did not. */
	readonly segment_lost: string | null;
	/** A month; null in a currency without a rate. */
	readonly mrr_start: number | null;
	readonly mrr_end: number | null;
	/** Times that its last paying subscription ended in the span. */
	readonly lost: number;
	/** Whether all that it pays for ends on a date that is set. */
	readonly leaving: boolean;
}

const COLUMNS = [
	"customer",
	"said",
	"leaving",
	"plan",
	"at",
	"until",
	"paying",
	"monthly",
	"was_paying",
	"was_plan",
] as const;

/** Every account that paid when the span began, when it ended, or left in between. `money.end` is the end of the span. */
export function customers(money: Money, { start, end }: Span): Question<Customer[]> {
	const params = new Params();
	const [s, e] = [params.add("Int64", start), params.add("Int64", end)];
	const planAt = (instant: string) => `argMaxIf(plan, (monthly, at, plan), ${paysAt(instant)})`;
	return {
		name: "customers",
		params,
		sql: `SELECT customer, argMaxIf(said, (at, said), said != '') AS segment,
	countIf(${paysAt(s)}) AS active_start, sumIf(monthly, ${paysAt(s)}) AS mrr_start, ${planAt(s)} AS plan_start,
	countIf(${paysAt(e)}) AS active_end, sumIf(monthly, ${paysAt(e)}) AS mrr_end, ${planAt(e)} AS plan_end,
	argMaxIf(was_plan, (at, was_plan), NOT paying AND was_paying AND at >= ${s}) AS plan_lost,
	countIf(${paysAt(e)} AND leaving) AS ending, countIf(${LOST} AND at >= ${s}) AS lost
FROM ${episodes(params, money, COLUMNS)}
GROUP BY customer
HAVING active_start > 0 OR active_end > 0 OR lost > 0`,
		read: (rows) =>
			rows.map((row) => {
				const [customer, lost, active] = [row.customer as string, row.lost as number, row.active_end as number];
				const segment = (is: boolean, plan: string) =>
					is ? (row.segment as string) || (row[plan] as string) || "unknown" : null;
				return {
					account_id: customer.startsWith("\0") ? null : customer,
					segment_start: segment((row.active_start as number) > 0, "plan_start"),
					segment_end: segment(active > 0, "plan_end"),
					segment_lost: segment(lost > 0, "plan_lost"),
					mrr_start: row.mrr_start as number | null,
					mrr_end: row.mrr_end as number | null,
					lost,
					leaving: active > 0 && (row.ending as number) === active,
				};
			}),
	};
}

/** How an account used the product, by its events that name a user; billing and support say nothing about use. */
export interface Activity {
	/** Milliseconds since the epoch. */
	readonly first: number;
	readonly last: number;
	/** Events of the last days (the rule says how many), and of as many before. */
	readonly recent: number;
	readonly before: number;
	/** Calendar days with activity among the last ones (the rule says how many), the day of the end included. */
	readonly days: number;
}

/** By account; those without activity are absent. @param end milliseconds since the epoch */
export function activity(end: number, timezone: string): Question<Map<string, Activity>> {
	const params = new Params();
	const { days } = CUSTOMER_RULES.at_risk.usage_drop;
	// A bit a day: a set of dates for each account is several times as slow.
	const [oldest, zone] = [at(params, firstDay(end, timezone)), params.add("String", timezone)];
	const recent = at(params, end - days * DAY_MS);
	const before = at(params, end - 2 * days * DAY_MS);
	return {
		name: "account_activity",
		params,
		sql: `SELECT account_id AS account, toUnixTimestamp64Milli(min(ts)) AS first, toUnixTimestamp64Milli(max(ts)) AS last,
	countIf(ts >= ${recent}) AS recent, countIf(ts >= ${before} AND ts < ${recent}) AS before,
	bitCount(groupBitOr(if(ts >= ${oldest}, bitShiftLeft(toUInt64(1), dateDiff('day', toDate(${oldest}, ${zone}), toDate(ts, ${zone}))), 0))) AS days
${from("events", `account_id != '' AND user_id != '' AND ts < ${at(params, end)}`)}
GROUP BY account`,
		read: (rows) => new Map(rows.map((row) => [row.account as string, row as unknown as Activity])),
	};
}

/** Start of the first of the calendar days of engagement, of which the last is the one that the end lies in. */
export function firstDay(end: number, timezone: string): number {
	return Temporal.Instant.fromEpochMilliseconds(end - 1)
		.toZonedDateTimeISO(timezone)
		.toPlainDate()
		.subtract({ days: CUSTOMER_RULES.engagement.days - 1 })
		.toZonedDateTime(timezone).epochMilliseconds;
}

export interface Ratings {
	readonly sum: number;
	readonly n: number;
}

/** Ratings of the span by account, 1 to 5: feedback and tickets. */
export function accountRatings(span: Span): Question<Map<string, Ratings>> {
	const params = new Params();
	return {
		name: "account_ratings",
		params,
		sql: `SELECT account_id AS account, sum(${RATING}) AS total, count(${RATING}) AS n
${from("events", `event IN ('${FEEDBACK_EVENT}', '${TICKET_RATED}') AND account_id != '' AND ${between(params, "ts", span.start, span.end)}`)}
GROUP BY account HAVING n > 0`,
		read: (rows) =>
			new Map(rows.map((row) => [row.account as string, { sum: row.total as number, n: row.n as number }])),
	};
}

/** Accounts whose last payment failed. @param end milliseconds since the epoch */
export function failedPayments(end: number): Question<Set<string>> {
	const params = new Params();
	return {
		name: "failed_payments",
		params,
		sql: `SELECT account_id AS account
${from("billing_records", `kind IN ('${PAYMENT_FAILED}', '${INVOICE_PAID}') AND account_id != '' AND ts < ${at(params, end)}`)}
GROUP BY account HAVING maxIf(ts, kind = '${PAYMENT_FAILED}') > maxIf(ts, kind = '${INVOICE_PAID}')`,
		read: (rows) => new Set(rows.map((row) => row.account as string)),
	};
}
