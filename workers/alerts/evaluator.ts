/** Evaluates the rules of a project: what is due, once, in the order of time, and with a row for every change. */
import { advance, firingOf, recheck } from "../../query/measures/alerting/advance.ts";
import type { BaselineCache } from "../../query/measures/alerting/anomalies.ts";
import { type AlertAsking, isLasting } from "../../query/measures/alerting/asking.ts";
import type { Instants } from "../../query/measures/alerting/leaves.ts";
import { fail, unseen } from "../../query/measures/alerting/machine.ts";
import { instanceName, watchingDigest } from "../../query/measures/alerting/names.ts";
import { observe } from "../../query/measures/alerting/observe.ts";
import type { Scanned } from "../../schema/definitions.ts";
import type { AlertRule } from "../../schema/wire/index.ts";
import { type Due, dueOf } from "./due.ts";
import { changed, misread, newestOf, retired } from "./endings.ts";
import { gapRow, lateRow, type StoredRule, toStored, transitionRow } from "./rows.ts";
import { type Sharing, sharing } from "./sharing.ts";
import type { AlertChanges, AlertStore, HistoryRow, StoredAlert, StoredInstance } from "./store.ts";

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

const NOTHING: StoredAlert = { progress: undefined, instances: [] };

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
	const less = [...new Set([count, Math.ceil(count / 10), 1])].map((few) => ({ rechecked: 0, count: few }));
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
		const labelSet = one?.labelSet ?? "[]";
		const { after, transition } = fail(one?.standing ?? unseen(at), at);
		if (transition) history.push(transitionRow(rule, { ...transition, labelSet, decider: undefined }));
		return toStored(rule, { labelSet, standing: after, evaluated_at: at, recent: "" }, undefined);
	});
	return { instances, gone: [], history, through: at, error: error.message };
}

/** After a gap nobody knows what held in between: what was pending begins anew. */
function unbroken(instances: readonly StoredInstance[]): StoredInstance[] {
	return instances.map((one) => ({
		...one,
		recent: "",
		standing: { ...one.standing, breach_since: null, clear_since: null, unknown_since: null },
	}));
}
