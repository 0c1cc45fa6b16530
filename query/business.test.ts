import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrations } from "../schema/migrate.ts";
import { render } from "../schema/render.ts";
import { randomBilling } from "../tests/support/billing.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../tests/support/database.ts";
import { type Reads, startReads } from "../tests/support/reads.ts";
import { insertEvents, type TestEvent } from "../tests/support/records.ts";

const NOW = Date.parse("2026-11-18T15:00:00Z");
const DAY = 86_400_000;
const REVENUE = "/v1/monitoring/revenue";
const BUSINESS = "/v1/monitoring/business";
const MONTH = "/analytics/business/revenue";
const CUSTOMERS = "/analytics/business/customers";
const PROJECTS = ["p", "other", "alone", "health", "young", "francs", "bare"];

const ago = (days: number) => NOW - days * DAY;
const subscribe = (account_id: string, days: number, properties: Record<string, string | number> = {}): TestEvent => ({
	event: "subscription.started",
	...{ ts: ago(days), account_id },
	properties: { subscription_id: `s ${account_id}`, plan: "basic", amount: 10, currency: "USD", ...properties },
});
const paid = (days: number, amount: number, more: Record<string, string | number> = {}): TestEvent => ({
	event: "invoice.paid",
	ts: ago(days),
	properties: { amount, ...more },
});
const use = (account_id: string, days: number, n = 1): TestEvent[] =>
	Array.from({ length: n }, (_, i) => ({
		event: "feature.used",
		...{ ts: ago(days) + i, user_id: `u ${account_id}`, account_id },
		properties: { feature: "chat" },
	}));

let database: TestDatabase;
let reads: Reads;
const random = randomFrom(3);
const { changes, rates } = randomBilling({ from: ago(75), to: ago(-5), subscriptions: 90, random });
const world: TestEvent[] = [
	...[...changes, ...rates],
	...Array.from({ length: 300 }, (_, i) =>
		paid(random() * 80 - 5, Math.floor(random() * 90), { tax: i % 5, currency: "EUR" }),
	),
	...Array.from({ length: 90 }, (_, i) => use(`acct ${i % 60}`, random() * 70, 1 + (i % 3))).flat(),
	...Array.from({ length: 40 }, (_, i): TestEvent => {
		return { event: i % 3 ? "ticket.opened" : "ticket.resolved", ts: ago(random() * 70), properties: { ticket_id: i } };
	}),
];

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	reads = await startReads(database.client, { projects: PROJECTS, now: NOW });
	await insertEvents(database.client, "p", world);
	await insertEvents(
		database.client,
		"other",
		world.filter((_, i) => i % 2 === 0),
	);
	await insertEvents(database.client, "alone", world);
});
afterAll(() => database?.stop());

const WINDOWS = [
	{ as_of: NOW },
	{ as_of: ago(3.3), timezone: "Asia/Kathmandu" },
	{ end: ago(20), timezone: "America/New_York" },
];

describe.each(WINDOWS)("over %o", (window) => {
	test("movements add up to the change of recurring revenue between the ends of a window", async () => {
		const at = async (as_of: number) =>
			(await reads.get("p", REVENUE, { timeframe: "7d", timezone: window.timezone ?? "UTC", as_of })).body;
		const end = (window.as_of ?? window.end)!;
		const [now, before] = await Promise.all([at(end), at(end - 7 * DAY)]);
		const change = now.new_mrr + now.expansion_mrr - now.contraction_mrr - now.churned_mrr + now.reactivation_mrr;
		expect(now.mrr - before.mrr).toBeCloseTo(change, 0);
		expect(Math.abs(now.mrr - before.mrr - change)).toBeLessThan(0.05);
		expect(now.arr).toBeCloseTo(now.mrr * 12, 0);
	});

	test("plans add up to all that is active, segments to recurring revenue, shares to the whole", async () => {
		const [revenue, month, customers] = await Promise.all(
			[REVENUE, MONTH, CUSTOMERS].map(async (path) => (await reads.get("p", path, window)).body),
		);
		const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
		const { subscriptions } = month;
		expect(sum(Object.values(subscriptions.by_plan))).toBe(subscriptions.total_active);
		const { new_this_month, reactivated_this_month, churned_this_month, net_growth } = subscriptions;
		expect(net_growth).toBe(new_this_month + reactivated_this_month - churned_this_month);
		expect(month.revenue.yearly_recurring).toBe(revenue.arr);
		type Segment = { count: number; avg_monthly_value: number | null; revenue_percentage: number };
		const segments: Segment[] = customers.customer_segments;
		const worth = sum(segments.map(({ count, avg_monthly_value }) => count * (avg_monthly_value ?? 0)));
		expect(Math.abs(worth - revenue.mrr)).toBeLessThan(0.005 * sum(segments.map(({ count }) => count)) + 0.005);
		expect(sum(segments.map(({ revenue_percentage }) => revenue_percentage))).toBeCloseTo(100, 9);
		expect(sum(Object.values(customers.customer_health))).toBeCloseTo(1, 9);
		expect(sum(Object.values(customers.usage_patterns))).toBeCloseTo(1, 9);
	});

	test.each([REVENUE, BUSINESS, MONTH, CUSTOMERS])(
		"%s is about one project, and about what was known",
		async (path) => {
			const one = await reads.get("p", path, window);
			expect(one.status).toBe(200);
			expect(await reads.get("alone", path, window)).toEqual(one);
			expect((await reads.get("other", path, window)).body).not.toEqual(one.body);
		},
	);
});

