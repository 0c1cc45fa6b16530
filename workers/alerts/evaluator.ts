/** Evaluates the rules of a project: what is due, once, in the order of time, and with a row for every change. */
import {
	advance,
	type Changed,
	type DecidedTransition,
	firingOf,
	recheck,
} from "../../query/measures/alerting/advance.ts";
import type { BaselineCache } from "../../query/measures/alerting/anomalies.ts";
import type { AlertAsking, AskedQuestion, Found } from "../../query/measures/alerting/asking.ts";
import { isLasting } from "../../query/measures/alerting/asking.ts";
import type { Instants, ValuesOf } from "../../query/measures/alerting/leaves.ts";
import type { Decider } from "../../query/measures/alerting/logic.ts";
import { close, step, unseen } from "../../query/measures/alerting/machine.ts";
import { messageOf, subjectOf } from "../../query/measures/alerting/message.ts";
import { firingId, instanceName, labelsOf, watchingDigest } from "../../query/measures/alerting/names.ts";
import { observe } from "../../query/measures/alerting/observe.ts";
import { valuesOf } from "../../query/measures/alerting/values.ts";
import type { Definition, Scanned, Unreadable } from "../../schema/definitions.ts";
import { type AlertRule, leavesOf } from "../../schema/wire/index.ts";
import { type Due, dueOf } from "./due.ts";
import type { AlertChanges, AlertStore, HistoryRow, RuleProgress, StoredAlert, StoredInstance } from "./store.ts";

export type StoredRule = Definition<AlertRule>;

export interface EvaluatorOptions {
	readonly store: AlertStore;
	/** Asks about one project. */
	readonly asking: (project: string) => AlertAsking;
	/** Baselines of a project, which are kept from one evaluation to the next. */
	readonly baselines?: (project: string) => BaselineCache;
	/** Hears of the history once it is stored, so that people can be told. */
	readonly onHistory: (rows: readonly HistoryRow[]) => void;
}

/** Rules of a project that are looked at side by side: more would only wait for the engine. */
const AT_ONCE = 4;
/** Instants of one look: a rule that was not evaluated for a day is not one question. */
const MAX_INSTANTS = 240;
/** Every so many instants, so many before are looked at again, for what came late. */
const RECHECK_EVERY = 5;
const RECHECKED = 15;

/**
 * Evaluates everything that is due in a project.
 * @param through everything that was received before is stored, milliseconds since the epoch
 * @returns whether more is due: one look is not at a whole day
 * @throws the first failure that may pass, after all other rules were evaluated: what is missing is still due
 */
export async function evaluateProject(
	{ store, asking, onHistory, baselines }: EvaluatorOptions,
	project: string,
	{ definitions: rules, unreadable }: Scanned<AlertRule>,
	through: number,
): Promise<boolean> {
	const stored = await store.load(project);
	const known = new Set([...rules, ...unreadable].map(({ id }) => id));
	const work = [
		...rules.map((rule) => ({ rule, before: stored.get(rule.id) ?? NOTHING })),
		...[...stored].filter(([id]) => !known.has(id)).map(([id, before]) => ({ id, before })),
	];
	const shared = sharing(asking(project), baselines?.(project));
	const failures: unknown[] = [];
	const changes = unreadable.flatMap((rule) => misread(rule, stored.get(rule.id) ?? NOTHING, through));
	let isMore = false;
	const next = async (): Promise<void> => {
		for (let one = work.shift(); one; one = work.shift()) {
			try {
				if ("id" in one) {
					changes.push(retired(project, one.id, one.before, through));
					continue;
				}
				const evaluated = await evaluateRule(one.rule, one.before, through, shared);
				if (!evaluated) continue;
				changes.push(evaluated);
				isMore ||= evaluated.isMore;
			} catch (error) {
				failures.push(error);
			}
		}
	};
	await Promise.all(Array.from({ length: AT_ONCE }, next));
	await store.save(changes);
	const history = changes.flatMap((change) => change.history);
	if (history.length > 0) onHistory(history);
	if (failures.length > 0) throw failures[0];
	return isMore;
}

/** Instants of a question that other rules may ask as well. */
const MAX_SHARED = 500;
const NOTHING: StoredAlert = { progress: undefined, instances: [] };

