/** What the rules make of customers: health with its reason, engagement, segments. Pure. */
import { CUSTOMER_RULES } from "../measures/customer-rules.ts";
import type { Activity, Customers, Ratings } from "../measures/customers.ts";

const DAY_MS = 86_400_000;
const { churning, at_risk, engagement, minimum } = CUSTOMER_RULES;

export const HEALTH = ["healthy", "at_risk", "churning"] as const;
export const REASONS = [
	"cancel_scheduled",
	"no_activity",
	"payment_failed",
	"open_escalation",
	"low_rating",
	"usage_drop",
	"none",
] as const;
export const ENGAGEMENTS = ["high", "medium", "low"] as const;

export interface Facts {
	readonly leaving: boolean;
	readonly activity: Activity;
	/** Milliseconds since the epoch. */
	readonly end: number;
	readonly paymentFailed: boolean;
	readonly openEscalation: boolean;
	readonly ratings: Ratings | undefined;
}

/** Health of a paying account; the first rule that holds is the reason. */
export function healthOf(facts: Facts): { health: (typeof HEALTH)[number]; reason: (typeof REASONS)[number] } {
	const { leaving, activity, end, ratings } = facts;
	if (leaving) return { health: "churning", reason: "cancel_scheduled" };
	if (activity.last < end - churning.no_activity_days * DAY_MS) return { health: "churning", reason: "no_activity" };
	const risk = (reason: (typeof REASONS)[number]) => ({ health: "at_risk" as const, reason });
	if (facts.paymentFailed) return risk("payment_failed");
	if (facts.openEscalation) return risk("open_escalation");
	if (ratings !== undefined && ratings.sum / ratings.n <= at_risk.low_rating) return risk("low_rating");
	if (activity.before > 0 && activity.recent <= activity.before * (1 - at_risk.usage_drop.share))
		return risk("usage_drop");
	return { health: "healthy", reason: "none" };
}

/** Engagement by the share of days with activity. */
export function engagementOf({ days }: Activity): (typeof ENGAGEMENTS)[number] {
	const share = days / engagement.days;
	return share >= engagement.high ? "high" : share >= engagement.medium ? "medium" : "low";
}

export interface Segment {
	readonly segment: string;
	/** Accounts that pay at the end. */
	readonly count: number;
	readonly mrr: number | null;
	/** Ratio of those of the start that were lost; null when there were none. */
	readonly churn_rate: number | null;
	readonly mrr_start: number | null;
	/** Mean, 1 to 5; null of too few. */
	readonly satisfaction: number | null;
}

/** Customers by segment, the one that pays most first. */
export function segmentsOf(groups: readonly Customers[], ratings: ReadonlyMap<string, Ratings>): Segment[] {
	const names = new Set(groups.flatMap(({ segment_start, segment_end }) => [segment_start, segment_end]));
	names.delete(null);
	const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
	const money = (amounts: readonly (number | null)[]) =>
		amounts.reduce((total, amount) => (total === null || amount === null ? null : total + amount), 0);
	return [...(names as Set<string>)]
		.map((segment) => {
			const before = groups.filter((group) => group.segment_start === segment);
			const now = groups.filter((group) => group.segment_end === segment);
			const left = groups.filter((group) => group.segment_lost === segment);
			const [paid, lost] = [sum(before.map(({ customers }) => customers)), sum(left.map(({ lost }) => lost))];
			const rated = now.flatMap(({ accounts }) => accounts.flatMap(([account_id]) => ratings.get(account_id) ?? []));
			const n = sum(rated.map(({ n }) => n));
			return {
				segment,
				count: sum(now.map(({ customers }) => customers)),
				mrr: money(now.map(({ mrr_end }) => mrr_end)),
				mrr_start: money(before.map(({ mrr_start }) => mrr_start)),
				churn_rate: paid === 0 ? null : lost / paid,
				satisfaction: n < minimum.satisfaction_ratings ? null : sum(rated.map(({ sum }) => sum)) / n,
			};
		})
		.sort((a, b) => (b.mrr ?? 0) - (a.mrr ?? 0) || b.count - a.count || (a.segment < b.segment ? -1 : 1));
}
