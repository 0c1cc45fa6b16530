import type { z } from "zod";
import { type BusinessRevenueAnswer, businessRevenueAnswer, businessRevenueQuery } from "../../schema/wire/index.ts";
import {
	currencyMethod,
	isPaid,
	isRated,
	missingRates,
	moneyOf,
	PAYMENTS,
	recurringOf,
	SUBSCRIPTIONS,
} from "../common/money.ts";
import { growth } from "../growth.ts";
import { churnRate, flows, lifetimeValue, netRevenue, USAGE_BILLED } from "../measures/revenue.ts";
import { signals } from "../measures/signals.ts";
import { subscriptions } from "../measures/subscriptions.ts";
import { type Needs, withMeta } from "../meta.ts";
import { decimals, ratio, significant } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { resolvePeriod } from "../time/period.ts";

const METERS = { ai_requests_billable: "ai_request", collaboration_hours: "collaboration_hour" } as const;
const USAGE = `event ${USAGE_BILLED}`;

const NEEDS: Needs = {
	"revenue.current_month": PAYMENTS,
	"revenue.previous_month": PAYMENTS,
	"revenue.growth_rate": PAYMENTS,
	"revenue.growth_rate_to_date": PAYMENTS,
	"revenue.yearly_recurring": SUBSCRIPTIONS,
	"revenue.customer_lifetime_value": SUBSCRIPTIONS,
	"revenue.churn_rate": SUBSCRIPTIONS,
	"subscriptions.total_active": SUBSCRIPTIONS,
	"subscriptions.new_this_month": SUBSCRIPTIONS,
	"subscriptions.churned_this_month": SUBSCRIPTIONS,
	"subscriptions.reactivated_this_month": SUBSCRIPTIONS,
	"subscriptions.net_growth": SUBSCRIPTIONS,
	"subscriptions.by_plan": SUBSCRIPTIONS,
	"usage_monetization.ai_requests_billable": USAGE,
	"usage_monetization.revenue_per_request": USAGE,
	"usage_monetization.collaboration_hours": USAGE,
	"usage_monetization.revenue_per_hour": USAGE,
};

/** `GET /analytics/business/revenue` */
export const businessRevenueRead = read({
	path: "/analytics/business/revenue",
	summary: "Revenue and subscriptions of the calendar month",
	description: "The month that the end of the window lies in. With start and end, that window instead of the month.",
	query: businessRevenueQuery,
	answer: businessRevenueAnswer,
	needs: NEEDS,
	ask: businessRevenue,
});

async function businessRevenue(
	asking: Asking,
	query: z.infer<typeof businessRevenueQuery>,
): Promise<BusinessRevenueAnswer> {
	const { asker, now } = asking;
	const month = resolvePeriod(query, { timeframes: ["month"], defaultTimeframe: "month", now });
	const asked = asker.ask(signals(month.as_of));
	const [sent, { money, subscribed, flowed }] = await Promise.all([
		asked,
		asker.presuming("rated", asked.then(isRated), async (rated) => {
			const money = moneyOf(month, query.currency, rated);
			const [subscribed, flowed] = await Promise.all([
				asker.ask(subscriptions(money, [month])),
				asker.ask(flows(money, [month, month.previousWhole, month.previous])),
			]);
			return { money, subscribed, flowed };
		}),
	]);
	const inMonth = subscribed.spans[0]!;
	const [thisMonth, lastMonth, lastToDate] = flowed.spans.map((span) => (isPaid(sent) ? netRevenue(span) : null));
	const covered = sent.reachesBackTo(month.previousWhole.start);
	const since = { sent, previousStart: month.previousWhole.start };
	const recurring = recurringOf(subscribed, sent);
	const lifetime = lifetimeValue(flowed.spans[0]!, inMonth);
	const isUnrated = (i: number) => netRevenue(flowed.spans[i]!) === null;
	const counted = (n: number) => (recurring.subscribed ? n : null);
	const meter = (name: string) => {
		if (!flowed.meters.has(name)) return { quantity: null, price: null, unrated: false };
		const used = flowed.spans[0]!.usage.get(name);
		const [quantity, amount] = used ? [used.quantity, used.amount] : [0, 0];
		return {
			quantity: decimals(quantity, 2),
			price: quantity > 0 && amount !== null ? significant(amount / quantity) : null,
			unrated: amount === null,
		};
	};
	const requests = meter(METERS.ai_requests_billable);
	const hours = meter(METERS.collaboration_hours);
	const answer = {
		revenue: {
			current_month: decimals(thisMonth, 2),
			previous_month: covered ? decimals(lastMonth, 2) : null,
			growth_rate: ratio(growth(thisMonth ?? null, lastMonth ?? null, since)),
			growth_rate_to_date: ratio(growth(thisMonth ?? null, lastToDate ?? null, since)),
			yearly_recurring: recurring.money(inMonth.mrr_end === null ? null : inMonth.mrr_end * 12),
			customer_lifetime_value: recurring.money(lifetime.value),
			churn_rate: ratio(churnRate(inMonth)),
		},
		subscriptions: {
			total_active: counted(inMonth.active_end),
			new_this_month: counted(inMonth.new),
			churned_this_month: counted(inMonth.churned),
			reactivated_this_month: counted(inMonth.reactivated),
			net_growth: counted(inMonth.new + inMonth.reactivated - inMonth.churned),
			by_plan: subscribed.by_plan,
		},
		usage_monetization: {
			ai_requests_billable: requests.quantity,
			revenue_per_request: requests.price,
			collaboration_hours: hours.quantity,
			revenue_per_hour: hours.price,
		},
		currency: money.currency,
	};
	const unrated = [...new Set([...subscribed.unrated, ...flowed.unrated])];
	return withMeta(
		answer,
		{
			window: month,
			data_through: sent.dataThrough("event"),
			missing: [
				...missingRates({
					"revenue.current_month": isUnrated(0),
					"revenue.previous_month": isUnrated(1),
					"revenue.growth_rate": isUnrated(0) || isUnrated(1),
					"revenue.growth_rate_to_date": isUnrated(0) || isUnrated(2),
					"revenue.yearly_recurring": inMonth.mrr_end === null,
					"revenue.customer_lifetime_value": lifetime.unrated,
					"usage_monetization.revenue_per_request": requests.unrated,
					"usage_monetization.revenue_per_hour": hours.unrated,
				}),
				...recurring.missing(["revenue.yearly_recurring", "revenue.customer_lifetime_value"]),
				...unmetered(sent.hasEvent(USAGE_BILLED), flowed.meters),
			],
			methods: {
				currency: currencyMethod(money, unrated),
				"revenue.current_month": "paid - tax - refunds, month to date",
				"revenue.growth_rate": "against the whole month before",
				"revenue.churn_rate":
					"accounts whose last paying subscription ended / paying accounts at the start of the month",
				"revenue.yearly_recurring": `12 x ${recurring.method}`,
				"revenue.customer_lifetime_value": lifetime.method,
			},
		},
		{ needs: NEEDS, sent },
	);
}

/** Meters that nothing was billed by, of a project that bills use. */
function unmetered(bills: boolean, meters: ReadonlySet<string>) {
	if (!bills) return [];
	return [
		["ai_requests_billable", "revenue_per_request", METERS.ai_requests_billable] as const,
		["collaboration_hours", "revenue_per_hour", METERS.collaboration_hours] as const,
	].flatMap(([quantity, price, meter]) =>
		meters.has(meter)
			? []
			: [quantity, price].map((name) => ({
					field: `usage_monetization.${name}`,
					needs: `${USAGE} with meter ${meter}`,
				})),
	);
}
