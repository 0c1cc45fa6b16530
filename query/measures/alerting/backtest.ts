/** When a rule would have fired in a window: the same conditions, the same state machine, over instants of the past. */
import { durationSeconds } from "../../../schema/duration.ts";
import { type AlertRule, type BacktestAnswer, leavesOf } from "../../../schema/wire/index.ts";
import { advance, firingOf, type Instance } from "./advance.ts";
import { type AlertAsking, ConditionError } from "./asking.ts";
import type { Instants } from "./leaves.ts";
import type { Judged } from "./logic.ts";
import type { Standing } from "./machine.ts";
import { labelsOf } from "./names.ts";
import { observe, type Watching } from "./observe.ts";
import { valuesOf } from "./values.ts";

export type BacktestRule = Watching & Pick<AlertRule, "for" | "keep_firing_for" | "no_data" | "interval">;

/** Two weeks, every minute. */
export const MAX_BACKTEST_INSTANTS = 20_160;
const MAX_EPISODES = 1_000;
/** Every record is in so many windows at most, all instants together. */
const MAX_OVERLAP = 3_000_000;
/** Instants that are asked about at once. */
const AT_ONCE = 2_880;

interface Episode {
	labelSet: string;
	start: number;
	end: number | null;
	peak: number | null;
	threshold: number | null;
}

/** The instants of `[start, end]`, milliseconds since the epoch. @throws ConditionError when there is none, or too many */
export function backtestInstants(
	rule: Pick<AlertRule, "interval" | "conditions">,
	start: number,
	end: number,
): Instants {
	const step = durationSeconds(rule.interval);
	const first = Math.ceil(start / 1_000 / step) * step;
	const count = Math.floor((end / 1_000 - first) / step) + 1;
	if (count < 1) throw new ConditionError("no instant of evaluation lies in the window");
	if (count > MAX_BACKTEST_INSTANTS)
		throw new ConditionError(
			`${count} instants, at most ${MAX_BACKTEST_INSTANTS}: take a shorter window or a longer interval`,
		);
	for (const leaf of leavesOf(rule.conditions)) {
		if ((count * durationSeconds(leaf.timeframe)) / step > MAX_OVERLAP)
			throw new ConditionError(`a timeframe of ${leaf.timeframe} every ${rule.interval} is too much for this window`);
	}
	return { first, step, count };
}

/** @throws ConditionError, RetentionError, and as `asking.ask` */
export async function backtest(asking: AlertAsking, rule: BacktestRule, instants: Instants): Promise<BacktestAnswer> {
	const values = (...question: Parameters<typeof valuesOf> extends [unknown, ...infer Rest] ? Rest : never) =>
		valuesOf(asking, ...question);
	const { first, step, count } = instants;
	const episodes: Episode[] = [];
	const open = new Map<string, Episode>();
	const seen = new Set<string>();
	let instances: readonly Instance[] = [];
	let unknown = 0;
	const onStep = (labelSet: string, judged: Judged, standing: Standing) => {
		seen.add(labelSet);
		if (judged.breach === null && judged.hold !== true) unknown++;
		if (standing.fired_at === null) return;
		let episode = open.get(labelSet);
		if (!episode) {
			const { value, threshold } = standing;
			episode = { labelSet, start: standing.fired_at, end: null, peak: value, threshold };
			open.set(labelSet, episode);
			episodes.push(episode);
		}
		if (judged.breach === true) episode.peak = further(episode.peak, judged);
	};
	for (let done = 0; done < count; done += AT_ONCE) {
		const part: Instants = { first: first + done * step, step, count: Math.min(AT_ONCE, count - done) };
		const observed = await observe(rule, part, values, { firing: firingOf(instances) });
		const advanced = advance(rule, observed, part, instances, (labelSet, judged, standing, at) => {
			const ended = open.get(labelSet);
			if (ended && standing.fired_at !== ended.start) {
				ended.end = at;
				open.delete(labelSet);
			}
			onStep(labelSet, judged, standing);
		});
		instances = advanced.instances;
	}
	const end = (first + (count - 1) * step) * 1_000;
	episodes.sort((a, b) => a.start - b.start);
	return {
		window: { start: new Date(first * 1_000).toISOString(), end: new Date(end).toISOString() },
		...{ evaluations: count, firings: episodes.length, instances: seen.size, no_data_evaluations: unknown },
		firing_seconds: episodes.reduce((sum, one) => sum + ((one.end ?? end) - one.start) / 1_000, 0),
		episodes: episodes.slice(0, MAX_EPISODES).map((one) => ({
			...{ labels: labelsOf(rule.group_by, one.labelSet), start: new Date(one.start).toISOString() },
			end: one.end === null ? null : new Date(one.end).toISOString(),
			...{ peak_value: one.peak, threshold: one.threshold },
		})),
	};
}

function further(peak: number | null, { decider: { value, operator } }: Judged): number | null {
	if (value === null || peak === null) return value ?? peak;
	if (operator.startsWith("greater")) return Math.max(peak, value);
	return operator.startsWith("less") ? Math.min(peak, value) : peak;
}
