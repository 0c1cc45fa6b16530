import type { z } from "zod";
import {
	OVERVIEW_TIMEFRAMES,
	type UsageOverviewAnswer,
	usageOverviewAnswer,
	usageOverviewQuery,
} from "../../schema/wire/index.ts";
import { OF_USERS, peopleFacts } from "../common/usage.ts";
import { growth } from "../growth.ts";
import {
	CHAT_EVENT,
	COLLABORATION_EVENT,
	chatsByRole,
	DOCUMENT_EVENT,
	eventCounts,
	VOICE_EVENT,
} from "../measures/counts.ts";
import { FEATURE_USED, featureUse } from "../measures/features.ts";
import { MODEL_EVENT } from "../measures/models.ts";
import { userTotals } from "../measures/segments.ts";
import { SESSION_METHODS, sessionTotalsIn } from "../measures/sessions.ts";
import { signals } from "../measures/signals.ts";
import { type Needs, withMeta } from "../meta.ts";
import { percentOf } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { resolvePeriod } from "../time/period.ts";

const TOP = 10;

const NEEDS: Needs = {
	"totals.unique_users": OF_USERS,
	"totals.total_sessions": OF_USERS,
	"totals.chat_messages": `event ${CHAT_EVENT}`,
	"totals.by_role": `event ${CHAT_EVENT}`,
	"totals.ai_requests": `event ${MODEL_EVENT}`,
	"totals.documents_created": `event ${DOCUMENT_EVENT}`,
	"totals.collaborations": `event ${COLLABORATION_EVENT}`,
	"totals.voice_sessions": `event ${VOICE_EVENT}`,
	"growth.users_growth": OF_USERS,
	"growth.sessions_growth": OF_USERS,
	"growth.messages_growth": `event ${CHAT_EVENT}`,
	top_features: `event ${FEATURE_USED}`,
};

/** `GET /analytics/usage/overview` */
export const usageOverviewRead = read({
	path: "/analytics/usage/overview",
	summary: "Use at a glance",
	query: usageOverviewQuery,
	answer: usageOverviewAnswer,
	needs: NEEDS,
	ask: usageOverview,
});

async function usageOverview(
	{ asker, now }: Asking,
	query: z.infer<typeof usageOverviewQuery>,
): Promise<UsageOverviewAnswer> {
	const period = resolvePeriod(query, { timeframes: OVERVIEW_TIMEFRAMES, defaultTimeframe: "month", now });
	const { as_of, previous } = period;
	const asked = asker.ask(signals(as_of));
	// Where growth is none anyway, the period before is not asked about.
	const covered = asked.then((sent) => sent.reachesBackTo(previous.start));
	const facts = Promise.all([peopleFacts(asker, asked, as_of), covered]);
	const names = [CHAT_EVENT, MODEL_EVENT, DOCUMENT_EVENT, COLLABORATION_EVENT, VOICE_EVENT];
	const [sent, [known], [users, [sessions, before], features], counts, countsBefore, roles] = await Promise.all([
		asked,
		facts,
		asker.presuming("people_of_periods", facts, async ([{ sessions, unlinked, unregistered }, isCovered]) => {
			const scope = { ...period, unlinked, unregistered };
			return Promise.all([
				asker.ask(userTotals(scope)),
				asker.ask(sessionTotalsIn(isCovered ? [period, previous] : [period], scope, sessions)),
				asker.ask(featureUse(scope)),
			]);
		}),
		asker.ask(eventCounts(period, names)),
		asker.ask(eventCounts(previous, [CHAT_EVENT])),
		asker.ask(chatsByRole(period)),
	]);
	const hasUsers = users.seen > 0;
	const counted = (name: string) => (sent.hasEvent(name) ? (counts.get(name) ?? 0) : null);
	const grown = (value: number | null, past: number) =>
		percentOf(growth(value, past, { sent, previousStart: previous.start }));
	const uses = features.reduce((sum, feature) => sum + feature.uses, 0);
	const answer = {
		timeframe: period.timeframe,
		period: {
			start: new Date(period.start).toISOString(),
			end: new Date(period.timeframe === "custom" ? period.end : period.whole.end - 1_000).toISOString(),
		},
		totals: {
			unique_users: hasUsers ? users.active : null,
			total_sessions: hasUsers ? sessions!.sessions : null,
			chat_messages: counted(CHAT_EVENT),
			by_role: Object.fromEntries(roles),
			ai_requests: counted(MODEL_EVENT),
			documents_created: counted(DOCUMENT_EVENT),
			collaborations: counted(COLLABORATION_EVENT),
			voice_sessions: counted(VOICE_EVENT),
		},
		growth: {
			users_growth: grown(hasUsers ? users.active : null, users.previous),
			sessions_growth: grown(hasUsers ? sessions!.sessions : null, before?.sessions ?? 0),
			messages_growth: grown(counted(CHAT_EVENT), countsBefore.get(CHAT_EVENT) ?? 0),
		},
		top_features: features.slice(0, TOP).map((feature) => ({
			feature: feature.feature,
			usage_count: feature.uses,
			percentage: percentOf(uses > 0 ? feature.uses / uses : null),
		})),
	};
	return withMeta(
		answer,
		{
			window: period,
			data_through: sent.dataThrough("event"),
			methods: {
				"totals.total_sessions": SESSION_METHODS[known.sessions],
				growth: "against the period before, cut at the same elapsed time",
			},
		},
		{ needs: NEEDS, sent },
	);
}
