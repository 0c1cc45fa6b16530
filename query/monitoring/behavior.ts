import type { z } from "zod";
import { badParameter } from "../../http/errors.ts";
import { BEHAVIOR_METRICS, type BehaviorAnswer, behaviorAnswer, behaviorQuery } from "../../schema/wire/index.ts";
import { calendarDays, OF_USERS, peopleFacts, retentionRates } from "../common/usage.ts";
import { FEATURE_USED, featureAdoption } from "../measures/features.ts";
import { RETENTION_METHODS } from "../measures/retention.ts";
import {
	everybody,
	type Segment,
	type SegmentOptions,
	segmentMembers,
	segmentTotals,
	togetherOf,
	type UserTotals,
	userTotals,
} from "../measures/segments.ts";
import { SESSION_METHODS, type SessionTotals, sessionTotals } from "../measures/sessions.ts";
import { signals } from "../measures/signals.ts";
import { type Needs, withMeta } from "../meta.ts";
import { quotient } from "../quotient.ts";
import { decimals, ratio } from "../rounding.ts";
import { type Asking, listOf, read } from "../route.ts";
import type { Asker } from "../run.ts";
import { precedingSpan, type Span } from "../time/period.ts";
import { resolveWindow } from "../time/window.ts";

const DAY_MS = 86_400_000;

const NEEDS: Needs = {
	users: OF_USERS,
	"retention.day_1": OF_USERS,
	"retention.day_7": OF_USERS,
	"retention.day_30": OF_USERS,
	"engagement.dau": OF_USERS,
	"engagement.wau": OF_USERS,
	"engagement.mau": OF_USERS,
	"engagement.stickiness": OF_USERS,
	"engagement.sessions_per_user": OF_USERS,
	"engagement.events_per_session": OF_USERS,
	feature_adoption: { any: [`event ${FEATURE_USED}`], with: "feature" },
};

/** `GET /v1/monitoring/behavior` */
export const behaviorRead = read({
	path: "/v1/monitoring/behavior",
	summary: "Behaviour of a cohort of users",
	description:
		"Everything is of the users of the cohort. Retention is over all their days up to as_of; sessions and features are those of the window.",
	query: behaviorQuery,
	answer: behaviorAnswer,
	needs: NEEDS,
	ask: behavior,
});

async function behavior({ asker, now }: Asking, query: z.infer<typeof behaviorQuery>): Promise<BehaviorAnswer> {
	const window = resolveWindow(query, {
		timeframes: ["1h", "24h", "7d", "30d"],
		defaultTimeframe: "30d",
		now,
	});
	const wanted = metricsOf(query.metrics);
	const { as_of, timezone, end } = window;
	const before = precedingSpan(window);
	const segment = query.cohort.replace("_users", "") as Segment | "all";
	const recent = [1, 7, 30].map((days) => ({ start: end - days * DAY_MS, end }));
	const none = Promise.resolve(undefined);
	const asked = asker.ask(signals(as_of));
	const facts = peopleFacts(asker, asked, as_of);
	const answered = asker.presuming("people", facts, async ({ sessions, unlinked, unregistered }) => {
		const scope = { ...window, previous: before, previousWhole: before, unlinked, unregistered };
		const options = { scope, timezone, days: calendarDays(window, timezone), sessions };
		const members = segment === "all" ? everybody : segmentMembers(options, segment);
		return Promise.all([
			totalsOf(asker, options, segment, recent),
			wanted.has("retention") ? retentionRates(asker, { as_of, unlinked, timezone, mode: "calendar", members }) : none,
			wanted.has("feature_adoption") ? asker.ask(featureAdoption(scope, members)) : none,
		]);
	});
	const [sent, { sessions }, [users, rates, features]] = await Promise.all([asked, facts, answered]);
	const known = (n: number) => (users.areKnown ? n : null);
	const [dau = 0, wau = 0, mau = 0] = users.in;
	const answer = {
		timeframe: window.timeframe,
		cohort: query.cohort,
		users: known(users.users),
		...(rates ? { retention: rates } : {}),
		...(wanted.has("engagement")
			? {
					engagement: {
						dau: known(dau),
						wau: known(wau),
						mau: known(mau),
						stickiness: ratio(quotient(dau, mau)),
						sessions_per_user: decimals(quotient(users.sessions, users.active), 2),
						events_per_session: decimals(quotient(users.n, users.sessions), 2),
					},
				}
			: {}),
		...(features
			? {
					feature_adoption: features.map((feature) => ({
						feature: feature.feature,
						adoption_rate: ratio(quotient(feature.users, users.active)),
						median_time_to_first_use_hours: decimals(feature.median_ms / 3_600_000, 2),
					})),
				}
			: {}),
	};
	return withMeta(
		answer,
		{
			window,
			data_through: sent.dataThrough("event"),
			methods: {
				...(rates ? { retention: RETENTION_METHODS.calendar } : {}),
				...(wanted.has("engagement") ? { "engagement.sessions_per_user": SESSION_METHODS[sessions] } : {}),
			},
		},
		{ needs: NEEDS, sent },
	);
}

/** Users of a cohort, and whether anybody is known at all. Where nobody is told apart, much less is asked. */
async function totalsOf(
	asker: Asker,
	options: SegmentOptions,
	segment: Segment | "all",
	recent: readonly Span[],
): Promise<UserTotals & SessionTotals & { readonly areKnown: boolean }> {
	const { scope, sessions } = options;
	if (segment !== "all") {
		const all = await asker.ask(segmentTotals(options, recent));
		return { ...togetherOf(all.filter((one) => one.segment === segment)), areKnown: all.length > 0 };
	}
	const [users, visits] = await Promise.all([
		asker.ask(userTotals(scope, recent)),
		asker.ask(sessionTotals(scope, sessions)),
	]);
	return { ...users, ...visits, areKnown: users.users > 0 };
}

function metricsOf(text: string | undefined): Set<string> {
	const names = listOf(text);
	const unknown = names.find((name) => !(BEHAVIOR_METRICS as readonly string[]).includes(name));
	if (unknown !== undefined) {
		throw badParameter({ parameter: "metrics", provided: unknown, valid_options: BEHAVIOR_METRICS });
	}
	return new Set(names.length === 0 ? BEHAVIOR_METRICS : names);
}
