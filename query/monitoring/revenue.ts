import type { z } from "zod";
import { BUSINESS_TIMEFRAMES, type RevenueAnswer, revenueAnswer, revenueQuery } from "../../schema/wire/index.ts";
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
import { OF_USERS } from "../common/usage.ts";
import {
	ACQUISITION,
	acquisitionCost,
	COST_RECORDED,
	churnRate,
	costOf,
	flows,
	lifetimeValue,
	netRevenue,
} from "../measures/revenue.ts";
import { signals } from "../measures/signals.ts";
import { subscriptions } from "../measures/subscriptions.ts";
import { distinctUsers } from "../measures/users.ts";
import { type Needs, withMeta } from "../meta.ts";
import { decimals, ratio } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { resolveWindow, TIMEFRAME_SECONDS } from "../time/window.ts";

const MOVEMENTS = ["new_mrr", "expansion_mrr", "contraction_mrr", "churned_mrr", "reactivation_mrr"] as const;

const NEEDS: Needs = {
	mrr: SUBSCRIPTIONS,
	arr: SUBSCRIPTIONS,
	cac: { all: [`event ${COST_RECORDED}`, SUBSCRIPTIONS] },
	ltv: SUBSCRIPTIONS,
	arpu: { all: [PAYMENTS, OF_USERS] },
	churn_rate: SUBSCRIPTIONS,
	...Object.fromEntries(MOVEMENTS.map((name) => [name, SUBSCRIPTIONS])),
};

/** `GET /v1/monitoring/revenue` */
export const revenueRead = read({
	path: "/v1/monitoring/revenue",
	summary: "Recurring revenue, how it moved, and what customers cost and bring",
	query: revenueQuery,
	answer: revenueAnswer,
	needs: NEEDS,
	ask: revenue,
});

async function revenue(asking: Asking, query: z.infer<typeof revenueQuery>): Promise<RevenueAnswer> {
	const { asker, now } = asking;
	const window = resolveWindow(query, { timeframes: BUSINESS_TIMEFRAMES, defaultTimeframe: "30d", now });
	const month = { start: window.end - TIMEFRAME_SECONDS["30d"] * 1_000, end: window.end };
	const asked = asker.ask(signals(window.as_of));
	const [sent, { money, subscribed, flowed }, users] = await Promise.all([
		asked,
		asker.presuming("rated", asked.then(isRated), async (rated) => {
			const money = moneyOf(window, query.currency, rated);
			const [subscribed, flowed] = await Promise.all([
				asker.ask(subscriptions(money, [window, month])),
				asker.ask(flows(money, [window])),
			]);
			return { money, subscribed, flowed };
		}),
		asker.ask(distinctUsers(window)),
	]);
	const [inWindow, inMonth] = [subscribed.spans[0]!, subscribed.spans[1]!];
	const flow = flowed.spans[0]!;
	const recurring = recurringOf(subscribed, sent);
	const net = isPaid(sent) ? netRevenue(flow) : null;
	const lifetime = lifetimeValue(flow, inMonth);
	const answer = {
		...{ timeframe: window.timeframe, currency: money.currency },
		mrr: recurring.money(inWindow.mrr_end),
		arr: recurring.money(inWindow.mrr_end === null ? null : inWindow.mrr_end * 12),
		cac: decimals(acquisitionCost(flow, inWindow), 2),
		ltv: recurring.money(lifetime.value),
		arpu: net === null || !users ? null : decimals(net / users, 2),
		new_mrr: recurring.money(inWindow.new_mrr),
		expansion_mrr: recurring.money(inWindow.expansion_mrr),
		contraction_mrr: recurring.money(inWindow.contraction_mrr),
		churned_mrr: recurring.money(inWindow.churned_mrr),
		reactivation_mrr: recurring.money(inWindow.reactivation_mrr),
		churn_rate: ratio(churnRate(inWindow)),
	};
	const unrated = [...new Set([...subscribed.unrated, ...flowed.unrated])];
	return withMeta(
		answer,
		{
			window,
			data_through: sent.dataThrough("event"),
			missing: [
				...missingRates({
					mrr: inWindow.mrr_end === null,
					arr: inWindow.mrr_end === null,
					cac: costOf(flow, ...ACQUISITION) === null,
					ltv: lifetime.unrated,
					arpu: netRevenue(flow) === null,
					...Object.fromEntries(MOVEMENTS.map((name) => [name, inWindow[name] === null])),
				}),
				...recurring.missing(["mrr", "arr", "ltv", ...MOVEMENTS]),
			],
			methods: {
				currency: currencyMethod(money, unrated),
				mrr: recurring.method,
				churn_rate: "accounts whose last paying subscription ended / paying accounts at the start",
				ltv: lifetime.method,
				cac: "sales and marketing cost of the window / accounts whose first subscription.started lies in it",
			},
		},
		{ needs: NEEDS, sent },
	);
}
