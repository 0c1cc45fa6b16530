/** What people read of an alert. */
import type { AlertRule, AlertState, Leaf, Operator } from "../../../schema/wire/index.ts";

export interface Told {
	readonly rule: Pick<AlertRule, "name" | "severity" | "message" | "runbook_url" | "labels">;
	readonly state: AlertState;
	/** Of the instance. */
	readonly labels: Readonly<Record<string, string>>;
	readonly metric: string;
	readonly operator: Operator | undefined;
	readonly value: number | null;
	readonly threshold: number | null;
}

const WORDS: Readonly<Record<Operator, string>> = {
	greater_than: "above",
	greater_than_or_equal: "at or above",
	less_than: "below",
	less_than_or_equal: "at or below",
	equal: "equal to",
	not_equal: "not",
};

/** The rule's template, filled; or a sentence. What a template names and nobody knows stays empty. */
export function messageOf(told: Told): string {
	const { rule } = told;
	if (rule.message === null || rule.message.trim() === "") return sentence(told);
	const known: Readonly<Record<string, string>> = {
		...{ name: rule.name, severity: rule.severity, state: told.state, metric: told.metric },
		...{ value: shown(told.value), threshold: shown(told.threshold), runbook_url: rule.runbook_url ?? "" },
		operator: told.operator === undefined ? "" : WORDS[told.operator],
	};
	const labels: Readonly<Record<string, string>> = { ...rule.labels, ...told.labels };
	return rule.message.replace(/\{\{\s*([\w.:/@ -]+?)\s*\}\}/g, (_, name: string) => {
		const label = name.startsWith("labels.") ? name.slice("labels.".length) : undefined;
		const from = label === undefined ? known : labels;
		const key = label ?? name;
		return Object.hasOwn(from, key) ? from[key]! : "";
	});
}

function sentence({ rule, state, labels, metric, operator, value, threshold }: Told): string {
	const of = Object.entries(labels).map(([name, label]) => `${name}=${label}`);
	const where = of.length === 0 ? "" : ` (${of.join(", ")})`;
	if (state === "no_data") return `${rule.name}: ${metric} has no data${where}`;
	if (value === null) return `${rule.name}: ${state}${where}`;
	if (state === "ok")
		return `${rule.name}: ${metric} is ${shown(value)}, no longer ${bound(operator, threshold)}${where}`;
	return `${rule.name}: ${metric} is ${shown(value)}, ${bound(operator, threshold)}${where}`;
}

function bound(operator: Operator | undefined, threshold: number | null): string {
	return operator === undefined || threshold === null ? "its threshold" : `${WORDS[operator]} ${shown(threshold)}`;
}

/** Six digits: enough to see that a value crossed its threshold. */
function shown(value: number | null): string {
	return value === null ? "" : String(Number(value.toPrecision(6)));
}

/** What a condition is about, in one word. */
export function subjectOf(leaf: Leaf): string {
	return leaf.metric === "events" ? leaf.event! : leaf.metric;
}
