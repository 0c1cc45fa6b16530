import { Temporal } from "temporal-polyfill";
import type { z } from "zod";
import { type UsageFeaturesAnswer, usageFeaturesAnswer, usageFeaturesQuery } from "../../schema/wire/index.ts";
import { OF_USERS, peopleFacts } from "../common/usage.ts";
import { growth } from "../growth.ts";
import { CHAT_EVENT, COLLABORATION_EVENT } from "../measures/counts.ts";
import { FEATURE_USED, featureRatings, featureUse, featureUseIn } from "../measures/features.ts";
import { type Funnel, ONBOARDING_RULES, onboarding } from "../measures/onboarding.ts";
import { FEEDBACK_EVENT, MIN_RATINGS } from "../measures/ratings.ts";
import { SIGN_UP_EVENT } from "../measures/segments.ts";
import { type Signals, signals } from "../measures/signals.ts";
import { distinctUsers } from "../measures/users.ts";
import { type Needs, withMeta } from "../meta.ts";
import { quotient } from "../quotient.ts";
import { decimals, percentOf, ratio } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import type { Span } from "../time/period.ts";
import { resolveWindow } from "../time/window.ts";

const FEATURE = `event ${FEATURE_USED}`;
const SIGN_UP = `event ${SIGN_UP_EVENT}`;
const CHAT = `event ${CHAT_EVENT}`;
const COLLABORATION = `event ${COLLABORATION_EVENT}`;
const FUNNEL = "feature_funnels.onboarding";
/** Days of the trends. */
const TRENDS = [1, 7, 30] as const;

const NEEDS: Needs = {
	features: { any: [FEATURE], with: "feature" },
	"features[].unique_users": OF_USERS,
	"features[].avg_per_user": OF_USERS,
	"features[].adoption_rate": OF_USERS,
	"features[].satisfaction_score": `event ${FEEDBACK_EVENT}`,
	"features[].response_rate": OF_USERS,
	"features[].trends.daily_change": { any: [FEATURE], with: "feature" },
	"features[].trends.weekly_change": { any: [FEATURE], with: "feature" },
	"features[].trends.monthly_change": { any: [FEATURE], with: "feature" },
	...Object.fromEntries(
		[FUNNEL, `${FUNNEL}.ordered`].flatMap((funnel) => [
			[`${funnel}.signup`, SIGN_UP],
			[`${funnel}.first_chat`, CHAT],
			[`${funnel}.first_collaboration`, COLLABORATION],
			[`${funnel}.active_user`, SIGN_UP],
		]),
	),
};

/** `GET /analytics/usage/features` */
export const usageFeaturesRead = read({
	path: "/analytics/usage/features",
	summary: "Use of features, and how far new users come",
	description: `Over the 30 days before as_of unless start names a window. The funnel counts users who signed up in it by the steps they reached within ${ONBOARDING_RULES.window_days} days: a chat message, a collaboration, activity on ${ONBOARDING_RULES.active_days} calendar days.`,
	query: usageFeaturesQuery,
	answer: usageFeaturesAnswer,
	needs: NEEDS,
	ask: usageFeatures,
});

async function usageFeatures(
	{ asker, now }: Asking,
	query: z.infer<typeof usageFeaturesQuery>,
): Promise<UsageFeaturesAnswer> {
	const window = resolveWindow(query, { timeframes: ["30d"], defaultTimeframe: "30d", now });
	const spans = TRENDS.flatMap((days) => completeDays(window.end, days, window.timezone));
	const asked = asker.ask(signals(window.as_of));
	const trended = asker.ask(featureUseIn(spans));
	const answered = asker.presuming("people", peopleFacts(asker, asked, window.as_of), async ({ unlinked }) => {
		const scope = { ...window, unlinked };
		return Promise.all([
			asker.ask(featureUse(scope)),
			asker.ask(featureRatings(scope)),
			asker.ask(distinctUsers(scope)),
			asker.ask(onboarding(scope, window.timezone)),
		]);
	});
	const [sent, trends, [features, ratings, active, funnel]] = await Promise.all([asked, trended, answered]);
	const changes = (feature: string) =>
		TRENDS.map((_, i) => {
			const uses = trends.get(feature) ?? [];
			const change = growth(uses[2 * i] ?? 0, uses[2 * i + 1] ?? 0, { sent, previousStart: spans[2 * i + 1]!.start });
			return percentOf(change);
		});
	const answer = {
		features: features.map(({ feature, uses, users }) => {
			const rated = ratings.get(feature);
			const [daily_change, weekly_change, monthly_change] = changes(feature) as [number, number, number];
			return {
				name: feature,
				usage_count: uses,
				unique_users: active > 0 || users > 0 ? users : null,
				avg_per_user: decimals(quotient(uses, users), 1),
				adoption_rate: ratio(quotient(users, active)),
				satisfaction_score: rated && rated.n >= MIN_RATINGS ? decimals(rated.mean, 2) : null,
				ratings: rated?.n ?? 0,
				response_rate: ratio(quotient(Math.min(rated?.raters ?? 0, users), users)),
				trends: { daily_change, weekly_change, monthly_change },
			};
		}),
		feature_funnels: {
			onboarding: {
				...instrumented(funnel.any, sent),
				mode: "any_order" as const,
				ordered: instrumented(funnel.ordered, sent),
			},
		},
	};
	return withMeta(
		answer,
		{
			window,
			data_through: sent.dataThrough("event"),
			methods: {
				"features[].satisfaction_score": "mean rating, other scales than 1 to 5 mapped linearly",
				"features[].trends": "the last complete calendar days against as many before",
				[FUNNEL]: "each step by itself; ordered: each after the one before",
			},
		},
		{ needs: NEEDS, sent },
	);
}

/** The last complete days before an instant, and as many before these. */
function completeDays(end: number, days: number, timezone: string): [Span, Span] {
	const today = Temporal.Instant.fromEpochMilliseconds(end).toZonedDateTimeISO(timezone).toPlainDate();
	const startOf = (back: number) => today.subtract({ days: back }).toZonedDateTime(timezone).epochMilliseconds;
	return [
		{ start: startOf(days), end: startOf(0) },
		{ start: startOf(2 * days), end: startOf(days) },
	];
}

/** Steps whose event was never sent are not known. */
function instrumented(funnel: Funnel, sent: Signals): { [step in keyof Funnel]: number | null } {
	const signsUp = sent.hasEvent(SIGN_UP_EVENT);
	return {
		signup: signsUp ? funnel.signup : null,
		first_chat: signsUp && sent.hasEvent(CHAT_EVENT) ? funnel.first_chat : null,
		first_collaboration: signsUp && sent.hasEvent(COLLABORATION_EVENT) ? funnel.first_collaboration : null,
		active_user: signsUp ? funnel.active_user : null,
	};
}