/** Equal questions of several rules are asked once: whole values, and what they are made of. */
function sharing(asking: AlertAsking, cache: BaselineCache | undefined): Sharing {
	const answers = new Map<string, Promise<unknown>>();
	const once: AlertAsking = {
		...asking,
		ask<T>(question: AskedQuestion<T>): Promise<T> {
			// Who reads an answer is part of what is asked: the same rows may be read in several ways.
			const key = JSON.stringify([question.name, question.sql, question.params.values]);
			const answer = answers.get(key) ?? asking.ask(question);
			answers.set(key, answer);
			return answer as Promise<T>;
		},
	};
	const asked = new Map<string, Promise<Found>>();
	const of: ValuesOf = (measured, groupBy, span) => {
		// Weeks of values are read once, to learn from: shared they would be kept until all rules are evaluated.
		if (span.count > MAX_SHARED) return valuesOf(asking, measured, groupBy, span);
		const key = JSON.stringify([measured, groupBy, span]);
		const found = asked.get(key) ?? valuesOf(once, measured, groupBy, span);
		asked.set(key, found);
		return found;
	};
	return { of, cache };
}

interface Sharing {
	readonly of: ValuesOf;
	readonly cache: BaselineCache | undefined;
}

/** @returns undefined when nothing is due */
async function evaluateRule(
	rule: StoredRule,
	before: StoredAlert,
	through: number,
	values: Sharing,
): Promise<(AlertChanges & { readonly isMore: boolean }) | undefined> {
	const { project, id: alert_id, body, version } = rule;
	const watching = body.enabled ? watchingDigest(body) : "";
	const progress = before.progress;
	if (!body.enabled && (progress === undefined || progress.watching === "")) return undefined;
	// What burned is over first, and told; what the rule looks at now is evaluated after that.
	if (progress !== undefined && progress.watching !== watching) return changed(rule, { ...before, progress }, watching);
	const due = dueOf(body, { evaluated: progress?.evaluated_at, since: rule.updated_at.getTime(), through });
	if (!due) return undefined;
	// Verdicts of a rule that was evaluated at other instants, or otherwise, are none that late records could change.
	const isAsItWas = progress?.rule_version === version;
	const instances = isAsItWas ? before.instances : before.instances.map((one) => ({ ...one, recent: "" }));
	const gaps = due.gap ? [gapRow(rule, due.gap, "the evaluation was down for longer than it catches up")] : [];
	const evaluation = await evaluate(rule, due.gap ? unbroken(instances) : instances, due, values);
	return {
		...{ project, alert_id, instances: evaluation.instances, gone: evaluation.gone, after: newestOf(before) },
		history: [...gaps, ...evaluation.history, ...troubleOf(rule, due, evaluation, progress?.error ?? "")],
		isMore: evaluation.through < due.last,
		progress: { evaluated_at: evaluation.through, watching, rule_version: version, error: evaluation.error },
	};
}

