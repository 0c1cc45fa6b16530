import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Change, inForce, monthly, randomBilling, turns } from "../../tests/support/billing.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { insertEvents, type TestEvent } from "../../tests/support/records.ts";
import { type Asker, Queries } from "../run.ts";
import { subscriptions } from "./subscriptions.ts";

const ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"] as const;
/** Both changes of the clock lie inside. */
const FROM = Date.parse("2026-09-25T00:00:00Z");
const TO = Date.parse("2026-11-05T00:00:00Z");
const { changes, rates } = randomBilling({ from: FROM, to: TO, subscriptions: 120, random: randomFrom(7) });
const histories = grouped(changes, ({ properties }) => properties.subscription_id!);

let database: TestDatabase;
const project = (name: string): Asker => new Queries({ client: database.client, secondLock: false }).of(name);
let asker: Asker;

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	asker = project("p");
	const all: TestEvent[] = [...changes, ...rates];
	// Late and in no order, and the same names in another project.
	for (const part of [2, 0, 1]) {
		await insertEvents(
			database.client,
			"p",
			all.filter((_, i) => i % 3 === part),
		);
	}
	await insertEvents(database.client, "other", all.slice(0, 50));
});
afterAll(() => database?.stop());

const instant = fc.integer({ min: FROM, max: TO }).map((ms) => {
	const turn = changes[ms % changes.length]!.ts;
	return [ms, turn, turn + 1, ms - (ms % 86_400_000)][ms % 4]!;
});
const spans = fc.uniqueArray(instant, { minLength: 2, maxLength: 4 }).map((instants) => {
	const sorted = instants.sort((a, b) => a - b);
	return sorted.slice(1).map((end, i) => ({ start: sorted[i]!, end }));
});
const asked = fc.record({ spans, zone: fc.constantFrom(...ZONES), currency: fc.constantFrom("USD", "EUR", "GBP") });

/** The same in plain code: what was in force before and after each turn of each subscription. */
function truth(span: { start: number; end: number }, currency: string, zone: string, rates: readonly TestEvent[]) {
	const prices = new Map<Change, number>();
	const price = (history: (typeof histories)[number], before: number) => {
		const found = inForce(history, before);
		if (found === undefined) return undefined;
		const known = prices.get(found) ?? monthly(found, rates, currency, zone);
		prices.set(found, known);
		return known;
	};
	const at = (instant: number) => histories.flatMap((history) => price(history, instant) ?? []);
	const sum = { new: 0, expansion: 0, contraction: 0, churned: 0, reactivation: 0 };
	const counts = { new: 0, churned: 0, reactivated: 0 };
	for (const history of histories) {
		let paid = false;
		for (const turn of turns(history)) {
			const [was, is] = [price(history, turn), price(history, turn + 1)];
			const inside = turn >= span.start && turn < span.end ? 1 : 0;
			const saysBack = history.find(({ ts }) => ts === turn)?.event === "subscription.reactivated";
			if (is !== undefined && was !== undefined) {
				if (is > was) sum.expansion += inside * (is - was);
				else sum.contraction += inside * (was - is);
			} else if (is !== undefined) {
				sum[paid || saysBack ? "reactivation" : "new"] += inside * is;
				counts[paid || saysBack ? "reactivated" : "new"] += inside;
			} else if (was !== undefined) {
				sum.churned += inside * was;
				counts.churned += inside;
			}
			paid ||= is !== undefined;
		}
	}
	const accounts = grouped(histories, ([first]) => first!.account_id);
	const pays = (own: typeof histories, before: number) => own.some((history) => inForce(history, before) !== undefined);
	const started = (own: typeof histories) =>
		Math.min(...own.flat().map(({ event, ts }) => (event === "subscription.started" ? ts : Infinity)));
	return {
		mrr_start: total(at(span.start)),
		mrr_end: total(at(span.end)),
		active_start: at(span.start).length,
		active_end: at(span.end).length,
		new_mrr: sum.new,
		expansion_mrr: sum.expansion,
		contraction_mrr: sum.contraction,
		churned_mrr: sum.churned,
		reactivation_mrr: sum.reactivation,
		...counts,
		customers_start: accounts.filter((own) => pays(own, span.start)).length,
		customers_end: accounts.filter((own) => pays(own, span.end)).length,
		customers_lost: total(
			accounts.map((own) => {
				const times = [...new Set(own.flatMap(turns))].filter((turn) => turn >= span.start && turn < span.end);
				return times.filter((turn) => pays(own, turn) && !pays(own, turn + 1)).length;
			}),
		),
		customers_new: accounts.filter((own) => started(own) >= span.start && started(own) < span.end).length,
	};
}

test("subscriptions of any spans are those of a replay of their records, and movements add up to the change", async () => {
	await fc.assert(
		fc.asyncProperty(asked, async ({ spans, zone, currency }) => {
			const end = spans.at(-1)!.end;
			const found = await asker.ask(subscriptions({ currency, timezone: zone, end, rated: true }, spans));
			const known = rates.filter(({ ts }) => ts < end);
			for (const [i, span] of spans.entries()) {
				const got = found.spans[i]!;
				const expected = truth(span, currency, zone, known);
				for (const [name, value] of Object.entries(expected)) {
					expect(got[name as keyof typeof got], name).toBeCloseTo(value, 6);
				}
				const change =
					got.new_mrr! + got.expansion_mrr! - got.contraction_mrr! - got.churned_mrr! + got.reactivation_mrr!;
				expect(got.mrr_end! - got.mrr_start!).toBeCloseTo(change, 6);
				expect(got.active_end - got.active_start).toBe(got.new + got.reactivated - got.churned);
			}
			expect(total(Object.values(found.by_plan))).toBe(found.spans.at(-1)!.active_end);
			expect(found.unrated).toEqual([]);
		}),
		{ numRuns: 40, seed: 3 },
	);
});

