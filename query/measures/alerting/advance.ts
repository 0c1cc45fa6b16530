/** From what was observed to what an instance becomes: the same for evaluation, catching up and backtests. */
import { durationSeconds } from "../../../schema/duration.ts";
import type { AlertRule } from "../../../schema/wire/index.ts";
import type { Instants } from "./leaves.ts";
import type { Decider, Judged } from "./logic.ts";
import { close, type Standing, step, type Timing, type Transition, unseen, type Verdict } from "./machine.ts";
import type { Observed } from "./observe.ts";

/** When the instances that burn began to, by label set. */
export function firingOf(instances: readonly Pick<Instance, "labelSet" | "standing">[]): Map<string, number> {
	return new Map(
		instances.flatMap(({ labelSet, standing }) => (standing.fired_at === null ? [] : [[labelSet, standing.fired_at]])),
	);
}

/** What is kept of an instance between evaluations. */
export interface Instance {
	/** Values of `group_by`, as JSON. */
	readonly labelSet: string;
	readonly standing: Standing;
	/** The last instant that was evaluated, milliseconds since the epoch. */
	readonly evaluated_at: number;
	/** Verdicts of the last instants, the newest last: what late records may change. */
	readonly recent: string;
}

export interface DecidedTransition extends Transition {
	readonly labelSet: string;
	/** The condition by which it came to this; absent where no condition did. */
	readonly decider: Decider | undefined;
}

export interface Advanced {
	readonly instances: readonly Instance[];
	/** Label sets that have not been heard of for a day; they are not among the instances. */
	readonly forgotten: readonly string[];
	/** In the order of time. */
	readonly transitions: readonly DecidedTransition[];
}

export type AdvancedRule = Pick<AlertRule, "for" | "keep_firing_for" | "no_data" | "group_by">;

/** Hears of every step, for backtests. */
export type OnStep = (labelSet: string, judged: Judged, standing: Standing, at: number) => void;

const KEPT_VERDICTS = 60;
/** An instance of a label set without data for so long is gone. */
export const FORGET_MS = 24 * 3_600_000;

const LETTERS: Readonly<Record<Verdict, string>> = { breach: "b", hold: "h", clear: "c", unknown: "u", failed: "f" };

export function timingOf(rule: Omit<AdvancedRule, "group_by">): Timing {
	return {
		for_ms: durationSeconds(rule.for) * 1_000,
		keep_firing_for_ms: durationSeconds(rule.keep_firing_for) * 1_000,
		no_data: rule.no_data,
	};
}

/** Takes every instance through the instants, those that are seen for the first time as well. */
export function advance(
	rule: AdvancedRule,
	observed: Observed,
	instants: Instants,
	before: readonly Instance[],
	onStep?: OnStep,
): Advanced {
	const timing = timingOf(rule);
	const known = new Map(before.map((instance) => [instance.labelSet, instance]));
	const instances: Instance[] = [];
	const forgotten: string[] = [];
	const transitions: DecidedTransition[] = [];
	for (const labelSet of new Set([...known.keys(), ...observed.labelSets])) {
		const old = known.get(labelSet);
		let standing = old?.standing ?? unseen(instants.first * 1_000);
		let recent = old?.recent ?? "";
		let gone = false;
		for (let i = 0; i < instants.count; i++) {
			const t = instants.first + i * instants.step;
			const at = t * 1_000;
			if (old && at <= old.evaluated_at) continue;
			const judged = observed.judge(labelSet, t, standing.fired_at);
			const verdict = verdictOf(judged);
			const { value, threshold } = judged.decider;
			let next = step(standing, { verdict, value, threshold }, at, timing);
			gone = isGone(rule, next.after, at);
			if (gone) next = close(standing, at, "not heard of for a day");
			standing = next.after;
			recent = (recent + LETTERS[verdict]).slice(-KEPT_VERDICTS);
			if (next.transition) {
				const decider = verdict === "unknown" || gone ? undefined : judged.decider;
				transitions.push({ ...next.transition, labelSet, decider });
			}
			onStep?.(labelSet, judged, standing, at);
		}
		const last = (instants.first + (instants.count - 1) * instants.step) * 1_000;
		if (gone) forgotten.push(labelSet);
		else instances.push({ labelSet, standing, evaluated_at: Math.max(last, old?.evaluated_at ?? 0), recent });
	}
	return { instances, forgotten, transitions: transitions.sort((a, b) => a.at - b.at) };
}

export function verdictOf({ breach, hold }: Pick<Judged, "breach" | "hold">): Verdict {
	if (breach === true) return "breach";
	if (hold === true) return "hold";
	return breach === null ? "unknown" : "clear";
}

/** Rules without label sets have one instance for ever; where missing data are the alert, it is not over by lasting. */
function isGone(rule: AdvancedRule, { unknown_since }: Standing, at: number): boolean {
	const isForgettable = rule.group_by.length > 0 && rule.no_data !== "alert";
	return isForgettable && unknown_since !== null && at - unknown_since >= FORGET_MS;
}

/** An instant whose verdict was another when it was evaluated. */
export interface Changed {
	readonly labelSet: string;
	readonly at: number;
	readonly from: Verdict;
	readonly to: Verdict;
	readonly decider: Decider;
}

/**
 * Instants before the last evaluated one, looked at again: which verdicts have records changed that came late, and the instances with
 * the verdicts as they are now, so that each is told once.
 */
export function recheck(
	observed: Observed,
	instants: Instants,
	before: readonly Instance[],
): { readonly changed: readonly Changed[]; readonly instances: readonly Instance[] } {
	const changed: Changed[] = [];
	const instances = before.map((instance): Instance => {
		const letters = [...instance.recent];
		for (let i = 0; i < instants.count; i++) {
			const t = instants.first + i * instants.step;
			const place = letters.length - 1 - Math.round((instance.evaluated_at / 1_000 - t) / instants.step);
			const from = VERDICTS.get(letters[place] ?? "");
			if (from === undefined || from === "failed") continue;
			const judged = observed.judge(instance.labelSet, t, instance.standing.fired_at);
			const to = verdictOf(judged);
			if (to === from) continue;
			letters[place] = LETTERS[to];
			changed.push({ labelSet: instance.labelSet, at: t * 1_000, from, to, decider: judged.decider });
		}
		return { ...instance, recent: letters.join("") };
	});
	return { changed, instances };
}

const VERDICTS = new Map(Object.entries(LETTERS).map(([verdict, letter]) => [letter, verdict as Verdict]));
