/** What an evaluation leaves, as rows of the history and of the standing of instances. Pure. */
import type { Changed, DecidedTransition } from "../../query/measures/alerting/advance.ts";
import type { Decider } from "../../query/measures/alerting/logic.ts";
import { close } from "../../query/measures/alerting/machine.ts";
import { messageOf, subjectOf } from "../../query/measures/alerting/message.ts";
import { firingId, instanceName, labelsOf } from "../../query/measures/alerting/names.ts";
import type { Definition } from "../../schema/definitions.ts";
import { type AlertRule, leavesOf } from "../../schema/wire/index.ts";
import type { HistoryRow, StoredInstance } from "./store.ts";

export type StoredRule = Definition<AlertRule>;

export function toStored(
	rule: StoredRule,
	instance: Pick<StoredInstance, "labelSet" | "standing" | "evaluated_at" | "recent">,
	decider: Decider | undefined,
): Omit<StoredInstance, "version"> {
	const labels = labelsOf(rule.body.group_by, instance.labelSet);
	return {
		...instance,
		...{ instance: instanceName(instance.labelSet), labels, severity: rule.body.severity },
		...toldOf(rule, instance.standing.state, labels, decider, instance.standing),
	};
}

function toldOf(
	{ body }: StoredRule,
	state: StoredInstance["standing"]["state"],
	labels: Readonly<Record<string, string>>,
	decider: Decider | undefined,
	{ value, threshold }: { readonly value: number | null; readonly threshold: number | null },
) {
	const metric = subjectOf(decider?.leaf ?? leavesOf(body.conditions)[0]!);
	const operator = decider?.operator;
	const told = { rule: body, state, labels, metric, operator, value, threshold };
	return { metric, operator: operator ?? "", message: messageOf(told) };
}

export function transitionRow(rule: StoredRule, transition: DecidedTransition): HistoryRow {
	const { at, from, to, value, threshold, fired_at, notice, reason, labelSet, decider } = transition;
	const { project, id: alert_id, body, version } = rule;
	const labels = labelsOf(body.group_by, labelSet);
	const instance = instanceName(labelSet);
	return {
		...{ project, alert_id, instance, labels, ts: at, kind: "transition", from_state: from, to_state: to },
		...{ value, threshold, notice: notice ?? "", reason, severity: body.severity, actor: "", rule_version: version },
		firing_id: fired_at === null ? "" : firingId(project, alert_id, instance, fired_at),
		...toldOf(rule, to, labels, decider, { value, threshold }),
	};
}

export function ending(
	rule: StoredRule,
	{ labelSet, standing }: StoredInstance,
	at: number,
	reason: string,
): HistoryRow[] {
	const { transition } = close(standing, at, reason);
	return transition ? [transitionRow(rule, { ...transition, labelSet, decider: undefined })] : [];
}

export function lateRow(rule: StoredRule, { labelSet, at, from, to, decider }: Changed): HistoryRow {
	const { project, id: alert_id, body, version } = rule;
	const labels = labelsOf(body.group_by, labelSet);
	const { value, threshold } = decider;
	const told = toldOf(rule, "ok", labels, decider, { value, threshold });
	return {
		...{ project, alert_id, instance: instanceName(labelSet), labels, ts: at, kind: "late_data", from_state: "" },
		...{ to_state: "", ...told, value, threshold, firing_id: "", notice: "", severity: body.severity, actor: "" },
		...{ reason: `records came late: this was ${WORDS[from]} when it was evaluated, and is ${WORDS[to]}` },
		...{ message: "", rule_version: version },
	};
}

const WORDS: Readonly<Record<Changed["to"], string>> = {
	...{ breach: "a breach", hold: "above the recovery threshold only", clear: "clear", unknown: "without data" },
	failed: "a failure",
};

export function gapRow(
	rule: StoredRule,
	gap: { readonly from: number; readonly to: number },
	reason: string,
): HistoryRow {
	const { project, id: alert_id, body, version } = rule;
	const [from, to] = [gap.from, gap.to].map((ms) => new Date(ms).toISOString());
	return {
		...{ project, alert_id, instance: "", labels: {}, ts: gap.from, kind: "gap", from_state: "", to_state: "" },
		...{ metric: "", operator: "", value: null, threshold: null, firing_id: "", notice: "", message: "" },
		...{ severity: body.severity, actor: "", rule_version: version },
		reason: `not evaluated from ${from} to ${to}: ${reason}`,
	};
}