const DAY = 86_400_000;
const change = (
	kind: string,
	ts: number,
	properties: Record<string, string | number> = {},
	account_id = "a",
): TestEvent => ({
	event: `subscription.${kind}`,
	...{ ts, account_id },
	properties: { subscription_id: "s", plan: "basic", amount: 10, currency: "USD", ...properties },
});
/** What was known at the end of a span, of a project of its own. */
async function ask(name: string, events: readonly TestEvent[], span: { start: number; end: number }, currency = "USD") {
	await insertEvents(database.client, name, events);
	const money = { currency, timezone: "UTC", end: span.end, rated: events.some(({ event }) => event === "fx.rate") };
	return project(name).ask(subscriptions(money, [span]));
}

test("nothing at or after the end counts, to the millisecond", async () => {
	const events = [change("started", FROM), change("changed", FROM + DAY, { amount: 25 })];
	await insertEvents(database.client, "edge", events);
	const mrrAt = async (end: number) => {
		const money = { currency: "USD", timezone: "UTC", end, rated: false };
		return (await project("edge").ask(subscriptions(money, [{ start: FROM, end }]))).spans[0]!.mrr_end;
	};
	expect(await Promise.all([FROM, FROM + 1, FROM + DAY, FROM + DAY + 1].map(mrrAt))).toEqual([0, 10, 10, 25]);
});

test("a cancellation ends a subscription on its date, unless a later record takes it back", async () => {
	const at = new Date(FROM + 10 * DAY).toISOString();
	const events = [change("started", FROM), change("canceled", FROM + DAY, { effective_at: at })];
	const before = await ask("leaving", events, { start: FROM, end: FROM + 10 * DAY });
	expect(before.spans[0]).toMatchObject({ mrr_end: 10, active_end: 1, churned: 0, customers_lost: 0 });
	const after = await ask("left", events, { start: FROM + 5 * DAY, end: FROM + 10 * DAY + 1 });
	expect(after.spans[0]).toMatchObject({
		mrr_end: 0,
		churned_mrr: 10,
		churned: 1,
		customers_lost: 1,
		customers_end: 0,
	});
	const back = [...events, change("reactivated", FROM + 2 * DAY, { amount: 12 })];
	const stayed = await ask("stayed", back, { start: FROM + DAY, end: FROM + 20 * DAY });
	expect(stayed.spans[0]).toMatchObject({ mrr_end: 12, expansion_mrr: 2, churned: 0, reactivated: 0 });
});

test("a customer whose subscription is replaced by another at the same instant is not lost", async () => {
	const events = [
		change("started", FROM),
		change("canceled", FROM + DAY),
		change("started", FROM + DAY, { subscription_id: "t", plan: "pro", amount: 30 }),
		change("canceled", FROM + 3 * DAY, { subscription_id: "t" }),
	];
	const found = await ask("replaced", events, { start: FROM + 1, end: FROM + 2 * DAY });
	expect(found.spans[0]).toMatchObject({ churned: 1, new: 1, customers_lost: 0, customers_start: 1, customers_end: 1 });
	expect(found.by_plan).toEqual({ pro: 1 });
	const money = { currency: "USD", timezone: "UTC", end: FROM + 4 * DAY, rated: false };
	const [span] = (await project("replaced").ask(subscriptions(money, [{ start: FROM + 1, end: money.end }]))).spans;
	expect(span).toMatchObject({ customers_lost: 1, customers_end: 0, customers_new: 0 });
});

test("an amount in a currency without a rate makes the sum unknown, not smaller; one that was replaced does not", async () => {
	const events = [change("started", FROM, { currency: "CHF" }), change("started", FROM, { subscription_id: "t" }, "b")];
	const found = await ask("unrated", events, { start: FROM - 1, end: FROM + DAY });
	expect(found.spans[0]).toMatchObject({ mrr_start: 0, mrr_end: null, new_mrr: null, churned_mrr: 0, active_end: 2 });
	expect(found.unrated).toEqual(["CHF"]);
	const moved = [...events, change("changed", FROM + DAY, { currency: "usd", amount: 5 })];
	const later = await ask("rated later", moved, { start: FROM + 2 * DAY, end: FROM + 3 * DAY });
	expect(later.spans[0]).toMatchObject({ mrr_start: 15, mrr_end: 15, expansion_mrr: 0 });
});

test("a record without an amount, or of an interval nobody knows, is counted but said to have no price", async () => {
	const { amount: _, ...rest } = change("started", FROM).properties as Record<string, string | number>;
	const events = [
		{ ...change("started", FROM), properties: rest },
		change("started", FROM, { subscription_id: "t", interval: "fortnight" }),
		change("started", FROM, { subscription_id: "u", amount: "7.5", quantity: "2" }),
	];
	const found = await ask("unpriced", events, { start: FROM - 1, end: FROM + DAY });
	expect(found).toMatchObject({ unpriced: 2, spans: [{ active_end: 3, mrr_end: 15 }] });
});

function grouped<T>(items: readonly T[], of: (item: T) => string | number): T[][] {
	const groups = new Map<string | number, T[]>();
	for (const item of items) groups.set(of(item), [...(groups.get(of(item)) ?? []), item]);
	return [...groups.values()];
}

function total(values: readonly number[]): number {
	return values.reduce((a, b) => a + b, 0);
}

/** Numbers from 0 to 1 that a seed decides. */
function randomFrom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
}
