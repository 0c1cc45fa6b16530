// Subscriptions, invoices, usage, costs and support.
import type { BatchRecord } from "../../schema/wire/index.ts";
import { type Day, digits, HOUR_MS, moments, Random } from "./world.ts";

const PLANS = { basic: 29, professional: 99, enterprise: 499 } as const;
type Plan = keyof typeof PLANS;

interface Account {
	readonly account_id: string;
	readonly subscription_id: string;
	readonly currency: string;
	/** Day of the first subscription; below 0 it was there before, and is told of on the first day. */
	readonly startsOn: number;
	readonly cancelsOn: number;
	readonly changesOn: number;
	readonly trial: boolean;
	readonly plans: readonly [Plan, Plan];
	readonly quantity: number;
	readonly interval: "month" | "year";
}

/** The same customers for every day of a seed. */
export function accounts(seed: number, days: number): Account[] {
	const random = new Random(seed);
	return Array.from({ length: 60 }, (_, i) => {
		const startsOn = i < 38 ? -1 : random.whole(0, days - 1);
		const plan = random.weighted([
			["basic", 55],
			["professional", 33],
			["enterprise", 12],
		] as const);
		const better = plan === "basic" ? "professional" : "enterprise";
		return {
			account_id: `acct_${String(i + 1).padStart(3, "0")}`,
			subscription_id: `sub_${String(i + 1).padStart(3, "0")}`,
			currency: random.chance(0.2) ? "EUR" : "USD",
			...{ startsOn, trial: startsOn >= 0 && random.chance(0.3) },
			cancelsOn: random.chance(0.15) ? startsOn + random.whole(15, days) : Number.POSITIVE_INFINITY,
			changesOn: random.chance(0.25) ? startsOn + random.whole(10, days) : Number.POSITIVE_INFINITY,
			plans: [plan, random.chance(0.8) ? better : "basic"],
			quantity: plan === "enterprise" ? random.whole(2, 12) : 1,
			interval: random.chance(0.25) ? "year" : "month",
		};
	});
}

/** Everything that has to do with money or help on a day. */
export function* business(day: Day, all: readonly Account[]): Iterable<BatchRecord> {
	const { random } = day;
	const at = (hour: number) => day.start + Math.round(hour * HOUR_MS);
	const event = (name: string, hour: number, properties: object, account_id?: string): BatchRecord => ({
		...{ type: "event", event: name, timestamp: at(hour), properties: { ...properties } },
		...(account_id === undefined ? {} : { account_id }),
	});
	yield event("fx.rate", 0, { base: "EUR", quote: "USD", rate: digits(1.08 + 0.02 * Math.sin(day.index / 9), 4) });
	for (const category of ["sales", "marketing", "cogs"]) {
		const amount = digits(random.between(0.8, 1.2) * { sales: 90, marketing: 70, cogs: 55 }[category as "cogs"], 2);
		yield event("cost.recorded", 1, { category, amount, currency: "USD" });
	}
	for (const account of all) yield* subscription(day, account, event);
	for (const account of all.filter((one) => isPaying(one, day.index))) {
		const ai = random.whole(100, 2_400);
		const hours = random.whole(0, 40);
		const meter = (name: string, quantity: number, amount: number) =>
			event(
				"usage.billed",
				23,
				{ meter: name, quantity, amount: digits(amount, 2), currency: account.currency },
				account.account_id,
			);
		yield meter("ai_request", ai, ai * 0.02);
		if (hours > 0) yield meter("collaboration_hour", hours, hours * 1.5);
	}
	yield* tickets(day, all);
}

function isPaying({ startsOn, cancelsOn, trial }: Account, index: number): boolean {
	return index >= startsOn + (trial ? 14 : 0) && index < cancelsOn;
}

type Event = (name: string, hour: number, properties: object, account_id?: string) => BatchRecord;

function* subscription(day: Day, account: Account, event: Event): Iterable<BatchRecord> {
	const { account_id, subscription_id, currency, startsOn, cancelsOn, changesOn, trial, quantity, interval } = account;
	const stateOn = (index: number) => {
		const plan = account.plans[index >= changesOn ? 1 : 0];
		const amount = PLANS[plan] * (interval === "year" ? 10 : 1);
		return {
			subscription_id,
			plan,
			amount,
			currency,
			interval,
			interval_count: 1,
			quantity,
			discount: interval === "year" ? 0.1 : 0,
		};
	};
	const state = stateOn(day.index);
	const first = Math.max(0, startsOn);
	const tell = (kind: string, hour: number) => event(`subscription.${kind}`, hour, state, account_id);
	if (day.index === first) yield tell(trial ? "trial_started" : "started", 9);
	if (trial && day.index === first + 14 && day.index < cancelsOn) yield tell("started", 9);
	if (day.index === changesOn && day.index > first + 14 && day.index < cancelsOn) yield tell("changed", 11);
	if (day.index === cancelsOn && day.index > first) yield tell("canceled", 17);
	const period = interval === "year" ? 365 : 30;
	if (!isPaying(account, day.index) || (day.index - first) % period !== (trial ? 14 : 0)) return;
	if (day.index > first + 14) yield tell("renewed", 9.4);
	const recurring_amount = digits(state.amount * quantity * (1 - state.discount), 2);
	const tax = digits(recurring_amount * 0.19, 2);
	yield event(
		"invoice.paid",
		9.5,
		{ amount: digits(recurring_amount + tax, 2), recurring_amount, tax, currency },
		account_id,
	);
	if (day.random.chance(0.04)) {
		yield event("payment.refunded", 15, { amount: digits(recurring_amount / 2, 2), currency }, account_id);
	}
}

function* tickets(day: Day, all: readonly Account[]): Iterable<BatchRecord> {
	const { random } = day;
	for (const [i, ms] of moments(day, 3).entries()) {
		const ticket_id = `tick_${day.index}_${i}`;
		const { account_id } = random.pick(all);
		const step = (event: string, hours: number, properties: object = {}): BatchRecord => {
			const timestamp = ms + Math.round(hours * HOUR_MS);
			return { type: "event", event, account_id, timestamp, properties: { ticket_id, ...properties } };
		};
		const answered = random.logNormal(2.5, 0.6);
		yield step("ticket.opened", 0);
		yield step("ticket.first_response", answered);
		if (random.chance(0.08)) yield step("ticket.escalated", answered + 3);
		if (random.chance(0.9)) yield step("ticket.resolved", answered + random.between(1, 20));
		const rating = random.weighted([
			[5, 5],
			[4, 3],
			[3, 1],
			[2, 1],
		] as const);
		if (random.chance(0.5)) yield step("ticket.rated", answered + 22, { rating });
	}
}
