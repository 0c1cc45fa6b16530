/** Rules, instances and history as they are answered. */
import { z } from "zod";
import type { Definition, Unreadable } from "../../../schema/definitions.ts";
import {
	type AlertAnswer,
	type AlertHistoryEntry,
	type AlertInstance,
	type AlertRule,
	type AlertState,
	type AlertsAnswer,
	SEVERITIES,
} from "../../../schema/wire/index.ts";
import { lagOf } from "../../measures/alerting/lag.ts";
import { firingId } from "../../measures/alerting/names.ts";
import {
	type Acknowledgement,
	type Firings,
	type HistoryRecord,
	type InstanceRecord,
	type RuleRecord,
	SERIOUS,
} from "../../measures/alerting/records.ts";
import { withoutSecrets } from "./secrets.ts";

export type StoredRule = Definition<AlertRule>;

export interface Standing {
	readonly states: ReadonlyMap<AlertState, number> | undefined;
	readonly firings: Firings | undefined;
	readonly progress: RuleRecord | undefined;
}

/** What is tried to be read of the text of a rule that does not fit. */
const unreadableBody = z.preprocess(
	(text) => {
		try {
			return JSON.parse(String(text));
		} catch {
			return {};
		}
	},
	z.object({ name: z.string().optional().catch(undefined), severity: z.enum(SEVERITIES).optional().catch(undefined) }),
);

const time = (ms: number) => new Date(ms).toISOString();

/** What the list and a single rule have in common. */
function standingOf({ id, body, created_at, updated_at }: StoredRule, { states, firings, progress }: Standing) {
	return {
		alert_id: id,
		status: body.enabled ? ("active" as const) : ("disabled" as const),
		// Before the first evaluation, and of a rule that is not evaluated, nothing is known.
		state: SERIOUS.find((state) => states?.has(state)) ?? ("no_data" as const),
		...{ created_at: created_at.toISOString(), updated_at: updated_at.toISOString() },
		last_triggered: firings ? time(firings.last) : null,
		trigger_count: firings?.count ?? 0,
		evaluated_through: progress ? time(progress.evaluated_at) : null,
		error: progress?.error || null,
	};
}

export function listedAlert(rule: StoredRule, standing: Standing): AlertsAnswer["alerts"][number] {
	const { name, severity, labels } = rule.body;
	return {
		...standingOf(rule, standing),
		name,
		severity,
		labels,
		firing_instances: standing.states?.get("firing") ?? 0,
	};
}

/** A rule that does not fit its schema: what can be told of it. */
export function unreadableAlert(
	{ id, body, created_at, updated_at, error }: Unreadable,
	{ states, firings, progress }: Standing,
): AlertsAnswer["alerts"][number] {
	const known = unreadableBody.safeParse(body);
	return {
		...{ alert_id: id, status: "active", state: "error", error: error.message },
		...{ created_at: created_at.toISOString(), updated_at: updated_at.toISOString() },
		last_triggered: firings ? time(firings.last) : null,
		trigger_count: firings?.count ?? 0,
		evaluated_through: progress ? time(progress.evaluated_at) : null,
		...{ name: known.data?.name ?? id, severity: known.data?.severity ?? "medium", labels: {} },
		firing_instances: states?.get("firing") ?? 0,
	};
}

export interface Instances {
	readonly records: readonly InstanceRecord[];
	readonly firings: ReadonlyMap<string, Firings>;
	readonly acknowledged: ReadonlyMap<string, Acknowledgement>;
}

export function alertAnswer(
	rule: StoredRule,
	standing: Standing,
	instances: Instances,
	warnings: readonly string[],
): AlertAnswer {
	const { notifications, ...body } = rule.body;
	return {
		...{ ...body, conditions: [...body.conditions], notifications: notifications.map(withoutSecrets) },
		...standingOf(rule, standing),
		instances: instances.records.map((record) => instanceAnswer(rule, record, instances)),
		warnings: [...warnings],
	};
}

function instanceAnswer(
	{ project, id }: StoredRule,
	{ instance, labels, standing }: InstanceRecord,
	{ firings, acknowledged }: Instances,
): AlertInstance {
	const firing_id = standing.fired_at === null ? null : firingId(project, id, instance, standing.fired_at);
	const known = firing_id === null ? undefined : acknowledged.get(firing_id);
	const fired = firings.get(instance);
	return {
		...{ instance, labels, state: standing.state, since: time(standing.since) },
		...{ value: standing.value, threshold: standing.threshold, firing_id },
		...{ trigger_count: fired?.count ?? 0, last_triggered: fired ? time(fired.last) : null },
		acknowledged: known ? { at: time(known.at), by: known.by, note: known.note } : null,
	};
}

export function historyEntry(record: HistoryRecord): AlertHistoryEntry {
	const { ts, recorded_at, from, to, firing_id, ...rest } = record;
	return {
		...{ timestamp: time(ts), recorded_at: time(recorded_at), ...rest },
		...{ from: from || null, to: to || null, firing_id: firing_id || null },
	};
}

/** How far every enabled rule is evaluated, and how much later it should be. */
export function evaluationOf(
	rules: readonly StoredRule[],
	progress: ReadonlyMap<string, RuleRecord>,
	now: number,
): AlertsAnswer["evaluation"] {
	const enabled = rules.filter(({ body }) => body.enabled);
	if (enabled.length === 0) return { through: null, lag_seconds: null };
	const stands = enabled.map(({ id, body, updated_at }) => {
		const done = progress.get(id)?.evaluated_at;
		return { done, lag: lagOf({ body, updated_at, evaluated_at: done }, now) };
	});
	const done = stands.map((one) => one.done).filter((at) => at !== undefined);
	return {
		through: done.length < stands.length ? null : time(Math.min(...done)),
		lag_seconds: Math.max(...stands.map(({ lag }) => lag)) / 1_000,
	};
}
