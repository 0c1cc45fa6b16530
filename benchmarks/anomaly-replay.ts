/** Labelled series through the rule of `anomaly_detection`, as the evaluator meets them: only the past is visible. */

import { type Baseline, BUCKET, baselineOf, type History } from "../query/measures/anomaly/baseline.ts";
import { HISTORY } from "../query/measures/anomaly/model.ts";
import { lowerBound } from "../query/measures/anomaly/robust.ts";
import { baselineHour, judge, RECENT, type Sensitivity } from "../query/measures/anomaly/rule.ts";

/** `[start, end]`, epoch seconds, both included. */
export type LabelledWindow = readonly [start: number, end: number];

/** A firing ends when it was not anomalous for so many seconds: `keep_firing_for`. `for` is 0: agreement is part of the rule. */
export const KEEP_FIRING_FOR = 3_600;

export interface Outcome {
	readonly windows: number;
	/** Windows in which an alarm began. */
	readonly found: number;
	/** Alarms that began outside of every window. */
	readonly falseAlarms: number;
	readonly weeks: number;
}

/** Buckets of five minutes, each the mean of its points, from points in any order. */
export function bucketed(points: readonly (readonly [t: number, value: number])[]): History {
	const sums = new Map<number, { sum: number; n: number }>();
	for (const [t, value] of points) {
		const bucket = Math.floor(t / BUCKET) * BUCKET;
		const known = sums.get(bucket) ?? { sum: 0, n: 0 };
		sums.set(bucket, { sum: known.sum + value, n: known.n + 1 });
	}
	const t = [...sums.keys()].sort((a, b) => a - b);
	return { t, values: t.map((bucket) => sums.get(bucket)!.sum / sums.get(bucket)!.n) };
}

/** Replays one series at each sensitivity. Baselines are remade every hour, from the buckets before that hour. */
export class Replay {
	readonly #history: History;
	readonly #timezone: string;
	readonly #baselines = new Map<number, Baseline | null>();

	constructor(history: History, timezone: string) {
		this.#history = history;
		this.#timezone = timezone;
	}

	/** Start of each alarm, epoch seconds. */
	alarms(sensitivity: Sensitivity): number[] {
		const { t, values } = this.#history;
		const alarms: number[] = [];
		let firing: { since: number; last: number } | undefined;
		for (let i = 0; i < t.length; i++) {
			const at = t[i]!;
			if (firing && at - firing.last > KEEP_FIRING_FOR) firing = undefined;
			const baseline = this.#baselineAt(baselineHour(at, firing?.since));
			const from = lowerBound(t, at - RECENT + BUCKET);
			const recent = { t: slice(t, from, i + 1), values: slice(values, from, i + 1) };
			if (judge(baseline, recent, { sensitivity }).state !== "anomalous") continue;
			if (firing) firing.last = at;
			else {
				firing = { since: at, last: at };
				alarms.push(at);
			}
		}
		return alarms;
	}

	outcome(sensitivity: Sensitivity, windows: readonly LabelledWindow[]): Outcome {
		const { t } = this.#history;
		const alarms = this.alarms(sensitivity);
		const within = (at: number, [start, end]: LabelledWindow) => at + BUCKET > start && at <= end;
		return {
			windows: windows.length,
			found: windows.filter((window) => alarms.some((at) => within(at, window))).length,
			falseAlarms: alarms.filter((at) => !windows.some((window) => within(at, window))).length,
			weeks: t.length === 0 ? 0 : (t[t.length - 1]! + BUCKET - t[0]!) / (7 * 86_400),
		};
	}

	#baselineAt(hour: number): Baseline | null {
		let baseline = this.#baselines.get(hour);
		if (baseline === undefined) {
			// What the evaluator reads: the four weeks before, and nothing later.
			const { t, values } = this.#history;
			const [from, to] = [lowerBound(t, hour - HISTORY), lowerBound(t, hour)];
			baseline = baselineOf({ t: slice(t, from, to), values: slice(values, from, to) }, hour, this.#timezone);
			this.#baselines.set(hour, baseline);
		}
		return baseline;
	}
}

function slice(list: ArrayLike<number>, from: number, to: number): Float64Array {
	return Float64Array.from({ length: to - from }, (_, i) => list[from + i]!);
}
