/** For tests only: random histories of subscriptions and rates, and what they mean in plain code. */
import { Temporal } from "temporal-polyfill";
import type { TestEvent } from "./records.ts";

export interface Change extends TestEvent {
	readonly account_id: string;
	readonly properties: Readonly<Record<string, string | number>>;
}

export interface Billing {
	readonly changes: readonly Change[];
	readonly rates: readonly TestEvent[];
}

const DAY_MS = 86_400_000;
const PLANS = ["basic", "pro", "", "o'ne/plan é"];

export interface BillingOptions {
	readonly from: number;
	readonly to: number;
	readonly subscriptions: number;
	readonly random: () => number;
}

/** Histories in any order of kinds, as clients send them that lose and repeat records; no two of a subscription at one time. */
export function randomBilling({ from, to, subscriptions, random }: BillingOptions): Billing {
	const pick = <T>(options: readonly T[]): T => options[Math.floor(random() * options.length)]!;
	const instant = () => {
		const ts = Math.floor(from + random() * (to - from));
		return random() < 0.2 ? ts - (ts % DAY_MS) : ts;
	};
	const changes = Array.from({ length: subscriptions }, (_, i) => {
		const times = [...new Set(Array.from({ length: Math.ceil(random() * 7) }, instant))].sort((a, b) => a - b);
		const account_id = `acct ${Math.floor(random() * subscriptions * 0.7)}`;
		return times.map((ts, n): Change => {
			const kinds = ["changed", "renewed", "canceled", "canceled", "reactivated", "trial_started", "started"];
			const kind = n === 0 && random() < 0.8 ? pick(["started", "trial_started"]) : pick(kinds);
			const effective =
				kind === "canceled" && random() < 0.5 ? ts + Math.floor((random() - 0.2) * 20 * DAY_MS) : undefined;
			const unit = pick(["day", "week", "month", "year"]);
			return {
				event: `subscription.${kind}`,
				...{ ts, account_id },
				properties: {
					...{ subscription_id: `sub ${i}`, plan: pick(PLANS), amount: Math.floor(random() * 200), interval: unit },
					currency: pick(["USD", "usd", "EUR", "GBP"]),
					...(random() < 0.5 ? { interval_count: pick([1, 2, 3]), quantity: pick([0, 1, 4]) } : {}),
					...(random() < 0.5 ? { discount: pick([0, 0.25, 1]) } : {}),
					...(effective === undefined
						? {}
						: { effective_at: random() < 0.5 ? effective : new Date(effective).toISOString() }),
				},
			};
		});
	}).flat();
	// From before the first record on, so that no amount lacks one; some days have several, some only the inverse.
	const rates = Array.from({ length: 60 }, (_, i): TestEvent[] => {
		const ts = i < 4 ? from - 3 * DAY_MS + i : instant();
		const [base, quote] = [
			["EUR", "USD"],
			["USD", "GBP"],
			["EUR", "GBP"],
			["USD", "EUR"],
		][i % 4] as [string, string];
		return [{ event: "fx.rate", ts, properties: { base, quote, rate: 0.5 + random() } }];
	}).flat();
	return { changes, rates };
}

/** A rate of the latest day that has one; of one day the direct before the inverse, then the latest. */
function rateOf(rates: readonly TestEvent[], from: string, to: string, ts: number, zone: string): number {
	if (from === to) return 1;
	const usable = rates
		.flatMap(({ ts: at, properties }) => {
			const { base, quote, rate } = properties as { base: string; quote: string; rate: number };
			if (base === from && quote === to) return [{ at, day: dayOf(at, zone), direct: 1, value: rate }];
			return base === to && quote === from ? [{ at, day: dayOf(at, zone), direct: 0, value: 1 / rate }] : [];
		})
		.filter(({ day }) => day <= dayOf(ts, zone))
		.sort((a, b) => a.day.localeCompare(b.day) || a.direct - b.direct || a.at - b.at);
	return usable.at(-1)?.value ?? Number.NaN;
}

const days = new Map<string, string>();
/** Calendar days are asked for again and again, and slow to compute. */
function dayOf(ms: number, zone: string): string {
	const key = `${ms} ${zone}`;
	const known = days.get(key);
	if (known !== undefined) return known;
	const day = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone).toPlainDate().toString();
	days.set(key, day);
	return day;
}

const A_MONTH: Readonly<Record<string, number>> = { day: 365 / 12, week: 52 / 12, month: 1, year: 1 / 12 };

/** What a record says that is paid a month, in a currency. */
export function monthly(
	{ ts, properties: p }: Change,
	rates: readonly TestEvent[],
	currency: string,
	zone: string,
): number {
	const { amount, quantity = 1, discount = 0, interval, interval_count = 1 } = p as Record<string, number>;
	const price = (amount! * quantity * (1 - discount) * A_MONTH[interval!]!) / interval_count;
	return convert({ ts, properties: p }, price, rates, currency, zone);
}

/** An amount of a record in a currency. */
export function convert(
	{ ts, properties }: Pick<TestEvent, "ts" | "properties">,
	amount: number,
	rates: readonly TestEvent[],
	currency: string,
	zone: string,
): number {
	return amount === 0 ? 0 : amount * rateOf(rates, String(properties!.currency).toUpperCase(), currency, ts, zone);
}

const endsAt = ({ ts, properties }: Change) =>
	Math.max(ts, properties.effective_at === undefined ? ts : new Date(properties.effective_at).getTime());

/** The record whose price is paid just before an instant; undefined when nothing is. @param history one subscription's, in order */
export function inForce(history: readonly Change[], before: number): Change | undefined {
	const known = history.filter(({ ts }) => ts < before);
	const last = known.at(-1);
	if (last === undefined || last.event.endsWith("trial_started")) return undefined;
	if (!last.event.endsWith("canceled")) return last;
	return endsAt(last) < before ? undefined : inForce(known.slice(0, -1), last.ts);
}

/** Instants at which the state of a subscription may change. */
export function turns(history: readonly Change[]): number[] {
	return [
		...new Set(
			history.flatMap((change) => [change.ts, ...(change.event.endsWith("canceled") ? [endsAt(change)] : [])]),
		),
	].sort((a, b) => a - b);
}
