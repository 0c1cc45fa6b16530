/** Labelled series through the rule of `anomaly_detection`, as the evaluator meets them: only the past is visible. */

import { BUCKET, type History } from "../query/measures/anomaly/baseline.ts";
import { AnomalySeries } from "../query/measures/anomaly/series.ts";
import type { Sensitivity } from "../schema/wire/index.ts";

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

/** Replays one series at each sensitivity. */
export class Replay {
	readonly #history: History;
	readonly #series: AnomalySeries;

	constructor(history: History, timezone: string) {
		this.#history = history;
		this.#series = new AnomalySeries(history, timezone);
	}

	/** Start of each alarm, epoch seconds. */
	alarms(sensitivity: Sensitivity): number[] {
		const alarms: number[] = [];
		let firing: { since: number; last: number } | undefined;
		for (const t of Array.from(this.#history.t)) {
			if (firing && t - firing.last > KEEP_FIRING_FOR) firing = undefined;
			if (this.#series.verdict(t, { sensitivity }, firing?.since)?.state !== "anomalous") continue;
			if (firing) firing.last = t;
			else {
				firing = { since: t, last: t };
				alarms.push(t);
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
}
