/** What a viewer of metrics asked for, and the values it gets of what became durable. */
import { badParameter } from "../../http/errors.ts";
import { FAMILIES } from "../../schema/conventions/index.ts";
import type { LivePart } from "../../schema/live/frames.ts";
import { isPattern, nameMatcher } from "../../schema/live/patterns.ts";
import type { Signals } from "../measures/signals.ts";
import { nearMatches } from "../near.ts";
import { quotient } from "../quotient.ts";
import { significant } from "../rounding.ts";
import { CATALOGUE, type CatalogueEntry, type LiveAggregation } from "./catalogue.ts";

export interface Subscription {
	/** Sorted, each once: two of the same names are one subscription. */
	readonly names: readonly string[];
	readonly interval_seconds: number;
}

/** A metric that a subscription shows. */
export interface Output {
	readonly metric: string;
	/** Of a metric as it was sent it depends on its kind. */
	readonly value: (
		parts: readonly LivePart[],
		interval_seconds: number,
	) => { readonly value: number | null; readonly aggregation: LiveAggregation };
}

const ENTRIES = new Map(CATALOGUE.map((entry) => [entry.name, entry]));
/** Aggregations of `name:aggregation` that need no percentiles. */
const AGGREGATIONS = ["avg", "sum", "min", "max", "count", "last", "rate"] as const;
type Aggregation = (typeof AGGREGATIONS)[number];

export function subscriptionOf(names: readonly string[], interval_seconds: number): Subscription {
	return { names: [...new Set(names)].sort(), interval_seconds };
}

/** Metrics of a pattern or a name that are worked out of others. */
function entriesOf(names: readonly string[]): CatalogueEntry[] {
	const matches = nameMatcher(names);
	return CATALOGUE.filter(({ name }) => matches(name));
}

/** Names that stand for themselves: patterns, and metrics as they are sent. */
function sentNames(names: readonly string[]): string[] {
	return names.filter((name) => !ENTRIES.has(name));
}

/** `name:aggregation`. A name may have colons of its own: only what is left of the last one counts. */
function splitAggregation(name: string): { readonly metric: string; readonly aggregation: Aggregation } | undefined {
	const colon = name.lastIndexOf(":");
	const aggregation = AGGREGATIONS.find((known) => known === name.slice(colon + 1));
	return colon > 0 && aggregation !== undefined ? { metric: name.slice(0, colon), aggregation } : undefined;
}

/** Names that ingest has to send for a subscription. */
export function interestOf({ names }: Subscription): string[] {
	const sources = entriesOf(names).flatMap((entry) => entry.sources);
	const sent = sentNames(names).flatMap((name) => [name, metricOf(name)]);
	return [...new Set([...sources, ...sent])];
}

/** Finds the metrics of a subscription that a record is part of; what it found is remembered by name. */
export class Outputs {
	readonly #entries: readonly CatalogueEntry[];
	readonly #suffixed: readonly { readonly name: string; readonly metric: string; readonly aggregation: Aggregation }[];
	readonly #matches: (name: string) => boolean;
	readonly #byName = new Map<string, readonly Output[]>();
	readonly #made = new Map<string, Output>();

	constructor({ names }: Subscription) {
		const sent = sentNames(names);
		this.#entries = entriesOf(names);
		this.#matches = nameMatcher(sent);
		this.#suffixed = sent.flatMap((name) => {
			const split = splitAggregation(name);
			return split ? [{ name, ...split }] : [];
		});
	}

	of(name: string): readonly Output[] {
		let outputs = this.#byName.get(name);
		if (!outputs) {
			outputs = [
				...this.#entries.filter((entry) => entry.sources.includes(name)).map((entry) => this.#worked(entry)),
				// What the catalogue calls by this name is not what was sent by it.
				...(this.#matches(name) && !ENTRIES.has(name) ? [{ metric: name, value: asSent }] : []),
				...this.#suffixed
					.filter(({ metric }) => metric === name)
					.map(({ name: metric, aggregation }): Output => ({ metric, value: aggregated(aggregation) })),
			];
			this.#byName.set(name, outputs);
		}
		return outputs;
	}

	/** One and the same for all its sources. */
	#worked({ name, value, aggregation }: CatalogueEntry): Output {
		let output = this.#made.get(name);
		if (!output) {
			output = {
				metric: name,
				value: (parts, interval_seconds) => ({ value: value(parts, interval_seconds), aggregation }),
			};
			this.#made.set(name, output);
		}
		return output;
	}
}

