/** Requests and answers about use: users, sessions, features. */
import { z } from "zod";
import { count, explanation, list, meta, percent, ratio, timeframes, timestamp, windowParameters } from "./common.ts";

const asked = { meta, explain: explanation.optional() };
const seconds = z.number().nullable().describe("Seconds.");
const mean = z.number().nullable().describe("Mean, a number of them.");
const calendar = <const T extends readonly [string, ...string[]]>(options: T) =>
	z
		.enum(options)
		.optional()
		.describe("Calendar period of the zone that as_of lies in, until then; weeks start on Monday.");

export const OVERVIEW_TIMEFRAMES = ["today", "week", "month", "year"] as const;
export const usageOverviewQuery = z.strictObject({ timeframe: calendar(OVERVIEW_TIMEFRAMES), ...windowParameters });
export const usageOverviewAnswer = z.object({
	timeframe: z.string(),
	period: z.object({
		start: timestamp,
		end: timestamp.describe("The last second of the calendar period; the numbers are of what was before as_of."),
	}),
	totals: z.object({
		unique_users: count,
		total_sessions: count.describe("Sessions that started in the period."),
		chat_messages: count,
		by_role: z.record(z.string(), z.number()).describe("Chat messages by the attribute role, unknown without one."),
		ai_requests: count,
		documents_created: count,
		collaborations: count,
		voice_sessions: count,
	}),
	growth: z
		.object({ users_growth: percent, sessions_growth: percent, messages_growth: percent })
		.describe("Against the period before, cut at the same elapsed time."),
	top_features: z
		.array(z.object({ feature: z.string(), usage_count: z.number().int(), percentage: percent }))
		.describe("At most ten; percentage is of all uses of features, listed or not."),
	...asked,
});
export type UsageOverviewQuery = z.input<typeof usageOverviewQuery>;
export type UsageOverviewAnswer = z.infer<typeof usageOverviewAnswer>;

export const USERS_TIMEFRAMES = ["day", "week", "month"] as const;
export const USER_SEGMENTS = ["new", "active", "power", "churned"] as const;
export const RETENTION_MODE_NAMES = ["calendar", "rolling", "24h"] as const;
const retentionRates = z.object({ day_1: ratio, day_7: ratio, day_30: ratio });
export const usageUsersQuery = z.strictObject({
	timeframe: calendar(USERS_TIMEFRAMES),
	segment: z
		.enum(USER_SEGMENTS)
		.optional()
		.describe("Only users of this segment: user_segments has no other, and every number is of its users."),
	retention_mode: z
		.enum(RETENTION_MODE_NAMES)
		.default("calendar")
		.describe(
			"Who is back on day N: who is active on that calendar day (calendar), on that day or later (rolling), or in the Nth 24 hours after the first event (24h).",
		),
	...windowParameters,
});
const segmentNames = z.enum(["churned_users", "new_users", "power_users", "active_users", "dormant_users"]);
export const usageUsersAnswer = z.object({
	timeframe: z.string(),
	user_metrics: z.object({
		total_users: count.describe("Signed up and not deleted at the end."),
		active_users: count,
		new_users: count.describe("Active for the first time ever."),
		returning_users: count,
		churned_users: count.describe("Active in the whole period before and not in this one, or deleted."),
		provisional: z.boolean().describe("The period is not over: who is missing may still come."),
	}),
	engagement: z.object({
		avg_session_duration: seconds,
		single_event_share: ratio.describe("Sessions of one event, which last 0 seconds."),
		avg_sessions_per_user: mean,
		avg_messages_per_session: mean,
		retention_rate: retentionRates.describe("Of all cohorts up to as_of, whatever the timeframe."),
	}),
	user_segments: z.array(
		z.object({
			segment: segmentNames,
			count: z.number().int().describe("Users."),
			percentage: percent.describe("Of total_users."),
			avg_daily_sessions: mean.describe("Sessions a user and calendar day of the period."),
			characteristics: z.array(z.enum(["high_frequency", "long_sessions", "feature_adoption"])),
		}),
	),
	activity_patterns: z.object({
		peak_hours: z
			.array(z.number().int())
			.nullable()
			.describe("Hours with more events than the mean and one standard deviation, at most six."),
		peak_days: z.array(z.string()).nullable().describe("Weekdays above the mean of the weekdays, at most three."),
		geographic_distribution: z
			.record(z.string(), z.number())
			.nullable()
			.describe("Percent of the active users by region of their last country; they add up to 100."),
	}),
	...asked,
});
export type UsageUsersQuery = z.input<typeof usageUsersQuery>;
export type UsageUsersAnswer = z.infer<typeof usageUsersAnswer>;

