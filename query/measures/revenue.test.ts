import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { convert, randomBilling } from "../../tests/support/billing.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { insertEvents, type TestEvent } from "../../tests/support/records.ts";
import { type Asker, Queries } from "../run.ts";
import { acquisitionCost, flows, lifetimeValue, netRevenue, type SpanFlows } from "./revenue.ts";
import type { Subscribed } from "./subscriptions.ts";
import { openEscalations, support, ticketsOpened } from "./tickets.ts";

const FROM = Date.parse("2026-09-25T00:00:00Z");
const TO = Date.parse("2026-11-05T00:00:00Z");
const DAY = 86_400_000;
const ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"] as const;
const random = randomFrom(5);
const pick = <T>(options: readonly T[]): T => options[Math.floor(random() * options.length)]!;
const { rates } = randomBilling({ from: FROM, to: TO, subscriptions: 0, random });
const KINDS = ["invoice.paid", "invoice.paid", "payment.refunded", "usage.billed", "cost.recorded"];
const payments = Array.from({ length: 600 }, (): TestEvent => {
	const ts = Math.floor(FROM + random() * (TO - FROM));
	const amount = Math.round(random() * 10_000) / 100;
	return {
		event: pick(KINDS),
		ts: random() < 0.2 ? ts - (ts % DAY) : ts,
		properties: {
			...{ amount, tax: random() < 0.5 ? amount / 5 : 0, quantity: Math.floor(random() * 10) },
			...{
				currency: pick(["USD", "EUR", "gbp"]),
				meter: pick(["ai_request", "m'2"]),
				category: pick(["cogs", "Sales"]),
			},
		},
	};
});
const TICKETS = ["opened", "first_response", "escalated", "resolved", "reopened", "rated"];
const tickets = Array.from({ length: 300 }, (_, i): TestEvent => {
	const ticket = i % 60;
	const kind = i < 60 ? "opened" : pick(TICKETS.slice(1));
	return {
		event: `ticket.${kind}`,
		ts: Math.floor(FROM + random() * (TO - FROM)),
		account_id: `a${ticket % 7}`,
		properties: {
			ticket_id: ticket % 2 ? ticket : `t/${ticket}`,
			...(kind === "rated" ? { rating: pick([1, 2, 5]) } : {}),
		},
	};
});

let database: TestDatabase;
let asker: Asker;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	asker = new Queries({ client: database.client, secondLock: false }).of("p");
	const all = [...payments, ...rates, ...tickets];
	for (const part of [1, 2, 0]) {
		await insertEvents(
			database.client,
			"p",
			all.filter((_, i) => i % 3 === part),
		);
	}
	await insertEvents(database.client, "other", all.slice(0, 100));
});
afterAll(() => database?.stop());

const instant = fc
	.integer({ min: FROM, max: TO })
	.map((ms) => [payments[ms % payments.length]!.ts, ms - (ms % 900_000), ms][ms % 3]!);
const span = fc.tuple(instant, instant).map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));
const within = (events: readonly TestEvent[], { start, end }: { start: number; end: number }, name: string) =>
	events.filter(({ event, ts }) => event === name && ts >= start && ts < end);
const idOf = ({ properties }: TestEvent) => Number(String(properties!.ticket_id).replace("t/", ""));
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

test("what was paid, refunded, spent and billed in any span is the sum of its records at the rates of their days", async () => {
	await fc.assert(
		fc.asyncProperty(
			span,
			fc.constantFrom(...ZONES),
			fc.constantFrom("USD", "EUR"),
			async (window, timezone, currency) => {
				// The one before, and one that reaches into both: a route asks for a month, the whole month before and a part of that.
				const before = { start: FROM, end: window.start };
				const spans = [
					window,
					before,
					{ start: Math.floor((FROM + window.start) / 2), end: Math.floor((window.start + window.end) / 2) },
				];
				const found = await asker.ask(flows({ currency, timezone, end: window.end, rated: true }, spans));
				const known = rates.filter(({ ts }) => ts < window.end);
				for (const [i, span] of spans.entries()) {
					const flow: SpanFlows = found.spans[i]!;
					const total = (name: string, field: string, only: (p: Record<string, unknown>) => boolean = () => true) =>
						sum(
							within(payments, span, name)
								.filter(({ properties }) => only(properties!))
								.map((event) => convert(event, Number(event.properties![field]), known, currency, timezone)),
						);
					const net =
						total("invoice.paid", "amount") - total("invoice.paid", "tax") - total("payment.refunded", "amount");
					expect(netRevenue(flow)).toBeCloseTo(net, 6);
					for (const meter of ["ai_request", "m'2"]) {
						const of = ({ meter: name }: Record<string, unknown>) => name === meter;
						expect(flow.usage.get(meter)?.amount ?? 0).toBeCloseTo(total("usage.billed", "amount", of), 6);
					}
					const cogs = total("cost.recorded", "amount", ({ category }) => category === "cogs");
					expect(flow.costs.get("cogs")?.amount ?? 0).toBeCloseTo(cogs, 6);
					const sales = total("cost.recorded", "amount", ({ category }) => category === "Sales");
					const cost = acquisitionCost(flow, { customers_new: 2 } as Subscribed);
					if (within(payments, span, "cost.recorded").some(({ properties }) => properties!.category === "Sales")) {
						expect(cost).toBeCloseTo(sales / 2, 6);
					} else expect(cost).toBeNull();
				}
			},
		),
		{ numRuns: 40, seed: 1 },
	);
});