/** A rule that looks at something else, or at nothing, has other instances: those of before are over. */
function changed(
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

function newestOf({ progress, instances }: StoredAlert): number {
	return Math.max(progress?.version ?? 0, ...instances.map(({ version }) => version));
}

/** Said once, when it begins: the instants that it leaves out are those until the rule has no error any more. */
function troubleOf(rule: StoredRule, { first, last }: Due, { error }: Evaluation, before: string): HistoryRow[] {
	return error === "" || error === before ? [] : [gapRow(rule, { from: first, to: last }, error)];
}

interface Evaluation {
	readonly instances: readonly Omit<StoredInstance, "version">[];
	readonly gone: readonly string[];
	readonly history: readonly HistoryRow[];
	/** The last evaluated instant, milliseconds since the epoch. */
	readonly through: number;
	readonly error: string;
}

async function evaluate(
	rule: StoredRule,
	before: readonly StoredInstance[],
	due: Due,
	values: Sharing,
): Promise<Evaluation> {
	const [first, stride] = [due.first / 1_000, due.step / 1_000];
	const count = Math.min(MAX_INSTANTS, (due.last - due.first) / due.step + 1);
	const last = first + (count - 1) * stride;
	const isRechecked = count >= RECHECK_EVERY || (last / stride) % RECHECK_EVERY === 0;
	const rechecked = isRechecked ? Math.min(RECHECKED, Math.max(0, ...before.map(({ recent }) => recent.length))) : 0;
	// What is too much for one question may not be without a look back, or for a part of the instants.
	const less = [count, ...(count > 1 ? [Math.ceil(count / 10), 1] : [])].map((few) => ({ rechecked: 0, count: few }));
	const looks = rechecked > 0 ? [{ rechecked, count }, ...less] : less;
	let refused: Error | undefined;
	for (const one of looks) {
		try {
			return await look(rule, before, { first, step: stride, ...one }, values);
		} catch (error) {
			if (!isLasting(error)) throw error;
			refused = error;
		}
	}
	return failed(rule, before, due, refused!);
}

/** @param instants to be evaluated; as many as are `rechecked` before them are looked at again */
async function look(
	rule: StoredRule,
	before: readonly StoredInstance[],
	{ first, step: stride, count, rechecked }: Instants & { readonly rechecked: number },
	values: Sharing,
): Promise<Evaluation> {
	const instants: Instants = { first, step: stride, count };
	const past: Instants = { first: first - rechecked * stride, step: stride, count: rechecked };
	const last = first + (count - 1) * stride;
	const observed = await observe(rule.body, { ...past, count: rechecked + count }, values.of, {
		...{ firing: firingOf(before), cache: values.cache },
	});
	const looked = recheck(observed, past, before);
	const { instances, forgotten, transitions } = advance(rule.body, observed, instants, looked.instances);
	return {
		instances: instances.map((one) =>
			toStored(rule, one, observed.judge(one.labelSet, last, one.standing.fired_at).decider),
		),
		gone: forgotten.map(instanceName),
		history: [
			...looked.changed.map((change) => lateRow(rule, change)),
			...transitions.map((transition) => transitionRow(rule, transition)),
		],
		through: last * 1_000,
		error: "",
	};
}

/** The question itself is refused, and would be again: the instant is one that failed, and the next is tried. */
function failed(rule: StoredRule, before: readonly StoredInstance[], due: Due, error: Error): Evaluation {
	const at = due.last;
	const found = before.length > 0 || rule.body.group_by.length > 0 ? before : [undefined];
	const history: HistoryRow[] = [];
	const instances = found.map((one) => {
		const seen = { verdict: "failed" as const, value: null, threshold: null };
		const labelSet = one?.labelSet ?? "[]";
		const { after, transition } = step(one?.standing ?? unseen(at), seen, at, TIMELESS);
		if (transition) history.push(transitionRow(rule, { ...transition, labelSet, decider: undefined }));
		return toStored(rule, { labelSet, standing: after, evaluated_at: at, recent: "" }, undefined);
	});
	return { instances, gone: [], history, through: at, error: error.message };
}

const TIMELESS = { for_ms: 0, keep_firing_for_ms: 0, no_data: "keep_last" } as const;

/** After a gap nobody knows what held in between: what was pending begins anew. */
function unbroken(instances: readonly StoredInstance[]): StoredInstance[] {
	return instances.map((one) => ({
		...one,
		recent: "",
		standing: { ...one.standing, breach_since: null, clear_since: null, unknown_since: null },
	}));
}

function toStored(
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

function transitionRow(rule: StoredRule, transition: DecidedTransition): HistoryRow {
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

function ending(rule: StoredRule, { labelSet, standing }: StoredInstance, at: number, reason: string): HistoryRow[] {
	const { transition } = close(standing, at, reason);
	return transition ? [transitionRow(rule, { ...transition, labelSet, decider: undefined })] : [];
}

/** Nobody knows what the rule says: until somebody stores it anew it is not evaluated, and what burns is not over for that. */
function misread(
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
		const seen = { verdict: "failed" as const, value: null, threshold: null };
		const { after, transition } = step(one.standing, seen, at, TIMELESS);
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
function retired(project: string, alert_id: string, before: StoredAlert, through: number): AlertChanges {
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

function lateRow(rule: StoredRule, { labelSet, at, from, to, decider }: Changed): HistoryRow {
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

function gapRow(rule: StoredRule, gap: { readonly from: number; readonly to: number }, reason: string): HistoryRow {
	const { project, id: alert_id, body, version } = rule;
	const [from, to] = [gap.from, gap.to].map((ms) => new Date(ms).toISOString());
	return {
		...{ project, alert_id, instance: "", labels: {}, ts: gap.from, kind: "gap", from_state: "", to_state: "" },
		...{ metric: "", operator: "", value: null, threshold: null, firing_id: "", notice: "", message: "" },
		...{ severity: body.severity, actor: "", rule_version: version },
		reason: `not evaluated from ${from} to ${to}: ${reason}`,
	};
}
