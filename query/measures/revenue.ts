/** Money that came in and went out, and what is made of it. */
import { at, between } from "../plan/scan.ts";
import { Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { CUSTOMER_RULES } from "./customer-rules.ts";
import { type BillingRows, billingRows, type Money, UNIT } from "./money.ts";
import type { Subscribed } from "./subscriptions.ts";

export const INVOICE_PAID = "invoice.paid";
export const PAYMENT_REFUNDED = "payment.refunded";
export const USAGE_BILLED = "usage.billed";
export const COST_RECORDED = "cost.recorded";

/** A lifetime value says nothing when so few customers could have left. */
const MIN_CUSTOMERS = CUSTOMER_RULES.minimum.lifetime_value_customers;

/** Sums of one kind of record over a span; null when an amount is in a currency without a rate. */
export interface Flow {
	readonly records: number;
	readonly amount: number | null;
	readonly tax: number | null;
	readonly quantity: number;
}

export interface Flows {
	/** Invoices, refunds, costs by category and metered use by meter. `records` of a meter counts all before the end, too. */
	readonly spans: readonly SpanFlows[];
	/** Meters that ever billed. */
	readonly meters: ReadonlySet<string>;
	readonly unrated: readonly string[];
}

export interface SpanFlows {
	readonly paid: Flow;
	readonly refunded: Flow;
	/** By category, in lower case. */
	readonly costs: ReadonlyMap<string, Flow>;
	readonly usage: ReadonlyMap<string, Flow>;
}

const NOTHING: Flow = { records: 0, amount: 0, tax: 0, quantity: 0 };

const plus = (a: Flow, b: Flow): Flow => ({
	records: a.records + b.records,
	amount: a.amount === null || b.amount === null ? null : a.amount + b.amount,
	tax: a.tax === null || b.tax === null ? null : a.tax + b.tax,
	quantity: a.quantity + b.quantity,
});

const QUARTER_MS = 900_000;
/** As a projection of the table has it: another way to say the same is summed up from the records. */
const QUARTER = "toStartOfFifteenMinutes(ts)";
const quarterOf = (instant: number) => instant - (instant % QUARTER_MS);

/** What was paid, refunded, spent and billed by use over spans. */
export function flows(money: Money, spans: readonly Span[]): Question<Flows> {
	const params = new Params();
	// Summed up once between any two neighbouring bounds: spans overlap, and a condition in every sum costs more than the sum.
	const bounds = [...new Set(spans.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b);
	const [first, end] = [at(params, bounds[0]!), at(params, money.end)];
	const others = `kind IN ('${INVOICE_PAID}', '${PAYMENT_REFUNDED}', '${COST_RECORDED}')`;
	/** Sums of the records that an instant of theirs, which is all that is asked of their time, lies between the bounds of. */
	const sums = (instant: string, where: readonly string[]): BillingRows => ({
		columns: [
			...["kind", "label", `${UNIT} AS unit`],
			`${bounds.map((bound) => `(${instant} >= ${at(params, bound)})`).join(" + ")} AS passed`,
			...[
				"count() AS n",
				"coalesce(sum(amount), 0) AS price",
				"sum(tax) AS taxes",
				"coalesce(sum(quantity), 0) AS used",
			],
		],
		predicate: [
			`(kind = '${USAGE_BILLED}' OR (${others} AND ${instant} >= ${first})) AND ${instant} < ${end}`,
			...where,
		].join(" AND "),
		groupBy: ["kind", "label", "passed"],
		instant,
	});
	// Whole quarters of an hour are summed up already. Those that a bound divides come from their records.
	const divided = [...new Set([...bounds, money.end].filter((bound) => bound % QUARTER_MS !== 0).map(quarterOf))];
	const notWhole = divided.map((quarter) => `toDateTime(${params.add("UInt32", quarter / 1_000)}, 'UTC')`);
	const whole = sums(QUARTER, notWhole.length === 0 ? [] : [`${QUARTER} NOT IN (${notWhole.join(", ")})`]);
	const ofDivided = divided.map((quarter) => between(params, "ts", quarter, quarter + QUARTER_MS));
	const rest = ofDivided.length === 0 ? [] : [sums("ts", [`(${ofDivided.join(" OR ")})`])];
	return {
		name: "money_flows",
		params,
		// An amount of nothing is nothing in any currency.
		sql: `SELECT kind, label, passed, sum(n) AS records, sum(if(price = 0, 0, price * rate)) AS amount,
	sum(if(taxes = 0, 0, taxes * rate)) AS tax, sum(used) AS quantity, groupUniqArrayIf(10)(unit, isNaN(rate)) AS unrated
FROM ${billingRows(params, money, whole, ...rest)}
GROUP BY kind, label, passed SETTINGS optimize_use_projections = 1`,
		read: (found) => {
			const inSpan = found.map(({ passed }) =>
				spans.map(({ start, end }) => {
					const from = bounds[Number(passed) - 1];
					return from !== undefined && from >= start && from < end;
				}),
			);
			const flow = (kind: string, i: number) => {
				const sums = new Map<string, Flow>();
				for (const [k, row] of found.entries()) {
					if (row.kind !== kind) continue;
					const sum = sums.get(row.label as string) ?? NOTHING;
					sums.set(row.label as string, inSpan[k]![i] ? plus(sum, row as unknown as Flow) : sum);
				}
				return sums;
			};
			return {
				spans: spans.map((_, i) => ({
					paid: flow(INVOICE_PAID, i).get("") ?? NOTHING,
					refunded: flow(PAYMENT_REFUNDED, i).get("") ?? NOTHING,
					costs: flow(COST_RECORDED, i),
					usage: flow(USAGE_BILLED, i),
				})),
				meters: new Set(found.filter((row) => row.kind === USAGE_BILLED).map((row) => row.label as string)),
				unrated: [...new Set(found.flatMap((row, k) => (inSpan[k]!.includes(true) ? (row.unrated as string[]) : [])))],
			};
		},
	};
}

/** Net revenue of a span: paid − tax − refunds. */
export function netRevenue({ paid, refunded }: SpanFlows): number | null {
	if (paid.amount === null || paid.tax === null || refunded.amount === null) return null;
	return paid.amount - paid.tax - refunded.amount;
}

/** What the categories cost; undefined when none of them was recorded in the span, null without a rate. */
export function costOf({ costs }: SpanFlows, ...categories: readonly string[]): number | null | undefined {
	const found = categories.flatMap((category) => costs.get(category) ?? []).filter(({ records }) => records > 0);
	if (found.length === 0) return undefined;
	return found.reduce<number | null>((sum, { amount }) => (sum === null || amount === null ? null : sum + amount), 0);
}

/** Categories of what it costs to win a customer. */
export const ACQUISITION = ["sales", "marketing"] as const;

/** Sales and marketing cost of a span over the customers won in it; null without either. */
export function acquisitionCost(span: SpanFlows, { customers_new }: Subscribed): number | null {
	const cost = costOf(span, ...ACQUISITION);
	return cost === undefined || cost === null || customers_new === 0 ? null : cost / customers_new;
}

/** Share of the customers of the start that were lost, a ratio; null when there were none. */
export function churnRate({ customers_start, customers_lost }: Subscribed): number | null {
	return customers_start === 0 ? null : customers_lost / customers_start;
}

export interface Lifetime {
	readonly value: number | null;
	/** How it was made, or why there is none. */
	readonly method: string;
	/** Whether a rate of exchange is all that it lacks. */
	readonly unrated: boolean;
}

/**
 * Lifetime value of a customer: revenue of an account a month × margin / monthly churn, where margin = 1 − cogs / net revenue of the
 * window. Without a recorded cogs it is of revenue.
 * @param window of the margin
 * @param churn subscriptions over the month of the churn, which ends with the window
 */
export function lifetimeValue(window: SpanFlows, churn: Subscribed): Lifetime {
	const none = (method: string, unrated = false): Lifetime => ({ value: null, method: `none: ${method}`, unrated });
	if (churn.customers_start < MIN_CUSTOMERS) {
		return none(`${churn.customers_start} customers at the start of the month, ${MIN_CUSTOMERS} are needed`);
	}
	const rate = churnRate(churn);
	if (!rate) return none("nobody left");
	if (churn.customers_end === 0) return none("nobody pays");
	const [cogs, net] = [costOf(window, "cogs"), netRevenue(window)];
	if (churn.mrr_end === null || cogs === null || (cogs !== undefined && net === null))
		return none("a rate is missing", true);
	const monthly = churn.mrr_end / churn.customers_end;
	const value = (amount: number, method: string): Lifetime => ({ value: amount / rate, method, unrated: false });
	if (cogs === undefined) return value(monthly, "basis revenue: no cost of the category cogs in the window");
	if (net === null || net <= 0) return none("no net revenue that cogs could be compared with");
	return value(monthly * (1 - cogs / net), "basis margin: 1 - cogs / net revenue of the window");
}
