import type { z } from "zod";
import { USERS_TIMEFRAMES, type UsageUsersAnswer, usageUsersAnswer, usageUsersQuery } from "../../schema/wire/index.ts";
import { peakDays, peakHours, shares } from "../common/patterns.ts";
import { calendarDays, messagesOf, OF_USERS, peopleFacts, regionsOfUsers, retentionRates } from "../common/usage.ts";
import { CHAT_EVENT, hoursOfUse } from "../measures/counts.ts";
import { MODEL_EVENT } from "../measures/models.ts";
import { RETENTION_METHODS } from "../measures/retention.ts";
import {
	type SegmentOptions,
	type SegmentTotals,
	SIGN_UP_EVENT,
	segmentMembers,
	segmentTotals,
	togetherOf,
} from "../measures/segments.ts";
import { meanDuration_s, SESSION_METHODS } from "../measures/sessions.ts";
import { signals } from "../measures/signals.ts";
import { type Needs, withMeta } from "../meta.ts";
import { quotient } from "../quotient.ts";
import { decimals, percentOf, ratio } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { resolvePeriod } from "../time/period.ts";

const NEEDS: Needs = {
	"user_metrics.total_users": OF_USERS,
	"user_metrics.active_users": OF_USERS,
	"user_metrics.new_users": OF_USERS,
	"user_metrics.returning_users": OF_USERS,
	"user_metrics.churned_users": OF_USERS,
	"engagement.avg_session_duration": OF_USERS,
	"engagement.single_event_share": OF_USERS,
	"engagement.avg_sessions_per_user": OF_USERS,
	"engagement.avg_messages_per_session": {
		any: [`event ${CHAT_EVENT}`, `event ${MODEL_EVENT}`],
		with: "session_id",
	},
	"engagement.retention_rate.day_1": OF_USERS,
	"engagement.retention_rate.day_7": OF_USERS,
	"engagement.retention_rate.day_30": OF_USERS,
	user_segments: OF_USERS,
	"activity_patterns.peak_hours": OF_USERS,
	"activity_patterns.peak_days": OF_USERS,
	"activity_patterns.geographic_distribution": {
		any: ["event session.started", "event"],
		with: "geo.country.iso_code",
	},
};

/** `GET /analytics/usage/users` */
export const usageUsersRead = read({
	path: "/analytics/usage/users",
	summary: "Users: how many, how engaged, of which kinds",
	description:
		"With `segment` every number is of that segment's users: total_users are those of them that exist, retention is of them alone. Segments are disjoint, the first rule that holds decides: churned (active in the whole period before, not in this one), new (first active in this one), power (the tenth of the active users with the most sessions, active on at least three days), active, dormant.",
	query: usageUsersQuery,
	answer: usageUsersAnswer,
	needs: NEEDS,
	ask: usageUsers,
});

async function usageUsers({ asker, now }: Asking, query: z.infer<typeof usageUsersQuery>): Promise<UsageUsersAnswer> {
	const period = resolvePeriod(query, { timeframes: USERS_TIMEFRAMES, defaultTimeframe: "week", now });
	const { as_of, timezone } = period;
	const days = calendarDays(period, timezone);
	const asked = asker.ask(signals(as_of));
	const facts = peopleFacts(asker, asked, as_of);
	const answered = asker.presuming("people", facts, async ({ sessions, unlinked, unregistered }) => {
		const scope = { ...period, unlinked, unregistered };
		const options: SegmentOptions = { scope, timezone, days, sessions };
		const members = query.segment === undefined ? undefined : segmentMembers(options, query.segment);
		return Promise.all([
			asker.ask(segmentTotals(options)),
			retentionRates(asker, { as_of, unlinked, timezone, mode: query.retention_mode, members }),
			asker.ask(hoursOfUse(scope, timezone, members)),
			regionsOfUsers(asker, scope, members),
		]);
	});
	const [sent, { sessions }, [all, retention_rate, hours, regions]] = await Promise.all([asked, facts, answered]);
	const segments = all.filter(({ segment }) => query.segment === undefined || segment === query.segment);
	const users = togetherOf(segments);
	const hasUsers = all.length > 0;
	const known = (n: number) => (hasUsers ? n : null);
	const signsUp = sent.hasEvent(SIGN_UP_EVENT);
	const total = signsUp ? users.existing : users.seen;
	const firstRecord = sent.comparableFrom();
	const isCovered = firstRecord !== null && firstRecord <= period.previousWhole.start;
	const firstEvent = sent.firstOf("event");
	const history_days = firstEvent === null ? 0 : (as_of - firstEvent) / 86_400_000;
	const answer = {
		timeframe: period.timeframe,
		user_metrics: {
			total_users: known(total),
			active_users: known(users.active),
			new_users: known(users.fresh),
			returning_users: known(users.active - users.fresh),
			churned_users: isCovered ? known(users.churned) : null,
			provisional: period.whole.end > as_of,
		},
		engagement: {
			avg_session_duration: decimals(meanDuration_s(users), 1),
			single_event_share: ratio(quotient(users.single, users.sessions)),
			avg_sessions_per_user: decimals(quotient(users.sessions, users.active), 2),
			avg_messages_per_session: decimals(quotient(messagesOf(users, sent), users.sessions), 2),
			retention_rate,
		},
		user_segments: segments.flatMap((segment) =>
			segment.segment === undefined
				? []
				: [
						{
							segment: `${segment.segment}_users` as const,
							count: segment.users,
							percentage: percentOf(quotient(segment.users, total)),
							avg_daily_sessions: decimals(quotient(segment.sessions, segment.users * days), 2),
							characteristics: characteristics(segment),
						},
					],
		),
		activity_patterns: {
			peak_hours: hasUsers && history_days >= 7 ? peakHours(hours.byHour) : null,
			peak_days: hasUsers && history_days >= 14 ? peakDays(hours.byWeekday, period) : null,
			geographic_distribution: shares(regions, users.active),
		},
	};
	return withMeta(
		answer,
		{
			window: period,
			data_through: sent.dataThrough("event"),
			methods: {
				"user_metrics.total_users": signsUp
					? "signed up and not deleted"
					: "all users ever seen, since no sign-ups are sent",
				"engagement.avg_session_duration": SESSION_METHODS[sessions],
				"engagement.retention_rate": RETENTION_METHODS[query.retention_mode],
			},
		},
		{ needs: NEEDS, sent },
	);
}

function characteristics({ frequent, long, broad }: SegmentTotals) {
	return [
		...(frequent ? ["high_frequency" as const] : []),
		...(long ? ["long_sessions" as const] : []),
		...(broad ? ["feature_adoption" as const] : []),
	];
}