test("whole quarters of an hour are read from their sums, whatever the rates and the zone", async () => {
	for (const rated of [false, true]) {
		const money = { currency: "EUR", timezone: "Asia/Kathmandu", end: TO - 1, rated };
		const { name, params, sql } = flows(money, [{ start: FROM + 1, end: TO - 1 }]);
		const read = (rows: readonly Readonly<Record<string, unknown>>[]) => JSON.stringify(rows);
		expect(await asker.ask({ name, params, sql: `EXPLAIN ${sql}`, read })).toContain("ReadFromMergeTree (quarters)");
	}
});

test("support of any span is of the tickets opened in it, by what was known at its end", async () => {
	await fc.assert(
		fc.asyncProperty(span, async (window) => {
			const known = tickets.filter(({ ts }) => ts < window.end);
			const of = (ticket: number, kind: string) =>
				known.filter((event) => event.event === `ticket.${kind}` && idOf(event) === ticket).map(({ ts }) => ts);
			const opened = within(tickets, window, "ticket.opened").map(idOf);
			const latest = (ticket: number, kind: string) => Math.max(...of(ticket, kind), 0);
			const waits = opened.flatMap((ticket) => {
				const answers = of(ticket, "first_response");
				const openedAt = tickets[ticket]!.ts;
				return answers.length === 0 ? [] : [Math.max(0, Math.min(...answers) - openedAt) / 3_600_000];
			});
			const isResolved = (ticket: number) => latest(ticket, "resolved") > latest(ticket, "reopened");
			const ratings = within(tickets, window, "ticket.rated").map(({ properties }) => Number(properties!.rating));
			const found = await asker.ask(support(window));
			expect(found).toEqual({
				opened: opened.length,
				response_hours: waits.length === 0 ? null : expect.closeTo(sum(waits) / waits.length, 6),
				resolved: opened.filter(isResolved).length,
				escalated: opened.filter((ticket) => of(ticket, "escalated").length > 0).length,
				satisfaction: ratings.length === 0 ? null : expect.closeTo(sum(ratings) / ratings.length, 6),
			});
			expect(await asker.ask(ticketsOpened([window]))).toEqual([opened.length]);
			const open = Array.from({ length: 60 }, (_, ticket) => ticket).filter(
				(ticket) => of(ticket, "escalated").length > 0 && !isResolved(ticket),
			);
			expect(await asker.ask(openEscalations(window.end))).toEqual(new Set(open.map((ticket) => `a${ticket % 7}`)));
		}),
		{ numRuns: 40, seed: 2 },
	);
});

test("a lifetime value needs 30 customers and some that left; without cogs it is of revenue", () => {
	const flow = { records: 1, amount: 1_000, tax: 0, quantity: 0 };
	const none = { ...flow, records: 0, amount: 0 };
	const window = (costs: SpanFlows["costs"]): SpanFlows => ({ paid: flow, refunded: none, costs, usage: new Map() });
	const churn = { customers_start: 40, customers_end: 50, customers_lost: 4, mrr_end: 5_000 } as Subscribed;
	const cogs = window(new Map([["cogs", { ...flow, amount: 250 }]]));
	expect(lifetimeValue(cogs, churn)).toMatchObject({ value: 750, method: expect.stringMatching(/^basis margin/) });
	expect(lifetimeValue(window(new Map()), churn)).toMatchObject({
		value: 1_000,
		method: expect.stringMatching(/^basis revenue/),
	});
	for (const less of [{ customers_start: 29 }, { customers_lost: 0 }, { customers_end: 0 }, { mrr_end: null }]) {
		expect(lifetimeValue(cogs, { ...churn, ...less })).toMatchObject({
			value: null,
			method: expect.stringMatching(/^none/),
		});
	}
});

/** Numbers from 0 to 1 that a seed decides. */
function randomFrom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
}
