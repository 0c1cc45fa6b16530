/** Every label of an answer (a state, a severity, a trend, a recommendation) comes from these tables, never from free text. */
import { SLOW_QUERY_MS } from "../schema/wire/index.ts";
import { SENTIMENT_RULES } from "./analytics/ai-conversations.ts";
import { KPI_RULES } from "./kpi-rules.ts";
import { BOTTLENECK_RULES } from "./measures/bottlenecks.ts";
import { CAPACITY_RULES } from "./measures/capacity.ts";
import { type ComponentRules, DEFAULT_RULES } from "./measures/components.ts";
import { CUSTOMER_RULES } from "./measures/customer-rules.ts";
import { TRAINING_RULES } from "./measures/federated/convergence.ts";
import { COUNTRY_REGIONS } from "./measures/geography.ts";
import { ONBOARDING_RULES } from "./measures/onboarding.ts";
import { SCORE_RULES } from "./measures/score.ts";
import { SEGMENT_RULES } from "./measures/segments.ts";
import { TREND_RULES } from "./measures/trends.ts";
import { RISK_BANDS } from "./privacy/risk.ts";
import { INSIGHT_RULES } from "./reports/insights.ts";

/** Rises with every change of a threshold or a text, so that two answers can be compared. */
export const RULES_VERSION = 1;

/** All tables by what they decide. @param components thresholds of this installation */
export function ruleTables(components: ComponentRules = DEFAULT_RULES): Readonly<Record<string, object>> {
	return {
		components,
		databases: { slow_query_ms: SLOW_QUERY_MS },
		performance_score: SCORE_RULES,
		bottlenecks: BOTTLENECK_RULES,
		trends: TREND_RULES,
		capacity: CAPACITY_RULES,
		customers: CUSTOMER_RULES,
		kpis: KPI_RULES,
		federated_training: TRAINING_RULES,
		attack_risk: RISK_BANDS,
		sentiment_trend: SENTIMENT_RULES,
		segments: SEGMENT_RULES,
		onboarding: ONBOARDING_RULES,
		report_insights: INSIGHT_RULES,
		regions: COUNTRY_REGIONS,
	};
}
