/** One series under the rule `anomaly_detection`, at as many instants as are asked for. */
import { type Baseline, BUCKET, baselineOf, type History } from "./baseline.ts";
import { HISTORY } from "./model.ts";
import { lowerBound } from "./robust.ts";
import { type AnomalyRule, type AnomalyVerdict, baselineHour, judge, RECENT } from "./rule.ts";

/** Keeps the baseline of every hour that was asked about. Nothing later than the bucket under test has a say. */
export class AnomalySeries {
	readonly #history: History;
	readonly #timezone: string;
	readonly #baselines = new Map<number, Baseline | null>();

	/** @param history the buckets under test, the hour and the four weeks before them */
	constructor(history: History, timezone: string) {
		this.#history = history;
		this.#timezone = timezone;
	}

	/**
	 * @param t start of the bucket under test, epoch seconds
	 * @param firingSince start of the bucket with which the firing began that goes on
	 * @returns null when the bucket has no value
	 */
	verdict(t: number, rule: AnomalyRule, firingSince?: number): AnomalyVerdict | null {
		const at = lowerBound(this.#history.t, t);
		if (this.#history.t[at] !== t) return null;
		const recent = this.#between(t - RECENT + BUCKET, t + BUCKET);
		return judge(this.#baselineAt(baselineHour(t, firingSince)), recent, rule);
	}

	#baselineAt(hour: number): Baseline | null {
		let baseline = this.#baselines.get(hour);
		if (baseline === undefined) {
			baseline = baselineOf(this.#between(hour - HISTORY, hour), hour, this.#timezone);
			this.#baselines.set(hour, baseline);
		}
		return baseline;
	}

	/** The buckets that start within `[from, to)`. */
	#between(from: number, to: number): History {
		const { t, values } = this.#history;
		const [first, end] = [lowerBound(t, from), lowerBound(t, to)];
		const part = (list: ArrayLike<number>) => Float64Array.from({ length: end - first }, (_, i) => list[first + i]!);
		return { t: part(t), values: part(values) };
	}
}