test("what is sent later changes no answer as of an earlier instant", async () => {
	const paths = [REVENUE, BUSINESS, MONTH, CUSTOMERS];
	const ask = () => Promise.all(paths.map((path) => reads.get("alone", path, { as_of: ago(10) })));
	const before = await ask();
	const later = world
		.filter(({ ts }) => ts >= ago(10))
		.map((event) => ({ ...event, user_id: "new", account_id: "acct 1" }));
	await insertEvents(database.client, "alone", later);
	expect(await ask()).toEqual(before);
});

describe("the health of customers", () => {
	const ACCOUNTS: Readonly<Record<string, readonly TestEvent[]>> = {
		fine: [...use("fine", 40, 2), ...use("fine", 2, 2)],
		"gone é": use("gone é", 31),
		leaving: [
			...use("leaving", 1),
			{
				...subscribe("leaving", 2, { effective_at: new Date(ago(-9)).toISOString() }),
				event: "subscription.canceled",
			},
		],
		fades: [...use("fades", 40, 10), ...use("fades", 3, 5)],
		bad: [
			...use("bad", 1),
			{ event: "feedback.submitted", ts: ago(5), account_id: "bad", properties: { rating: 1 } },
			{ event: "ticket.rated", ts: ago(4), account_id: "bad", properties: { rating: 3 } },
		],
		angry: [
			...use("angry", 1),
			{ event: "ticket.escalated", ts: ago(45), account_id: "angry", properties: { ticket_id: 7 } },
		],
		calmed: [
			...use("calmed", 1),
			{ event: "ticket.escalated", ts: ago(9), account_id: "calmed", properties: { ticket_id: 8 } },
			{ event: "ticket.resolved", ts: ago(8), properties: { ticket_id: 8 } },
		],
		broke: [
			...use("broke", 1),
			{ ...paid(9, 5), account_id: "broke" },
			{ event: "payment.failed", ts: ago(8), account_id: "broke" },
		],
		silent: [],
	};

	test("has the reason of the first rule that holds; an account that never used the product is not among them", async () => {
		const names = Object.keys(ACCOUNTS);
		await insertEvents(database.client, "health", [
			...names.map((name, i) => subscribe(name, 60, { amount: i, segment: name === "fine" ? "enterprise" : "" })),
			...Object.values(ACCOUNTS).flat(),
		]);
		const { body } = await reads.get("health", CUSTOMERS);
		const found = body.accounts.map(({ account_id, reason }: Record<string, string>) => [account_id, reason]);
		expect(found).toEqual([
			["leaving", "cancel_scheduled"],
			["gone é", "no_activity"],
			["broke", "payment_failed"],
			["angry", "open_escalation"],
			["bad", "low_rating"],
			["fades", "usage_drop"],
			["calmed", "none"],
			["fine", "none"],
		]);
		expect(body.customer_health).toEqual({ healthy: 0.25, at_risk: 0.5, churning: 0.25 });
		expect(body.usage_patterns).toEqual({ high_engagement: 0, medium_engagement: 0, low_engagement: 1 });
		expect(body.customer_segments).toMatchObject([
			{ segment: "basic", count: 8, avg_monthly_value: 4.5, revenue_percentage: 100, churn_rate: 0 },
			{ segment: "enterprise", count: 1, avg_monthly_value: 0, revenue_percentage: 0, growth_rate: null },
		]);
		expect((await reads.get("health", CUSTOMERS, { limit: 1 })).body.accounts).toHaveLength(1);
	});
});

test("a project that is too young has no growth and no month before", async () => {
	const ticket: TestEvent = { event: "ticket.opened", ts: ago(1), properties: { ticket_id: 1 } };
	await insertEvents(database.client, "young", [
		paid(20, 50),
		paid(2, 100, { tax: 10 }),
		...use("a", 25),
		...use("b", 1),
		ticket,
	]);
	const { body: month } = await reads.get("young", MONTH);
	expect(month.revenue).toMatchObject({ current_month: 90, previous_month: null, growth_rate: null });
	expect(month.usage_monetization).toMatchObject({ ai_requests_billable: null, revenue_per_request: null });
	const { body } = await reads.get("young", BUSINESS, { timeframe: "7d" });
	expect(body.support_ticket_volume).toEqual({ value: 1, previous: 0, change_percentage: null });
	expect(body.revenue_per_user).toEqual({ value: 90, previous: null, change_percentage: null });
	expect(body.monthly_active_users).toEqual({ value: 2, previous: 0, change_percentage: null });
	expect(body.feature_adoption_rate).toMatchObject({ value: 1 });
	const { body: named } = await reads.get("young", BUSINESS, { feature: "other", metrics: "feature_adoption_rate" });
	expect(named.feature_adoption_rate.value).toBe(0);
});

