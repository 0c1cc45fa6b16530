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

/** Customers that were in the same segments when the span began, when it ended, and when they left. */
export interface Customers {
	/** What their records say, else the plan of their largest subscription; null of those that did not pay then. */
	readonly segment_start: string | null;
	readonly segment_end: string | null;
	/** The one that they had when they left; null of those that did not. */
	readonly segment_lost: string | null;
	readonly customers: number;
	/** A month, of all together; null in a currency without a rate. */
	readonly mrr_start: number | null;
	readonly mrr_end: number | null;
	/** Times that the last paying subscription of one of them ended in the span. */
	readonly lost: number;
	/** Those that are accounts: the others are subscriptions that name none. */
	readonly accounts: readonly Account[];
}

export type Account = readonly [
	account_id: string,
	/** A month; null in a currency without a rate. */
	mrr_end: number | null,
	/** Whether all that it pays for ends on a date that is set. */
	leaving: 0 | 1,
];

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

/**
 * Every customer that paid when the span began, when it ended, or left in between. `money.end` is the end of the span.
 * In groups: a row for each of them would be read for longer than it takes to find them.
 */
export function customers(money: Money, { start, end }: Span): Question<Customers[]> {
	const params = new Params();
	const [s, e] = [params.add("Int64", start), params.add("Int64", end)];
	const planAt = (instant: string) => `argMaxIf(plan, (monthly, at, plan), ${paysAt(instant)})`;
	const segment = (when: string, plan: string) => `if(${when}, firstNonDefault(segment, ${plan}, 'unknown'), '')`;
	return {
		name: "customers",
		params,
		sql: `SELECT ${segment("paid", "plan_start")} AS segment_start, ${segment("pays", "plan_end")} AS segment_end,
	${segment("losses > 0", "plan_lost")} AS segment_lost, count() AS customers, sum(monthly_start) AS mrr_start, sum(monthly_end) AS mrr_end,
	sum(losses) AS lost, groupArrayIf((customer, monthly_end, leaves), NOT startsWith(customer, char(0))) AS accounts
FROM (SELECT customer, argMaxIf(said, (at, said), said != '') AS segment,
	countIf(${paysAt(s)}) > 0 AS paid, sumIf(monthly, ${paysAt(s)}) AS monthly_start, ${planAt(s)} AS plan_start,
	countIf(${paysAt(e)}) > 0 AS pays, sumIf(monthly, ${paysAt(e)}) AS monthly_end, ${planAt(e)} AS plan_end,
	argMaxIf(was_plan, (at, was_plan), NOT paying AND was_paying AND at >= ${s}) AS plan_lost,
	pays AND countIf(${paysAt(e)} AND NOT leaving) = 0 AS leaves, countIf(${LOST} AND at >= ${s}) AS losses
FROM ${episodes(params, money, COLUMNS)}
GROUP BY customer
HAVING paid OR pays OR losses > 0)
GROUP BY segment_start, segment_end, segment_lost`,
		read: (rows) =>
			rows.map((row) => {
				const segment = (name: string) => (row[name] as string) || null;
				return {
					...(row as unknown as Customers),
					segment_start: segment("segment_start"),
					segment_end: segment("segment_end"),
					segment_lost: segment("segment_lost"),
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
		sql: `SELECT account, sum(rating) AS total, count(rating) AS n
FROM (SELECT account_id AS account, ${RATING} AS rating
	${from("events", `event IN ('${FEEDBACK_EVENT}', '${TICKET_RATED}') AND account_id != '' AND ${between(params, "ts", span.start, span.end)}`)})
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
