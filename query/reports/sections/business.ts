/** What it earns: business metrics, revenue, customers. */
import { businessCustomersRead } from "../../analytics/business-customers.ts";
import { businessRead } from "../../monitoring/business.ts";
import { revenueRead } from "../../monitoring/revenue.ts";
import type { Section } from "../custom-document.ts";
import { figure, figures, type Tell, table } from "./blocks.ts";

export const business: Tell = async ({ asking, window }) => {
	const { meta, ...found } = await businessRead.answerTo(asking, window);
	const compared = (label: string, of: { value: number | null; change_percentage: number | null } | undefined) => ({
		...{ label, value: of?.value ?? null, change_percentage: of?.change_percentage ?? null },
	});
	const block = figures(
		compared("Users in 30 days", found.monthly_active_users),
		compared("Revenue a user", found.revenue_per_user),
		compared("Churn, 0 to 1", found.churn_rate),
		compared("Feature adoption, 0 to 1", found.feature_adoption_rate),
		compared("Support tickets", found.support_ticket_volume),
	);
	return { section: { heading: "Business", blocks: [block] }, meta };
};

export const revenue: Tell = async ({ asking, window }) => {
	const found = await revenueRead.answerTo(asking, window);
	const { currency } = found;
	const blocks: Section["blocks"] = [
		figures(
			figure("Recurring revenue a month", found.mrr, currency),
			figure("A year", found.arr, currency),
			figure("Lifetime value", found.ltv, currency),
			figure("Cost of a new customer", found.cac, currency),
			figure("Churn, 0 to 1", found.churn_rate),
		),
		...table(
			"How recurring revenue changed",
			[
				{ what: "New", amount: found.new_mrr },
				{ what: "Expansion", amount: found.expansion_mrr },
				{ what: "Contraction", amount: found.contraction_mrr },
				{ what: "Churned", amount: found.churned_mrr },
				{ what: "Reactivated", amount: found.reactivation_mrr },
			],
			[
				["Movement", ({ what }) => what],
				["A month", ({ amount }) => amount, currency],
			],
		),
	];
	return { section: { heading: "Revenue", blocks }, meta: found.meta };
};

export const accounts: Tell = async ({ asking, window }) => {
	const found = await businessCustomersRead.answerTo(asking, window);
	const blocks: Section["blocks"] = [
		figures(
			figure("Healthy, 0 to 1", found.customer_health.healthy),
			figure("At risk, 0 to 1", found.customer_health.at_risk),
			figure("Leaving, 0 to 1", found.customer_health.churning),
			figure("First response", found.support_metrics.avg_response_time_hours, "h"),
		),
		...table("Segments", found.customer_segments, [
			["Segment", ({ segment }) => segment],
			["Customers", ({ count }) => count],
			["Of revenue", ({ revenue_percentage }) => revenue_percentage, "%"],
			["Each a month", ({ avg_monthly_value }) => avg_monthly_value, found.currency],
			["Churn, 0 to 1", ({ churn_rate }) => churn_rate],
		]),
	];
	return { section: { heading: "Customers", blocks }, meta: found.meta };
};
