import type { z } from "zod";
import {
	type BusinessCustomersAnswer,
	businessCustomersAnswer,
	businessCustomersQuery,
} from "../../schema/wire/index.ts";
import { ENGAGEMENTS, engagementOf, HEALTH, healthOf, segmentsOf } from "../common/customers.ts";
import { currencyMethod, moneyOf, SUBSCRIPTIONS, isRated as sendsRates } from "../common/money.ts";
import { growth } from "../growth.ts";
import { CUSTOMER_RULES } from "../measures/customer-rules.ts";
import { accountRatings, activity, customers, failedPayments, firstDay } from "../measures/customers.ts";
import { FX_RATE } from "../measures/money.ts";
import { FEEDBACK_EVENT } from "../measures/ratings.ts";
import { signals } from "../measures/signals.ts";
import { openEscalations, support, TICKET_FIRST_RESPONSE, TICKET_OPENED, TICKET_RATED } from "../measures/tickets.ts";
import { type Needs, withMeta } from "../meta.ts";
import { decimals, largestRemainder, ratio } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { resolveWindow } from "../time/window.ts";

/** Both: accounts that pay, and what they do. */
const ACTIVE = { all: [SUBSCRIPTIONS, { any: ["event"], with: "account_id" }] };
const NEEDS: Needs = {
	customer_segments: SUBSCRIPTIONS,
	"customer_segments[].satisfaction_score": [`event ${FEEDBACK_EVENT}`, `event ${TICKET_RATED}`],
	"customer_health.healthy": ACTIVE,
	"customer_health.at_risk": ACTIVE,
	"customer_health.churning": ACTIVE,
	"usage_patterns.high_engagement": ACTIVE,
	"usage_patterns.medium_engagement": ACTIVE,
	"usage_patterns.low_engagement": ACTIVE,
	"support_metrics.avg_response_time_hours": `event ${TICKET_FIRST_RESPONSE}`,
	"support_metrics.resolution_rate": `event ${TICKET_OPENED}`,
	"support_metrics.satisfaction_score": `event ${TICKET_RATED}`,
	"support_metrics.escalation_rate": `event ${TICKET_OPENED}`,
	accounts: ACTIVE,
};

/** `GET /analytics/business/customers` */
export const businessCustomersRead = read({
	path: "/analytics/business/customers",
	summary: "Customers by segment, their health and use, and support",
	query: businessCustomersQuery,
	answer: businessCustomersAnswer,
	needs: NEEDS,
	ask: businessCustomers,
});

