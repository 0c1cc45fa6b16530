import type { z } from "zod";
import { badParameter } from "../../http/errors.ts";
import {
	BUSINESS_METRICS,
	BUSINESS_TIMEFRAMES,
	type BusinessAnswer,
	type BusinessMetric,
	businessAnswer,
	businessQuery,
} from "../../schema/wire/index.ts";
import { currencyMethod, isPaid, isRated, missingRates, moneyOf, PAYMENTS, SUBSCRIPTIONS } from "../common/money.ts";
import { OF_USERS, peopleFacts } from "../common/usage.ts";
import { growth } from "../growth.ts";
import { SUBSCRIPTION_EVENTS } from "../measures/episodes.ts";
import { FEATURE_USED, featureUsers } from "../measures/features.ts";
import type { PeopleScope } from "../measures/people.ts";
import { churnRate, flows, netRevenue } from "../measures/revenue.ts";
import { type Signals, signals } from "../measures/signals.ts";
import { subscriptions } from "../measures/subscriptions.ts";
import { TICKET_OPENED, ticketsOpened } from "../measures/tickets.ts";
import { distinctUsers } from "../measures/users.ts";
import { type Needs, withMeta } from "../meta.ts";
import { quotient } from "../quotient.ts";
import { decimals, percentOf, ratio } from "../rounding.ts";
import { type Asking, listOf, read } from "../route.ts";
import { precedingSpan, type Span } from "../time/period.ts";
import { resolveWindow, TIMEFRAME_SECONDS } from "../time/window.ts";

const MONTH_MS = TIMEFRAME_SECONDS["30d"] * 1_000;

const RECORDS: Readonly<Record<BusinessMetric, Needs[string]>> = {
	monthly_active_users: OF_USERS,
	revenue_per_user: { all: [PAYMENTS, OF_USERS] },
	churn_rate: SUBSCRIPTIONS,
	feature_adoption_rate: { all: [`event ${FEATURE_USED}`, OF_USERS] },
	support_ticket_volume: `event ${TICKET_OPENED}`,
};
const NEEDS: Needs = Object.fromEntries(
	BUSINESS_METRICS.flatMap((metric) =>
		["value", "previous", "change_percentage"].map((member) => [`${metric}.${member}`, RECORDS[metric]]),
	),
);

/** `GET /v1/monitoring/business` */
export const businessRead = read({
	path: "/v1/monitoring/business",
	summary: "Business metrics, compared with the window before",
	query: businessQuery,
	answer: businessAnswer,
	needs: NEEDS,
	ask: business,
});

/** A metric over the window and over the one before, as it was computed. */
type Pair = readonly [value: number | null, previous: number | null];

