/** Records of money and of support. */
import { type Attribute, event, type Family, needed, number, text } from "./record.ts";

const ACCOUNT = text("account_id", "The paying customer", needed);
const CURRENCY = text("currency", "ISO 4217", needed);
const SUBSCRIPTION = [
	text("subscription_id", "Which subscription", needed),
	ACCOUNT,
	text("plan", "Name of the plan"),
	text("segment", "Segment of the customer; absent, the plan"),
	number("amount", "Price of one for an interval", { ...needed, unit: "currency" }),
	CURRENCY,
	text("interval", "Absent, month", { values: ["day", "week", "month", "year"] }),
	number("interval_count", "Intervals that the amount pays for; absent, 1"),
	number("quantity", "How many; absent, 1"),
	number("discount", "Share of amount × quantity, from 0 to 1"),
];
/** Each record carries the whole state from its timestamp on. */
const subscription = (what: string, about: string, more: readonly Attribute[] = []) =>
	event(`subscription.${what}`, about, [...SUBSCRIPTION, ...more]);
const TICKET = [text("ticket_id", "Which ticket", needed), text("account_id", "Whose it is")];

export const BUSINESS: readonly Family[] = [
	{
		family: "billing",
		title: "Subscriptions and money",
		records: [
			subscription("started", "A paying subscription begins"),
			subscription("trial_started", "A trial begins; it pays nothing yet"),
			subscription("changed", "Plan, price, quantity or discount are others from now on"),
			subscription("renewed", "A new interval begins"),
			subscription("canceled", "It ends, now or on a date", [
				text(
					"effective_at",
					"When it ends, RFC 3339; absent or before the record, now. Also effective_date, cancel_at",
				),
			]),
			subscription("reactivated", "A canceled one pays again"),
			event("invoice.paid", "Money came in", [
				ACCOUNT,
				number("amount", "All of it, with tax", { ...needed, unit: "currency" }),
				number("recurring_amount", "Part of subscriptions", { unit: "currency" }),
				number("tax", "Part that is tax", { unit: "currency" }),
				CURRENCY,
			]),
			event("payment.refunded", "Money went back", [
				ACCOUNT,
				number("amount", "How much", { ...needed, unit: "currency" }),
				CURRENCY,
			]),
			event("payment.failed", "A payment did not go through", [
				ACCOUNT,
				number("amount", "How much", { unit: "currency" }),
				CURRENCY,
			]),
			event("usage.billed", "Metered use was charged", [
				ACCOUNT,
				text("meter", "What is metered, such as ai_request or collaboration_hour", needed),
				number("quantity", "How much of it", needed),
				number("amount", "What it costs", { ...needed, unit: "currency" }),
				CURRENCY,
			]),
			event("cost.recorded", "Money was spent", [
				text("category", "What for", { ...needed, values: ["sales", "marketing", "cogs"] }),
				number("amount", "How much", { ...needed, unit: "currency" }),
				CURRENCY,
			]),
			event(
				"fx.rate",
				"An exchange rate from now on: 1 base is rate quote",
				[text("base", "ISO 4217", needed), text("quote", "ISO 4217", needed), number("rate", "Of the day", needed)],
				{
					fills_nothing: "Needed where amounts are in several currencies, by every field of money",
				},
			),
		],
	},
	{
		family: "support",
		title: "Support",
		records: [
			event("ticket.opened", "A customer asks for help", TICKET),
			event("ticket.first_response", "Someone answered", TICKET),
			event("ticket.escalated", "It went to a higher level", TICKET),
			event("ticket.resolved", "It is solved", TICKET),
			event("ticket.reopened", "It was not solved after all", TICKET),
			event("ticket.rated", "The customer rated the help", [
				...TICKET,
				number("rating", "From 1 up", needed),
				number("scale", "Best possible rating; absent, 5"),
			]),
		],
	},
];
