/** Every label of an answer (a state, a severity, a trend, a recommendation) comes from these tables, never from free text. */
import { type ComponentRules, DEFAULT_RULES } from "./measures/components.ts";
import { CUSTOMER_RULES } from "./measures/customer-rules.ts";
import { TRAINING_RULES } from "./measures/federated/convergence.ts";
import { RISK_BANDS } from "./privacy/risk.ts";

/** Rises with every change of a threshold or a text, so that two answers can be compared. */
export const RULES_VERSION = 1;

/** All tables by what they decide. @param components thresholds of this installation */
export function ruleTables(components: ComponentRules = DEFAULT_RULES): Readonly<Record<string, object>> {
	const federated = { federated_training: TRAINING_RULES, attack_risk: RISK_BANDS };
	return { components, customers: CUSTOMER_RULES, ...federated };
}