export const usageFeaturesQuery = z.strictObject({ ...windowParameters });
const steps = { signup: count, first_chat: count, first_collaboration: count, active_user: count };
export const usageFeaturesAnswer = z.object({
	features: z
		.array(
			z.object({
				name: z.string(),
				usage_count: z.number().int(),
				unique_users: count,
				avg_per_user: mean,
				adoption_rate: ratio.describe("Users of the feature / active users of the window."),
				satisfaction_score: z.number().nullable().describe("Mean rating from 1 to 5 of at least five."),
				ratings: z.number().int(),
				response_rate: ratio.describe("Users who rated the feature / users of the feature."),
				trends: z
					.object({ daily_change: percent, weekly_change: percent, monthly_change: percent })
					.describe("The last 1, 7 and 30 complete days against as many before."),
			}),
		)
		.describe("The most used first."),
	feature_funnels: z.object({
		onboarding: z.object({
			...steps,
			mode: z.literal("any_order"),
			ordered: z.object(steps).describe("Users who reached each step after the one before."),
		}),
	}),
	...asked,
});
export type UsageFeaturesQuery = z.input<typeof usageFeaturesQuery>;
export type UsageFeaturesAnswer = z.infer<typeof usageFeaturesAnswer>;

export const USAGE_TIMEFRAMES = ["1h", "24h", "7d", "30d"] as const;
export const usageQuery = z.strictObject({
	timeframe: timeframes(USAGE_TIMEFRAMES),
	breakdown_by: list("Attributes of events, such as user_type, model, region; at most ten.").optional(),
	...windowParameters,
});
export const usageAnswer = z.object({
	timeframe: z.string(),
	total_api_calls: count.describe("Requests; api.call events in a project that sends no HTTP metric."),
	unique_users: count,
	avg_session_duration: seconds,
	single_event_share: ratio.describe("Sessions of one event, which last 0 seconds."),
	breakdown: z
		.record(
			z.string(),
			z.array(
				z.object({
					value: z.string(),
					api_calls: count.describe("api.call events; when there are none, model events for the dimension model."),
					unique_users: z.number().int(),
					share: ratio.describe("Of the API calls of the dimension; of the active users where calls are not known."),
				}),
			),
		)
		.optional()
		.describe(
			"By attribute of breakdown_by: the 50 greatest values, the others together (other), events and users without one (unknown).",
		),
	...asked,
});
export type UsageQuery = z.input<typeof usageQuery>;
export type UsageAnswer = z.infer<typeof usageAnswer>;

export const COHORTS = ["new_users", "all_users", "power_users", "churned_users"] as const;
export const BEHAVIOR_METRICS = ["retention", "engagement", "feature_adoption"] as const;
export const behaviorQuery = z.strictObject({
	timeframe: timeframes(["1h", "24h", "7d", "30d"]),
	cohort: z
		.enum(COHORTS)
		.default("all_users")
		.describe(
			"new_users: first active in the window; power_users: the tenth of the active users with the most sessions; churned_users: active in the window before and not in this one.",
		),
	metrics: list("retention, engagement, feature_adoption. Default: all.").optional(),
	...windowParameters,
});
export const behaviorAnswer = z.object({
	timeframe: z.string(),
	cohort: z.string(),
	users: count.describe("Users of the cohort."),
	retention: retentionRates.optional(),
	engagement: z
		.object({
			dau: count.describe("Active in the 24 hours before the end."),
			wau: count.describe("Active in the 7 days before the end."),
			mau: count.describe("Active in the 30 days before the end."),
			stickiness: ratio.describe("dau / mau."),
			sessions_per_user: mean,
			events_per_session: mean,
		})
		.optional(),
	feature_adoption: z
		.array(
			z.object({
				feature: z.string(),
				adoption_rate: ratio.describe("Users of the feature / active users of the cohort."),
				median_time_to_first_use_hours: z.number().nullable().describe("From the first activity ever. Hours."),
			}),
		)
		.optional(),
	...asked,
});
export type BehaviorQuery = z.input<typeof behaviorQuery>;
export type BehaviorAnswer = z.infer<typeof behaviorAnswer>;
