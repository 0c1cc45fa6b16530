/** Amounts of money in one currency: the billing records, each with the rate of its day. */
import { at } from "../plan/scan.ts";
import { from, type Params } from "../sql.ts";

export const FX_RATE = "fx.rate";
/** What an amount is in when its record does not say, and what an answer is in when the request does not. */
export const DEFAULT_CURRENCY = "USD";

/** The currency of an answer, and what is needed to convert into it. */
export interface Money {
	/** ISO 4217, upper case. */
	readonly currency: string;
	/** Where the day of a rate begins. */
	readonly timezone: string;
	/** Milliseconds since the epoch; no record at or after it counts, no rate either. */
	readonly end: number;
	/** Whether the project ever sent a rate; without one nothing is joined. */
	readonly rated: boolean;
}

/** The currency of a record, as SQL. */
export const UNIT = `if(currency = '', '${DEFAULT_CURRENCY}', currency)`;

const RATE_TYPE = "LowCardinality(String)";

export interface BillingRows {
	/** That of subscriptions has only their records, one subscription after another and each in the order of time. */
	readonly table?: "billing_records" | "subscription_records";
	readonly columns: readonly string[];
	/** On the columns of the table; nothing bounds the time but this. */
	readonly predicate: string;
	/** Names of columns that the others are sums by. Their currency is one more. */
	readonly groupBy?: readonly string[];
	/** An instant of the day of the rate; the record's own without it. */
	readonly instant?: string;
}

/**
 * A subquery of billing records with `columns` and `rate`: what one unit of the record's currency is worth in the currency of the
 * answer. It is the latest rate of the record's day or of a day before it, sent in either direction (`base` = what `quote`
 * costs; of two of one day the direct one, then the later); rates are not chained over a third currency. NaN when there is none,
 * so that a sum in which such an amount stands is not known either.
 * @param parts of the same columns, one after the other
 */
export function billingRows(params: Params, money: Money, ...parts: readonly BillingRows[]): string {
	const target = params.add(RATE_TYPE, money.currency);
	const zone = params.add("String", money.timezone);
	const rows = parts.map(({ table = "billing_records", columns, predicate, groupBy, instant = "ts" }) => {
		const more = money.rated
			? [`${UNIT} AS of_currency`, `toDate(${instant}, ${zone}) AS of_day`]
			: [`if(${UNIT} = ${target}, 1., nan) AS rate`];
		const by = groupBy && ` GROUP BY ${[...groupBy, "currency", ...(money.rated ? ["of_day"] : [])].join(", ")}`;
		return `SELECT ${[...columns, ...more].join(", ")} ${from(table, predicate)}${by ?? ""}`;
	});
	const found = rows.join("\nUNION ALL\n");
	if (!money.rated) return `(${found})`;
	return `(SELECT found.*, if(found.of_currency = ${target}, 1., if(daily.rate > 0, daily.rate, nan)) AS rate
	FROM (${found}) AS found
	ASOF LEFT JOIN (
		SELECT if(label = ${target}, currency, label) AS unit, toDate(ts, ${zone}) AS day,
			argMax(if(label = ${target}, assumeNotNull(amount), 1 / assumeNotNull(amount)), (label = ${target}, ts, id)) AS rate
		${from("billing_records", `kind = '${FX_RATE}' AND ts < ${at(params, money.end)} AND amount > 0 AND (label = ${target} OR currency = ${target})`)}
		GROUP BY unit, day
	) AS daily ON found.of_currency = daily.unit AND found.of_day >= daily.day)`;
}
