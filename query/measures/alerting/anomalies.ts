/** The condition `anomaly_detection`: values of every five minutes, against what is usual for each label set. */
import { durationSeconds } from "../../../schema/duration.ts";
import type { AnomalyCondition } from "../../../schema/wire/index.ts";
import { type Baseline, BUCKET, baselineOf } from "../anomaly/baseline.ts";
import { HISTORY } from "../anomaly/model.ts";
import { ANOMALY_LIMITS, baselineHour, judge, RECENT } from "../anomaly/rule.ts";
import { HOUR } from "../anomaly/season.ts";
import { ConditionError, type Found, isLasting } from "./asking.ts";
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
/** Values of one question: four weeks of many label sets are asked for part by part. */
const VALUES_AT_ONCE = 200_000;
/** A part is never shorter than an hour. */
const LEAST_BUCKETS = HOUR / BUCKET;

export async function observeAnomalies(leaf: AnomalyCondition, context: LeafContext): Promise<ObservedLeaf> {
	const { instants } = context;
	const last = instants.first + (instants.count - 1) * instants.step;
	const length = durationSeconds(leaf.timeframe);
	const from = bucketBefore(instants.first) - RECENT;
	const recent = await values(leaf, context, length, from, bucketBefore(last));
	const labelSets = new Set(recent.values.keys());
	const baselines = await baselinesOf(leaf, context, { length, hours: hoursOf(context), labelSets: labelSets.size });
	// Where things are counted, who was silent for the last hour counted 0.
	if (recent.missing(last) !== null)
		for (const known of baselines.values()) for (const labelSet of known.keys()) labelSets.add(labelSet);
	return {
		labelSets,
		look(labelSet, t, firingSince) {
			const bucket = bucketBefore(t);
			const since = firingSince === null ? undefined : firingHour(firingSince);
			const hour = baselineHour(bucket, since);
			const baseline = baselines.get(hour)?.get(labelSet) ?? null;
			const valueAt = (end: number) => recent.values.get(labelSet)?.get(end) ?? recent.missing(end);
			return judged(leaf, baseline, valueAt, bucket);
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
): Promise<Found> {
	const { metric, aggregation, event, query, filter } = leaf;
	const span = { first: first + BUCKET, step: BUCKET, count: (last - first) / BUCKET + 1, length };
	return valuesOf({ metric, aggregation, event, query, filter }, groupBy, span);
}

/** For which label sets the baseline of an hour is needed. */
type Needed = "all" | ReadonlySet<string>;

/**
 * Hours whose baselines are needed, ascending. What is wrong must not become usual while it lasts: what fires is judged as of when it
 * began, and for that hour nothing else is.
 */
function hoursOf({ instants, firing }: LeafContext): Map<number, Needed> {
	const buckets = new Set<number>();
	for (let i = 0; i < instants.count; i++) buckets.add(bucketBefore(instants.first + i * instants.step));
	const hours = new Map<number, "all" | Set<string>>();
	for (const bucket of buckets) hours.set(baselineHour(bucket), "all");
	for (const [labelSet, since_ms] of firing) {
		const since = firingHour(since_ms);
		for (const bucket of buckets) {
			const hour = baselineHour(bucket, since);
			const needed = hours.get(hour) ?? new Set<string>();
			if (needed === "all") continue;
			hours.set(hour, needed.add(labelSet));
		}
	}
	return new Map([...hours].sort(([a], [b]) => a - b));
}

/** Whether values of a label set decide about one of these: they may have fewer tags than the instances of the rule. */
function isNeeded(labelSet: string, needed: Needed): boolean {
	if (needed === "all" || needed.has(labelSet)) return true;
	const own = JSON.parse(labelSet) as string[];
	if (own.every((value) => value !== "")) return false;
	return [...needed].some((firing) => {
		const of = JSON.parse(firing) as string[];
		return own.every((value, i) => value === "" || value === of[i]);
	});
}

/** @throws ConditionError */
function assertFew(labelSets: number, hours: readonly Needed[]): void {
	const whole = hours.filter((needed) => needed === "all").length;
	const firing = hours.reduce((sum, needed) => sum + (needed === "all" ? 0 : needed.size), 0);
	if (whole * labelSets + firing <= MAX_BASELINES) return;
	const most = Math.max(0, Math.floor((MAX_BASELINES - firing) / Math.max(1, whole)));
	throw new ConditionError(
		`anomaly_detection knows ${MAX_BASELINES} baselines at once, one for each label set and hour: these are ${labelSets} label sets, and over ${whole} hours at most ${most} can be looked at`,
	);
}

interface History {
	readonly length: number;
	/** Ascending. */
	readonly hours: ReadonlyMap<number, Needed>;
	/** Of the last hour: as many are expected of each bucket before. */
	readonly labelSets: number;
}

async function baselinesOf(
	leaf: AnomalyCondition,
	context: LeafContext,
	{ length, hours, labelSets }: History,
): Promise<ReadonlyMap<number, Baselines>> {
	const { metric, aggregation, event, query, filter, timeframe } = leaf;
	const { groupBy, timezone, cache = new Map<string, Promise<Baselines>>() } = context;
	assertFew(labelSets, [...hours.values()]);
	const of = JSON.stringify([metric, aggregation, event, query, filter, timeframe, groupBy, timezone]);
	const wanted = [...hours].map(([hour, needed]) => {
		const whole = `${hour} ${of}`;
		// Those of all label sets are there as long as who learned them is the one that goes on.
		const key = needed === "all" || cache.get(whole) ? whole : `${hour} ${JSON.stringify([...needed].sort())} ${of}`;
		return { hour, needed, key };
	});
	const missing = wanted.filter(({ key }) => !cache.get(key));
	if (missing.length > 0) {
		const span = { first: missing[0]!.hour - HISTORY, last: missing.at(-1)!.hour - BUCKET };
		const history = historiesOf((first, last) => values(leaf, context, length, first, last), span, labelSets);
		// A few label sets of the last hour may be many over weeks.
		const checked = history.then((found) => {
			assertFew(
				found.size,
				missing.map(({ needed }) => needed),
			);
			return found;
		});
		for (const { hour, needed, key } of missing)
			cache.set(
				key,
				checked.then((found) => baselinesAt(found, { hour, needed, timezone })),
			);
	}
	const found = await Promise.all(wanted.map(async ({ hour, key }) => [hour, await cache.get(key)!] as const));
	return new Map(found);
}
type Histories = ReadonlyMap<string, { readonly t: number[]; readonly values: number[] }>;

/**
 * Every bucket that has a value, or stands for one, from the first of each label set on: before that nobody could have counted.
 * @param ask for the buckets that start from `first` to `last`
 */
async function historiesOf(
	ask: (first: number, last: number) => Promise<Found>,
	{ first, last }: { readonly first: number; readonly last: number },
	labelSets: number,
): Promise<Histories> {
	const histories = new Map<string, { t: number[]; values: number[] }>();
	let buckets = Math.max(LEAST_BUCKETS, Math.floor(VALUES_AT_ONCE / Math.max(1, labelSets)));
	for (let from = first; from <= last; ) {
		const to = Math.min(last, from + (buckets - 1) * BUCKET);
		let found: Found;
		try {
			found = await ask(from, to);
		} catch (error) {
			// More label sets than now, and so more values than one answer holds.
			if (!isLasting(error) || buckets <= LEAST_BUCKETS) throw error;
			buckets = Math.max(LEAST_BUCKETS, Math.floor(buckets / 4));
			continue;
		}
		for (const labelSet of new Set([...histories.keys(), ...found.values.keys()])) {
			const byEnd = found.values.get(labelSet);
			const known = histories.get(labelSet);
			const history = known ?? { t: [], values: [] };
			histories.set(labelSet, history);
			const begins = known
				? from + BUCKET
				: [...byEnd!.keys()].reduce((least, end) => Math.min(least, end), to + BUCKET);
			for (let end = begins; end <= to + BUCKET; end += BUCKET) {
				const value = byEnd?.get(end) ?? found.missing(end);
				if (value === null) continue;
				history.t.push(end - BUCKET);
				history.values.push(value);
			}
		}
		from = to + BUCKET;
	}
	return histories;
}

async function baselinesAt(
	histories: Histories,
	{ hour, needed, timezone }: { readonly hour: number; readonly needed: Needed; readonly timezone: string },
): Promise<Baselines> {
	const made = new Map<string, Baseline | null>();
	for (const [labelSet, history] of histories) {
		if (!isNeeded(labelSet, needed)) continue;
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
	valueAt: (end: number) => number | null,
	bucket: number,
): LeafSeen {
	const value = valueAt(bucket + BUCKET);
	if (value === null) return UNKNOWN;
	const t: number[] = [];
	const recent: number[] = [];
	for (let at = bucket - HOUR + BUCKET; at <= bucket; at += BUCKET) {
		const one = valueAt(at + BUCKET);
		if (one === null) continue;
		t.push(at);
		recent.push(one);
	}
	const { sensitivity, minimum_deviation } = leaf;
	const verdict = judge(baseline, { t, values: recent }, leaf);
	// Too little history to tell: that is not known, and never fires.
	if (verdict.state === "insufficient_history") return { ...UNKNOWN, value };
	const isAbove = verdict.z > 0;
	const breach = verdict.state === "anomalous";
	const allowed = Math.max(ANOMALY_LIMITS[sensitivity].z, minimum_deviation ?? 0) * verdict.scale;
	const bound = verdict.expected + (isAbove ? allowed : -allowed);
	// Where the value lies on the bound, rounding must not put it on the wrong side.
	const threshold = breach ? (isAbove ? Math.min(bound, value) : Math.max(bound, value)) : bound;
	const operator = isAbove ? "greater_than_or_equal" : "less_than_or_equal";
	return { breach, hold: breach, value, threshold, operator };
}
