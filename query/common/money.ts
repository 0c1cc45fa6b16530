/** What the routes of money share: the currency of an answer, and what its fields need. */
import type { Meta } from "../../schema/wire/index.ts";
import { SUBSCRIPTION_EVENTS } from "../measures/episodes.ts";
import { DEFAULT_CURRENCY, FX_RATE, type Money } from "../measures/money.ts";
import { INVOICE_PAID, PAYMENT_REFUNDED } from "../measures/revenue.ts";
import type { Signals } from "../measures/signals.ts";
import type { Subscriptions } from "../measures/subscriptions.ts";
import { decimals } from "../rounding.ts";
import type { Window } from "../time/window.ts";

export const SUBSCRIPTIONS = SUBSCRIPTION_EVENTS.map((name) => `event ${name}`);
export const PAYMENTS = [`event ${INVOICE_PAID}`, `event ${PAYMENT_REFUNDED}`];

/** The currency of an answer about a window. */
export function moneyOf(window: Window, currency: string, rated: boolean): Money {
	return { currency, timezone: window.timezone, end: window.end, rated };
}

/** Whether the project ever sent a rate. */
export const isRated = (sent: Signals) => sent.hasEvent(FX_RATE);

/** Whether any money ever came in or went back. */
export const isPaid = (sent: Signals) => sent.hasEvent(INVOICE_PAID, PAYMENT_REFUNDED);

/** What is known of recurring revenue: nothing before the first subscription, and nothing when none of them says what it costs. */
export function recurringOf({ spans, unpriced }: Subscriptions, sent: Signals) {
	const active = spans.at(-1)?.active_end ?? 0;
	const subscribed = sent.hasEvent(...SUBSCRIPTION_EVENTS);
	const priced = active === 0 || unpriced < active;
	return {
		subscribed,
		/** A number of money, to cents, or null. */
		money: (value: number | null) => (subscribed && priced ? decimals(value, 2) : null),
		missing: (fields: readonly string[]): Meta["missing"] =>
			subscribed && !priced ? fields.map((field) => ({ field, needs: `${SUBSCRIPTIONS[0]} with amount` })) : [],
		method:
			unpriced === 0
				? "amount x quantity x (1 - discount) a month, of the latest state of each paying subscription"
				: `amount x quantity x (1 - discount) a month; ${unpriced} paying subscriptions without an amount or of an unknown interval count as 0`,
	};
}

/** How amounts became those of the answer. */
export function currencyMethod(money: Money, unrated: readonly string[]): string {
	const base = `amounts in other currencies than ${money.currency} at the latest rate of their day or before; without a currency they are ${DEFAULT_CURRENCY}`;
	return unrated.length === 0 ? base : `${base}; no rate from ${unrated.toSorted().join(", ")} to ${money.currency}`;
}

/** The fields that are null for want of a rate. @param fields by dotted path, whether an amount of theirs has none */
export function missingRates(fields: Readonly<Record<string, boolean>>): Meta["missing"] {
	return Object.entries(fields).flatMap(([field, unrated]) => (unrated ? [{ field, needs: `event ${FX_RATE}` }] : []));
}
