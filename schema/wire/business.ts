/** Money and customers: requests and answers of both documents. */
import { z } from "zod";
import { count, explanation, list, meta, percent, ratio, timeframes, windowParameters } from "./common.ts";

const asked = { meta, explain: explanation.optional() };
const CURRENCY = ["an ISO 4217 code of three letters, such as USD or EUR"];
const currency = z
	.string()
	.default("USD")
	.transform((text) => text.toUpperCase())
	.refine((text) => /^[A-Z]{3}$/.test(text), { params: { valid_options: CURRENCY } })
	.describe("ISO 4217; amounts in others are converted at the rate of their day (event fx.rate). Default: USD.");
const money = (text: string) => z.number().nullable().describe(`${text} In the currency of the answer.`);

export const BUSINESS_TIMEFRAMES = ["1h", "24h", "7d", "30d"] as const;
export const revenueQuery = z.strictObject({
	timeframe: timeframes(BUSINESS_TIMEFRAMES),
	currency,
	...windowParameters,
});
export const revenueAnswer = z.object({
	timeframe: z.string(),
	currency: z.string(),
	mrr: money("Recurring revenue a month at the end of the window."),
	arr: money("mrr × 12."),
	cac: money("Sales and marketing cost of the window over the customers won in it."),
	ltv: money("mrr / paying accounts × margin / churn of the last 30 days."),
	arpu: money("Net revenue of the window (paid − tax − refunds) over its active users."),
	churn_rate: ratio.describe("Customers lost in the window over those of its start, from 0 to 1."),
	new_mrr: money("Of subscriptions that pay for the first time."),
	expansion_mrr: money("Of subscriptions that pay more."),
	contraction_mrr: money("Of subscriptions that pay less; not negative."),
	churned_mrr: money("Of subscriptions that ended; not negative."),
	reactivation_mrr: money(
		"Of subscriptions that pay again. new + expansion − contraction − churned + this is the change of mrr.",
	),
	...asked,
});
export type RevenueQuery = z.input<typeof revenueQuery>;
export type RevenueAnswer = z.infer<typeof revenueAnswer>;

export const BUSINESS_METRICS = [
	"monthly_active_users",
	"revenue_per_user",
	"churn_rate",
	"feature_adoption_rate",
	"support_ticket_volume",
] as const;
export type BusinessMetric = (typeof BUSINESS_METRICS)[number];

export const businessQuery = z.strictObject({
	timeframe: timeframes(BUSINESS_TIMEFRAMES),
	metrics: list(`Any of ${BUSINESS_METRICS.join(", ")}; all when absent.`).optional(),
	feature: z.string().min(1).max(200).optional().describe("The feature of feature_adoption_rate; any when absent."),
	currency,
	...windowParameters,
});
const compared = (value: z.ZodType<number | null>) =>
	z
		.object({
			value,
			previous: value.describe("Of the window of the same length before."),
			change_percentage: percent,
		})
		.optional();
export const businessAnswer = z.object({
	monthly_active_users: compared(count.describe("Distinct users of the 30 days before the end of the window.")),
	revenue_per_user: compared(money("Net revenue over active users.")),
	churn_rate: compared(ratio),
	feature_adoption_rate: compared(
		ratio.describe("Users of a feature over the users of the same 30 days, from 0 to 1."),
	),
	support_ticket_volume: compared(count.describe("Tickets opened.")),
	...asked,
});
export type BusinessQuery = z.input<typeof businessQuery>;
export type BusinessAnswer = z.infer<typeof businessAnswer>;

export const businessRevenueQuery = z.strictObject({ currency, ...windowParameters });
export const businessRevenueAnswer = z.object({
	revenue: z.object({
		current_month: money("Net revenue (paid − tax − refunds) of the calendar month to date."),
		previous_month: money("Net revenue of the whole calendar month before."),
		growth_rate: ratio.describe("current_month / previous_month − 1."),
		growth_rate_to_date: ratio.describe("The same against as much of the month before as has passed of this one."),
		yearly_recurring: money("mrr × 12."),
		customer_lifetime_value: money("mrr / paying accounts × margin / churn of the month."),
		churn_rate: ratio.describe("Customers lost in the month over those of its start, from 0 to 1."),
	}),
	subscriptions: z.object({
		total_active: count.describe("Paying subscriptions; trials are not."),
		new_this_month: count,
		churned_this_month: count,
		reactivated_this_month: count,
		net_growth: count.describe("New + reactivated − churned."),
		by_plan: z.record(z.string(), z.number().describe("Active subscriptions.")),
	}),
	usage_monetization: z.object({
		ai_requests_billable: z.number().nullable().describe("Requests that were charged."),
		revenue_per_request: money("Billed for one."),
		collaboration_hours: z.number().nullable().describe("Hours that were charged."),
		revenue_per_hour: money("Billed for one."),
	}),
	currency: z.string(),
	...asked,
});
export type BusinessRevenueQuery = z.input<typeof businessRevenueQuery>;
export type BusinessRevenueAnswer = z.infer<typeof businessRevenueAnswer>;

export const businessCustomersQuery = z.strictObject({
	currency,
	limit: z.coerce.number().int().min(0).max(1_000).default(100).describe("Accounts listed one by one."),
	...windowParameters,
});
const rating = z.number().nullable().describe("Mean rating, 1 to 5.");
export const businessCustomersAnswer = z.object({
	customer_segments: z.array(
		z.object({
			segment: z.string(),
			count: z.number().int().describe("Paying accounts at the end of the window."),
			revenue_percentage: percent.describe("Share of mrr in percent; they add up to 100."),
			avg_monthly_value: money("mrr of the segment over its accounts."),
			churn_rate: ratio,
			satisfaction_score: rating,
			growth_rate: ratio.describe("mrr at the end of the window / at its start − 1."),
		}),
	),
	customer_health: z
		.object({ healthy: ratio, at_risk: ratio, churning: ratio })
		.describe("Shares of the paying accounts that ever used the product; they add up to 1."),
	usage_patterns: z
		.object({ high_engagement: ratio, medium_engagement: ratio, low_engagement: ratio })
		.describe("Shares of the same accounts by days with activity; they add up to 1."),
	support_metrics: z.object({
		avg_response_time_hours: z.number().nullable().describe("Hours to the first response."),
		resolution_rate: ratio,
		satisfaction_score: rating,
		escalation_rate: ratio,
	}),
	accounts: z
		.array(
			z.object({
				account_id: z.string(),
				segment: z.string(),
				monthly_value: money("mrr."),
				health: z.enum(["healthy", "at_risk", "churning"]),
				reason: z
					.enum([
						"cancel_scheduled",
						"no_activity",
						"payment_failed",
						"open_escalation",
						"low_rating",
						"usage_drop",
						"none",
					])
					.describe("The rule that decided health."),
				engagement: z.enum(["high", "medium", "low"]),
			}),
		)
		.describe("The accounts of customer_health, those about to leave first, then by what they pay."),
	currency: z.string(),
	...asked,
});
export type BusinessCustomersQuery = z.input<typeof businessCustomersQuery>;
export type BusinessCustomersAnswer = z.infer<typeof businessCustomersAnswer>;
