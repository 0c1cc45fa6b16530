/** Rules that are not what they were: changed, disabled, not to be read, deleted. What burned of them is closed, or kept, and told. Pure. */
import { close, fail, unseen } from "../../query/measures/alerting/machine.ts";
import { firingId, instanceName } from "../../query/measures/alerting/names.ts";
import type { Unreadable } from "../../schema/definitions.ts";
import { ending, type StoredRule } from "./rows.ts";
import type { AlertChanges, HistoryRow, RuleProgress, StoredAlert, StoredInstance } from "./store.ts";

/** A rule that looks at something else, or at nothing, has other instances: those of before are over. */
export function changed(
	rule: StoredRule,
	before: StoredAlert & { readonly progress: RuleProgress },
	watching: string,
): AlertChanges & { readonly isMore: boolean } {
	const { project, id: alert_id, body, version, updated_at } = rule;
	const { instances, progress } = before;
	const at = Math.max(updated_at.getTime(), afterLast(progress));
	const reason = body.enabled ? "the rule was changed" : "the rule was disabled";
	return {
		...{ project, alert_id, instances: [], after: newestOf(before) },
		gone: instances.map(({ instance }) => instance),
		history: instances.flatMap((one) => ending(rule, one, at, reason)),
		isMore: body.enabled,
		progress: { evaluated_at: at, watching, rule_version: version, error: "" },
	};
}

/** After the last row of the history, which one of the same instant would replace. */
function afterLast(progress: RuleProgress | undefined): number {
	return (progress?.evaluated_at ?? 0) + 1;
}

export function newestOf({ progress, instances }: StoredAlert): number {
	return Math.max(progress?.version ?? 0, ...instances.map(({ version }) => version));
}

/** Nobody knows what the rule says: until somebody stores it anew it is not evaluated, and what burns is not over for that. */
export function misread(
	{ project, id: alert_id, version, updated_at, error: { message } }: Unreadable,
	before: StoredAlert,
	through: number,
): AlertChanges[] {
	const { progress, instances } = before;
	if (progress?.error === message) return [];
	const at = Math.max(through, updated_at.getTime(), afterLast(progress));
	const note = { metric: "", operator: "", message: "", severity: "medium", actor: "" } as const;
	const base = { project, alert_id, ts: at, labels: {}, ...note, rule_version: version };
	const history: HistoryRow[] = [
		{
			...{ ...base, kind: "gap", instance: "", from_state: "", to_state: "", value: null, threshold: null },
			...{ firing_id: "", notice: "", reason: `not evaluated from ${new Date(at).toISOString()}: ${message}` },
		},
	];
	const known: readonly Omit<StoredInstance, "version">[] =
		instances.length > 0
			? instances
			: [{ ...{ ...note, instance: instanceName("[]"), labelSet: "[]", labels: {}, recent: "" }, ...blank(at) }];
	const failing = known.map((one) => {
		const { after, transition } = fail(one.standing, at);
		if (transition) {
			const { from, to, value, threshold, reason } = transition;
			const { instance, labels, severity } = one;
			history.push({
				...{ ...base, kind: "transition", instance, labels, severity, from_state: from, to_state: to },
				...{ value, threshold, firing_id: "", notice: "", reason, message },
			});
		}
		return { ...one, standing: after };
	});
	const noted = {
		evaluated_at: progress?.evaluated_at ?? at,
		watching: progress?.watching ?? "",
		rule_version: version,
	};
	return [
		{
			...{ project, alert_id, instances: failing, gone: [], after: newestOf(before), history },
			progress: { ...noted, error: message },
		},
	];
}

const blank = (at: number) => ({ standing: unseen(at), evaluated_at: at });

/** A deleted rule: what burned is over, and nothing of it stays but its history. */
export function retired(project: string, alert_id: string, before: StoredAlert, through: number): AlertChanges {
	const { instances } = before;
	const at = Math.max(through, afterLast(before.progress));
	const history = instances.flatMap(({ instance, labels, standing, metric, operator, severity }): HistoryRow[] => {
		const { transition } = close(standing, at, "the rule was deleted");
		if (!transition) return [];
		const { from, to, value, threshold, fired_at, notice, reason } = transition;
		return [
			{
				...{ project, alert_id, instance, labels, ts: at, kind: "transition", from_state: from, to_state: to },
				...{ metric, operator, value, threshold, notice: notice ?? "", reason, message: reason, severity, actor: "" },
				firing_id: fired_at === null ? "" : firingId(project, alert_id, instance, fired_at),
				rule_version: 0,
			},
		];
	});
	const gone = instances.map((one) => one.instance);
	return { project, alert_id, progress: undefined, instances: [], gone, after: newestOf(before), history };
}