async function business(asking: Asking, query: z.infer<typeof businessQuery>): Promise<BusinessAnswer> {
	const { asker, now } = asking;
	const window = resolveWindow(query, { timeframes: BUSINESS_TIMEFRAMES, defaultTimeframe: "30d", now });
	const wanted = metricsOf(query.metrics);
	const before = precedingSpan(window);
	const month: Span = { start: window.end - MONTH_MS, end: window.end };
	const monthBefore = precedingSpan(month);
	const has = (...metrics: readonly BusinessMetric[]) => metrics.some((metric) => wanted.has(metric));
	const none = Promise.resolve(undefined);
	const asked = asker.ask(signals(window.as_of));
	const [sent, [monthly, active, adopters], [money, flowed, subscribed], tickets] = await Promise.all([
		asked,
		asker.presuming("people", peopleFacts(asker, asked, window.as_of), async ({ unlinked }) => {
			const people = (...spans: readonly Span[]) =>
				spans.map((span): PeopleScope => ({ ...span, as_of: window.as_of, unlinked }));
			const users = (spans: readonly PeopleScope[]) => Promise.all(spans.map((span) => asker.ask(distinctUsers(span))));
			const months = people(month, monthBefore);
			return Promise.all([
				has("monthly_active_users", "feature_adoption_rate") ? users(months) : none,
				has("revenue_per_user") ? users(people(window, before)) : none,
				has("feature_adoption_rate")
					? Promise.all(months.map((span) => asker.ask(featureUsers(span, query.feature))))
					: none,
			]);
		}),
		asker.presuming("rated", asked.then(isRated), async (rated) => {
			const money = moneyOf(window, query.currency, rated);
			return Promise.all([
				money,
				has("revenue_per_user") ? asker.ask(flows(money, [window, before])) : none,
				has("churn_rate") ? asker.ask(subscriptions(money, [window, before])) : none,
			]);
		}),
		has("support_ticket_volume") ? asker.ask(ticketsOpened([window, before])) : none,
	]);
	const both = (of: (i: number) => number | null): Pair => [of(0), of(1)];
	const pairs: Readonly<Record<BusinessMetric, () => Pair>> = {
		monthly_active_users: () => both((i) => (monthly!.some((n) => n > 0) ? monthly![i]! : null)),
		revenue_per_user: () => both((i) => (isPaid(sent) ? quotient(netRevenue(flowed!.spans[i]!), active![i]) : null)),
		churn_rate: () => both((i) => (sent.hasEvent(...SUBSCRIPTION_EVENTS) ? churnRate(subscribed!.spans[i]!) : null)),
		feature_adoption_rate: () =>
			both((i) => (sent.hasEvent(FEATURE_USED) ? quotient(adopters?.[i], monthly?.[i]) : null)),
		support_ticket_volume: () => both((i) => (sent.hasEvent(TICKET_OPENED) ? tickets![i]! : null)),
	};
	const answer: Partial<Record<BusinessMetric, Compared>> = {};
	for (const metric of BUSINESS_METRICS) {
		if (!wanted.has(metric)) continue;
		const start =
			metric === "monthly_active_users" || metric === "feature_adoption_rate" ? monthBefore.start : before.start;
		answer[metric] = compared(pairs[metric](), { sent, previousStart: start }, ROUNDED[metric]);
	}
	const isUnrated = (i: number) => flowed !== undefined && netRevenue(flowed.spans[i]!) === null;
	const unrated = flowed?.unrated ?? [];
	return withMeta(
		answer,
		{
			window,
			data_through: sent.dataThrough("event"),
			missing: missingRates({
				"revenue_per_user.value": isUnrated(0),
				"revenue_per_user.previous": isUnrated(1),
				"revenue_per_user.change_percentage": isUnrated(0) || isUnrated(1),
			}),
			methods: Object.fromEntries(
				Object.entries({
					...METHODS,
					revenue_per_user: `${METHODS.revenue_per_user}; ${currencyMethod(money, unrated)}`,
				}).filter(([metric]) => wanted.has(metric as BusinessMetric)),
			),
		},
		{ needs: NEEDS, sent },
	);
}

interface Compared {
	readonly value: number | null;
	readonly previous: number | null;
	readonly change_percentage: number | null;
}

const whole = (value: number | null) => value;
const money = (value: number | null) => decimals(value, 2);
const ROUNDED: Readonly<Record<BusinessMetric, (value: number | null) => number | null>> = {
	monthly_active_users: whole,
	revenue_per_user: money,
	churn_rate: ratio,
	feature_adoption_rate: ratio,
	support_ticket_volume: whole,
};

const METHODS: Readonly<Record<BusinessMetric, string>> = {
	monthly_active_users: "distinct users of the 30 days before the end, compared with the 30 days before those",
	revenue_per_user: "(paid - tax - refunds) / active users of the window",
	churn_rate: "accounts whose last paying subscription ended / paying accounts at the start",
	feature_adoption_rate:
		"users of a feature / users, of the 30 days before the end, compared with the 30 days before those",
	support_ticket_volume: "tickets opened",
};

function compared(
	[value, previous]: Pair,
	since: { readonly sent: Signals; readonly previousStart: number },
	rounded: (value: number | null) => number | null,
): Compared {
	return {
		value: rounded(value),
		previous: rounded(previous),
		change_percentage: percentOf(growth(value, previous, since)),
	};
}

/** The metrics asked for. @throws ApiError 400 */
function metricsOf(text: string | undefined): ReadonlySet<BusinessMetric> {
	const names = text === undefined ? BUSINESS_METRICS : listOf(text);
	const unknown = names.find((name) => !BUSINESS_METRICS.some((metric) => metric === name));
	if (unknown !== undefined || names.length === 0) {
		throw badParameter({ parameter: "metrics", provided: unknown ?? text, valid_options: BUSINESS_METRICS });
	}
	return new Set(names as readonly BusinessMetric[]);
}
