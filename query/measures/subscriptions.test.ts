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
		{ numRuns: 60, seed: 3 },
	);
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
