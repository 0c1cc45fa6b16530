/** The condition `anomaly_detection`: values of every five minutes, against what is usual for each label set. */
import { durationSeconds } from "../../../schema/duration.ts";
import type { AnomalyCondition } from "../../../schema/wire/index.ts";
import { type Baseline, BUCKET, baselineOf } from "../anomaly/baseline.ts";
import { HISTORY } from "../anomaly/model.ts";
import { ANOMALY_LIMITS, baselineHour, judge, RECENT } from "../anomaly/rule.ts";
import { DAY, HOUR } from "../anomaly/season.ts";
import { ConditionError, type Values } from "./asking.ts";
import type { LeafContext, ObservedLeaf } from "./leaves.ts";
import type { LeafSeen } from "./logic.ts";

/** By label set; null where there is too little history. */
export type Baselines = ReadonlyMap<string, Baseline | null>;

/** Baselines are good for an hour: what evaluates every minute keeps them. */
export interface BaselineCache {
	get(key: string): Promise<Baselines> | undefined;
	set(key: string, baselines: Promise<Baselines>): void;
}

/** Each is some milliseconds of this thread, during which nobody else is answered. */
const MAX_BASELINES = 1_000;

export async function observeAnomalies(leaf: AnomalyCondition, context: LeafContext): Promise<ObservedLeaf> {
	const { instants, firing } = context;
	const last = instants.first + (instants.count - 1) * instants.step;
	const length = durationSeconds(leaf.timeframe);
	const from = bucketBefore(instants.first) - RECENT;
	const recent = await values(leaf, context, length, from, bucketBefore(last));
	const hours = new Set<number>();
	for (let i = 0; i < instants.count; i++) hours.add(baselineHour(bucketBefore(instants.first + i * instants.step)));
	// What is wrong must not become usual while it lasts: what fires is judged as of when it began.
	for (const since of firing.values()) if (instants.first - since / 1_000 < DAY) hours.add(firingHour(since));
	const labelSets = new Set(recent.keys());
	if (hours.size * Math.max(1, labelSets.size) > MAX_BASELINES)
		throw new ConditionError(
			`anomaly_detection of ${labelSets.size} label sets over ${hours.size} hours: at most ${MAX_BASELINES} baselines at once`,
		);
	const baselines = await baselinesOf(
		leaf,
		context,
		length,
		[...hours].sort((a, b) => a - b),
	);
	return {
		labelSets,
		look(labelSet, t, firingSince) {
			const bucket = bucketBefore(t);
			const since = firingSince === null ? undefined : firingHour(firingSince);
			const hour = baselineHour(bucket, since);
			const baseline = baselines.get(hour)?.get(labelSet) ?? null;
			return judged(leaf, baseline, recent.get(labelSet), bucket);
		},
	};
}

/** Start of the last whole bucket before an instant. */
function bucketBefore(t: number): number {
	return Math.floor(t / BUCKET) * BUCKET - BUCKET;
}

/** The hour of the bucket that was under test when it began to fire. */
function firingHour(since_ms: number): number {
	return baselineHour(bucketBefore(since_ms / 1_000));
}

/** Values by start of the bucket; with a timeframe of more than a bucket each is of the time that ends with it. */
async function values(
	leaf: AnomalyCondition,
	{ valuesOf, groupBy }: LeafContext,
	length: number,
	first: number,
	last: number,
): Promise<Values> {
	const { metric, aggregation, event, query, filter } = leaf;
	const span = { first: first + BUCKET, step: BUCKET, count: (last - first) / BUCKET + 1, length };
	return (await valuesOf({ metric, aggregation, event, query, filter }, groupBy, span)).values;
}

async function baselinesOf(
	leaf: AnomalyCondition,
	context: LeafContext,
	length: number,
	hours: readonly number[],
): Promise<ReadonlyMap<number, Baselines>> {
	const { metric, aggregation, event, query, filter, timeframe } = leaf;
	const { groupBy, timezone, cache } = context;
	const of = JSON.stringify([metric, aggregation, event, query, filter, timeframe, groupBy, timezone]);
	const missing = hours.filter((hour) => !cache?.get(`${hour} ${of}`));
	if (missing.length > 0) {
		const history = values(leaf, context, length, missing[0]! - HISTORY, missing.at(-1)! - BUCKET).then(compacted);
		for (const hour of missing) {
			const made = history.then((found) => baselinesAt(found, hour, timezone));
			if (cache) cache.set(`${hour} ${of}`, made);
			else local(context).set(`${hour} ${of}`, made);
		}
	}
	const found = await Promise.all(
		hours.map(async (hour) => [hour, await (cache ?? local(context)).get(`${hour} ${of}`)!] as const),
	);
	return new Map(found);
}

/** Of one observation only. */
const LOCAL = new WeakMap<LeafContext, Map<string, Promise<Baselines>>>();
function local(context: LeafContext): Map<string, Promise<Baselines>> {
	const known = LOCAL.get(context) ?? new Map<string, Promise<Baselines>>();
	LOCAL.set(context, known);
	return known;
}

type Histories = ReadonlyMap<string, { readonly t: Float64Array; readonly values: Float64Array }>;

function compacted(found: Values): Histories {
	return new Map(
		[...found].map(([labelSet, byEnd]) => {
			const sorted = [...byEnd].sort(([a], [b]) => a - b);
			const t = Float64Array.from(sorted, ([end]) => end - BUCKET);
			return [labelSet, { t, values: Float64Array.from(sorted, ([, value]) => value) }];
		}),
	);
}

async function baselinesAt(histories: Histories, hour: number, timezone: string): Promise<Baselines> {
	const made = new Map<string, Baseline | null>();
	for (const [labelSet, history] of histories) {
		// Others have their turn between two.
		await new Promise((resolve) => setImmediate(resolve));
		made.set(labelSet, baselineOf(history, hour, timezone));
	}
	return made;
}

const UNKNOWN: LeafSeen = { breach: null, hold: null, value: null, threshold: null, operator: "greater_than_or_equal" };

function judged(
	leaf: AnomalyCondition,
	baseline: Baseline | null,
	byEnd: ReadonlyMap<number, number> | undefined,
	bucket: number,
): LeafSeen {
	const value = byEnd?.get(bucket + BUCKET);
	if (value === undefined) return UNKNOWN;
	const t: number[] = [];
	const recent: number[] = [];
	for (let at = bucket - HOUR + BUCKET; at <= bucket; at += BUCKET) {
		const one = byEnd!.get(at + BUCKET);
		if (one === undefined) continue;
		t.push(at);
		recent.push(one);
	}
	const { sensitivity, minimum_deviation, direction } = leaf;
	const verdict = judge(baseline, { t, values: recent }, { sensitivity, minimum_deviation });
	// Too little history to tell: that is not known, and never fires.
	if (verdict.state === "insufficient_history") return { ...UNKNOWN, value };
	const isAbove = verdict.z > 0;
	const breach = verdict.state === "anomalous" && (direction === "both" || isAbove === (direction === "above"));
	const allowed = Math.max(ANOMALY_LIMITS[sensitivity].z, minimum_deviation ?? 0) * verdict.scale;
	const bound = verdict.expected + (isAbove ? allowed : -allowed);
	// Where the value lies on the bound, rounding must not put it on the wrong side.
	const threshold = breach ? (isAbove ? Math.min(bound, value) : Math.max(bound, value)) : bound;
	const operator = isAbove ? "greater_than_or_equal" : "less_than_or_equal";
	return { breach, hold: breach, value, threshold, operator };
}