test("amounts without a rate to the currency of the answer are null, and the answer says that a rate is missing", async () => {
	await insertEvents(database.client, "francs", [
		...[subscribe("a", 70, { currency: "CHF" }), paid(1, 10, { currency: "CHF" }), ...use("a", 1)],
		...[
			{
				event: "usage.billed",
				ts: ago(1),
				properties: { meter: "ai_request", quantity: 4, amount: 1, currency: "CHF" },
			},
		],
	]);
	const { body } = await reads.get("francs", REVENUE);
	expect(body).toMatchObject({ currency: "USD", mrr: null, arr: null, arpu: null, churned_mrr: 0 });
	const missing = body.meta.missing.filter(({ needs }: { needs: string }) => needs === "event fx.rate");
	expect(missing.map(({ field }: { field: string }) => field)).toEqual(expect.arrayContaining(["mrr", "arr", "arpu"]));
	expect(body.meta.methods.currency).toContain("no rate from CHF to USD");
	const { body: month } = await reads.get("francs", MONTH);
	expect(month.usage_monetization).toMatchObject({ ai_requests_billable: 4, revenue_per_request: null });
	expect(month.subscriptions.total_active).toBe(1);
	const { body: business } = await reads.get("francs", BUSINESS, { metrics: "revenue_per_user" });
	expect(business.meta.missing).toContainEqual({ field: "revenue_per_user.value", needs: "event fx.rate" });
	const { body: customers } = await reads.get("francs", CUSTOMERS);
	expect(customers.customer_segments).toMatchObject([{ count: 1, revenue_percentage: null, avg_monthly_value: null }]);
	expect((await reads.get("francs", REVENUE, { currency: "chf" })).body).toMatchObject({
		currency: "CHF",
		mrr: 10,
		arpu: 10,
	});
	// The other direction will do, from its day on.
	await insertEvents(database.client, "francs", [
		{ event: "fx.rate", ts: ago(71), properties: { base: "USD", quote: "CHF", rate: 0.8 } },
	]);
	expect((await reads.get("francs", REVENUE)).body).toMatchObject({ mrr: 12.5, arpu: 12.5 });
});

test("subscriptions that do not say what they cost make no revenue of nothing", async () => {
	const { amount: _, ...properties } = subscribe("a", 5).properties!;
	await insertEvents(database.client, "bare", [{ ...subscribe("a", 5), properties }]);
	const { body } = await reads.get("bare", REVENUE);
	expect(body).toMatchObject({ mrr: null, new_mrr: null, churn_rate: null });
	expect(body.meta.missing).toContainEqual({ field: "mrr", needs: "event subscription.started with amount" });
});

test.each([
	[REVENUE, { currency: "DOLLARS" }, "currency", ["an ISO 4217 code of three letters, such as USD or EUR"]],
	[REVENUE, { timeframe: "6h" }, "timeframe", ["1h", "24h", "7d", "30d"]],
	[BUSINESS, { metrics: "churn_rate,nonsense" }, "metrics", expect.arrayContaining(["churn_rate"])],
	[BUSINESS, { metrics: "" }, "metrics", expect.arrayContaining(["churn_rate"])],
	[MONTH, { timeframe: "30d" }, "timeframe", expect.arrayContaining(["currency"])],
	[CUSTOMERS, { limit: -1 }, "limit", expect.anything()],
] as const)("%s %o is refused with what there is", async (path, parameters, parameter, valid_options) => {
	const { status, body } = await reads.get("p", path, parameters);
	expect(status).toBe(400);
	expect(body.details).toMatchObject({ parameter, valid_options });
});

test("migrations that find events, or their own half, fill the tables of money with the same rows", async () => {
	const tables = ["billing_records", "subscription_records"];
	const rows = () =>
		Promise.all(
			tables.map(async (table) => {
				const query = `SELECT * FROM ${table} ORDER BY ALL`;
				return await (await database.client.query({ query, format: "TabSeparated" })).text();
			}),
		);
	const before = await rows();
	expect(before.every((text) => text !== "")).toBe(true);
	for (const table of tables) await database.client.command({ query: `DROP VIEW ${table}_view` });
	for (const { text } of migrations().filter(({ text }) =>
		tables.some((table) => text.includes(`EXISTS {{local:${table}}} {{on`)),
	)) {
		for (const query of render(text, { database: "tidemark", days: { events: 20_000 } })) {
			await database.client.command({ query });
		}
	}
	expect(await rows()).toEqual(before);
	const again = { ...paid(1, 1), account_id: "again" };
	const starts: TestEvent = { event: "subscription.started", ts: again.ts, account_id: "again" };
	await insertEvents(database.client, "bare", [again, starts]);
	for (const text of await rows()) expect(text).toContain("again");
});

/** Numbers from 0 to 1 that a seed decides. */
function randomFrom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
}
