/** Each kind of condition, as what is known of label sets at instants. */

import { durationSeconds } from "../../../schema/duration.ts";
import type { Leaf, RateOfChangeCondition, ThresholdCondition } from "../../../schema/wire/index.ts";
import type { Trailing } from "../../time/buckets.ts";
import { type BaselineCache, observeAnomalies } from "./anomalies.ts";
import type { Found } from "./asking.ts";
import { type LeafSeen, satisfies } from "./logic.ts";
import type { Measured } from "./values.ts";

/** When a rule is evaluated: evenly spaced, epoch seconds. */
export type Instants = Omit<Trailing, "length">;

/** Values of a measure over windows; equal questions of many rules may be asked once. */
export type ValuesOf = (measured: Measured, groupBy: readonly string[], span: Trailing) => Promise<Found>;

export interface ObservedLeaf {
	/** Label sets that were seen, as JSON. */
	readonly labelSets: ReadonlySet<string>;
	/** @param firingSince when the instance that is looked at began to burn, milliseconds since the epoch; null when it does not */
	readonly look: (labelSet: string, t: number, firingSince: number | null) => LeafSeen;
}

type Observe<L extends Leaf> = (leaf: L, context: LeafContext) => Promise<ObservedLeaf>;
export interface LeafContext {
	readonly valuesOf: ValuesOf;
	readonly groupBy: readonly string[];
	readonly instants: Instants;
	/** When the label sets that burn began to, milliseconds since the epoch. */
	readonly firing: ReadonlyMap<string, number>;
	/** IANA; whose hours of the week are alike. */
	readonly timezone: string;
	/** Absent: nothing is kept for the next observation. */
	readonly cache?: BaselineCache | undefined;
}

export function observeLeaf(leaf: Leaf, context: LeafContext): Promise<ObservedLeaf> {
	return (KINDS[leaf.type] as Observe<Leaf>)(leaf, context);
}

const KINDS: { readonly [K in Leaf["type"]]: Observe<Extract<Leaf, { type: K }>> } = {
	async threshold(leaf, { valuesOf, groupBy, instants }) {
		const length = durationSeconds(leaf.timeframe);
		const found = await valuesOf(measuredOf(leaf), groupBy, { ...instants, length });
		return {
			labelSets: new Set(found.values.keys()),
			look: (labelSet, t) => compared(leaf, found.values.get(labelSet)?.get(t) ?? found.missing(t)),
		};
	},

	async rate_of_change(leaf, { valuesOf, groupBy, instants }) {
		const length = durationSeconds(leaf.timeframe);
		const before = { ...instants, first: instants.first - length, length };
		const [now, then] = await Promise.all([
			valuesOf(measuredOf(leaf), groupBy, { ...instants, length }),
			valuesOf(measuredOf(leaf), groupBy, before),
		]);
		const value = (found: Found, labelSet: string, t: number) => found.values.get(labelSet)?.get(t) ?? found.missing(t);
		return {
			labelSets: new Set([...now.values.keys(), ...then.values.keys()]),
			look: (labelSet, t) => compared(leaf, changeOf(leaf, value(then, labelSet, t - length), value(now, labelSet, t))),
		};
	},

	async absence(leaf, { valuesOf, groupBy, instants }) {
		const length = durationSeconds(leaf.timeframe);
		const last = instants.first + (instants.count - 1) * instants.step;
		// Of a label set that was never heard of nobody can say that it is missing.
		const longer = last - instants.first + Math.max(DAY_SECONDS, REMEMBERED * length);
		const [found, heard] = await Promise.all([
			valuesOf(measuredOf(leaf), groupBy, { ...instants, length }),
			groupBy.length === 0
				? undefined
				: valuesOf(measuredOf(leaf), groupBy, { first: last, step: instants.step, count: 1, length: longer }),
		]);
		return {
			labelSets: new Set([...found.values.keys(), ...(heard?.values.keys() ?? [])]),
			look(labelSet, t) {
				const isPresent = found.values.get(labelSet)?.has(t) === true;
				return { breach: !isPresent, hold: !isPresent, value: isPresent ? 1 : 0, threshold: 1, operator: "less_than" };
			},
		};
	},

	anomaly_detection: observeAnomalies,
};

const DAY_SECONDS = 86_400;
/** A label set is remembered for so many of its timeframes, a day at least. */
const REMEMBERED = 10;

function measuredOf({ metric, aggregation, event, query, filter }: Leaf): Measured {
	return { metric, aggregation, event, query, filter };
}

function compared(leaf: ThresholdCondition | RateOfChangeCondition, value: number | null): LeafSeen {
	const { operator, threshold, recovery_threshold } = leaf;
	const breach = value === null ? null : satisfies(value, operator, threshold);
	const hold =
		value === null || recovery_threshold === undefined ? breach : satisfies(value, operator, recovery_threshold);
	return { breach, hold, value, threshold, operator };
}

function changeOf({ change }: RateOfChangeCondition, before: number | null, now: number | null): number | null {
	if (before === null || now === null) return null;
	if (change === "absolute") return now - before;
	return before === 0 ? null : (100 * (now - before)) / Math.abs(before);
}