/** The usual value of a kind: increases as a rate a second, observations as their mean, everything else as the last value. */
function asSent(parts: readonly LivePart[], interval_seconds: number) {
	const kinds = new Set(parts.map(({ kind }) => kind));
	if (kinds.has("counter") || kinds.has("cumulative")) return aggregated("rate")(parts, interval_seconds);
	return aggregated(kinds.has("gauge") ? "last" : "avg")(parts, interval_seconds);
}

function aggregated(aggregation: Aggregation) {
	return (parts: readonly LivePart[], interval_seconds: number) => ({
		value: aggregate(parts, aggregation, interval_seconds),
		aggregation: (aggregation === "avg" ? "mean" : aggregation) as LiveAggregation,
	});
}

function aggregate(parts: readonly LivePart[], aggregation: Aggregation, interval_seconds: number): number | null {
	if (parts.length === 0) return null;
	const count = parts.reduce((sum, { n }) => sum + n, 0);
	// An event has no value: its sum is how many there were.
	const sum = parts.reduce((total, part) => total + (part.signal === "event" ? part.n : part.sum), 0);
	switch (aggregation) {
		case "avg":
			return quotient(sum, count);
		case "sum":
			return sum;
		case "min":
			return parts.reduce((min, part) => Math.min(min, part.min), Number.POSITIVE_INFINITY);
		case "max":
			return parts.reduce((max, part) => Math.max(max, part.max), Number.NEGATIVE_INFINITY);
		case "count":
			return count;
		case "rate":
			return significant(sum / interval_seconds);
		case "last":
			return parts.reduce((last, part) => (part.last_at >= last.last_at ? part : last)).last;
	}
}

/** Names and patterns of one subscription, and the text of one. */
export const MAX_NAMES = 100;
const MAX_NAME_LENGTH = 250;

/** @throws ApiError 400 */
export function assertNames(names: readonly string[]): void {
	const refuse = (provided: unknown, reason: string) => {
		throw badParameter({ parameter: "metrics", provided, valid_options: CATALOGUE.map(({ name }) => name), reason });
	};
	if (names.length === 0) refuse([], "Name at least one metric or pattern");
	if (names.length > MAX_NAMES) refuse(`${names.length} names`, `At most ${MAX_NAMES} names or patterns`);
	const long = names.find((name) => name.length > MAX_NAME_LENGTH || name === "");
	if (long !== undefined) refuse(long.slice(0, 50), `A name has 1 to ${MAX_NAME_LENGTH} characters`);
}

/** Names of records that mean something, whether or not they were sent yet. */
const CONVENTIONAL = new Set(
	FAMILIES.flatMap(({ records }) => records).flatMap(({ name, compatible = [] }) => [
		name,
		...compatible.filter(({ accepted }) => accepted).map((other) => other.name),
	]),
);

/** Names of which nobody can say that they are right without looking up what was ever sent. */
export function namesToLookUp(names: readonly string[]): string[] {
	return sentNames(names).filter((name) => !isPattern(name) && !CONVENTIONAL.has(metricOf(name)));
}

/**
 * Refuses a name that was never sent: it is more often misspelt than early, and a stream that stays silent does not say which.
 * @param names of {@link namesToLookUp}
 * @throws ApiError 400 with the nearest names
 */
export function assertSent(names: readonly string[], signals: Signals): void {
	for (const name of names) {
		const metric = metricOf(name);
		if (signals.hasMetric(name, metric) || signals.hasEvent(name, metric)) continue;
		const known = [...ENTRIES.keys(), ...signals.names("metric"), ...signals.names("event")];
		throw badParameter({
			...{ parameter: "metrics", provided: name, valid_options: nearMatches(metric, known) },
			message: `Unknown metric ${metric}`,
			reason: `No metric of this name was ever sent; valid_options are the nearest that were. To wait for one that will be, subscribe to a pattern such as ${metric}*`,
		});
	}
}

function metricOf(name: string): string {
	return splitAggregation(name)?.metric ?? name;
}