async function businessCustomers(
	asking: Asking,
	query: z.infer<typeof businessCustomersQuery>,
): Promise<BusinessCustomersAnswer> {
	const { asker, now } = asking;
	const window = resolveWindow(query, { timeframes: ["30d"], defaultTimeframe: "30d", now });
	const asked = asker.ask(signals(window.as_of));
	const [sent, { money, all }, used, ratings, escalated, failed, tickets] = await Promise.all([
		asked,
		asker.presuming("rated", asked.then(sendsRates), async (rated) => {
			const money = moneyOf(window, query.currency, rated);
			return { money, all: await asker.ask(customers(money, window)) };
		}),
		asker.ask(activity(window.end, window.timezone)),
		asker.ask(accountRatings(window)),
		asker.ask(openEscalations(window.end)),
		asker.ask(failedPayments(window.end)),
		asker.ask(support(window)),
	]);
	const segments = segmentsOf(all, ratings);
	const total = segments.reduce<number | null>((sum, { mrr }) => (sum === null || mrr === null ? null : sum + mrr), 0);
	const shares = total
		? largestRemainder(
				segments.map(({ mrr }) => mrr!),
				100,
				1,
			)
		: [];
	const customer_segments = segments.map((segment, i) => ({
		segment: segment.segment,
		count: segment.count,
		revenue_percentage: shares[i] ?? null,
		avg_monthly_value: segment.count === 0 || segment.mrr === null ? null : decimals(segment.mrr / segment.count, 2),
		churn_rate: ratio(segment.churn_rate),
		satisfaction_score: decimals(segment.satisfaction, 2),
		growth_rate: ratio(growth(segment.mrr, segment.mrr_start, { sent, previousStart: window.start })),
	}));
	const accounts = all.flatMap(({ segment_end, accounts }) =>
		accounts.flatMap(([account_id, mrr, leaving]) => {
			const activity = used.get(account_id);
			if (segment_end === null || activity === undefined) return [];
			const facts = {
				...{ leaving: leaving === 1, activity, end: window.end, ratings: ratings.get(account_id) },
				paymentFailed: failed.has(account_id),
				openEscalation: escalated.has(account_id),
			};
			return [
				{
					account_id,
					segment: segment_end,
					monthly_value: decimals(mrr, 2),
					...healthOf(facts),
					engagement: engagementOf(activity),
				},
			];
		}),
	);
	const sinceFirst = Math.min(...[...used.values()].map(({ first }) => first));
	const isOldEnough = sinceFirst <= firstDay(window.end, window.timezone);
	const answer = {
		customer_segments,
		customer_health: sharesOf(HEALTH, accounts, ({ health }) => health),
		usage_patterns: patterns(sharesOf(ENGAGEMENTS, isOldEnough ? accounts : [], ({ engagement }) => engagement)),
		support_metrics: {
			avg_response_time_hours: decimals(tickets.response_hours, 2),
			resolution_rate: tickets.opened === 0 ? null : ratio(tickets.resolved / tickets.opened),
			satisfaction_score: decimals(tickets.satisfaction, 2),
			escalation_rate: tickets.opened === 0 ? null : ratio(tickets.escalated / tickets.opened),
		},
		accounts: accounts
			.sort(
				(a, b) =>
					HEALTH.indexOf(b.health) - HEALTH.indexOf(a.health) ||
					(b.monthly_value ?? 0) - (a.monthly_value ?? 0) ||
					(a.account_id < b.account_id ? -1 : 1),
			)
			.slice(0, query.limit),
		currency: money.currency,
	};
	const isRated = total !== null && all.every(({ mrr_start }) => mrr_start !== null);
	return withMeta(
		answer,
		{
			window,
			data_through: sent.dataThrough("event"),
			missing: [
				...(isRated
					? []
					: ["revenue_percentage", "avg_monthly_value", "growth_rate"].map((name) => ({
							...{ field: `customer_segments[].${name}`, needs: `event ${FX_RATE}` },
						}))),
			],
			methods: {
				currency: currencyMethod(money, []),
				customer_segments: "segment of the account's records, else the plan of its largest subscription",
				"customer_segments[].growth_rate": "mrr at the end of the window / at its start - 1",
				customer_health:
					"of the paying accounts with events that name account and user; the first rule of /v1/monitoring/rules that holds",
				usage_patterns: isOldEnough
					? `calendar days with activity among the last ${CUSTOMER_RULES.engagement.days}`
					: `none: less than ${CUSTOMER_RULES.engagement.days} days of activity`,
				"support_metrics.resolution_rate": "of the tickets opened in the window, by what is known at its end",
				"support_metrics.satisfaction_score": "ratings of tickets given in the window",
			},
		},
		{ needs: NEEDS, sent },
	);
}

/** Which share of the accounts each name has; all null without accounts. */
function sharesOf<N extends string, A>(names: readonly N[], accounts: readonly A[], of: (account: A) => N) {
	const counts = names.map((name) => accounts.filter((account) => of(account) === name).length);
	const shares = accounts.length === 0 ? [] : largestRemainder(counts, 1, 4);
	return Object.fromEntries(names.map((name, i) => [name, shares[i] ?? null])) as Record<N, number | null>;
}

function patterns({ high, medium, low }: Record<(typeof ENGAGEMENTS)[number], number | null>) {
	return { high_engagement: high, medium_engagement: medium, low_engagement: low };
}
