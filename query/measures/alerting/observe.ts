/** A whole rule at many instants: its label sets, and how its conditions stand for each. */
import { type AlertRule, type Leaf, leavesOf } from "../../../schema/wire/index.ts";
import type { BaselineCache } from "./anomalies.ts";
import { ConditionError } from "./asking.ts";
import { type Instants, type ObservedLeaf, observeLeaf, type ValuesOf } from "./leaves.ts";
import { type Judged, judge } from "./logic.ts";

/** More instances than this are a tag that tells requests apart, not parts of a system. */
export const MAX_INSTANCES = 1_000;

/** What of a rule decides what it sees. */
export type Watching = Pick<AlertRule, "conditions" | "logic" | "group_by" | "timezone">;

export interface Observed {
	/** Values of `group_by`, as JSON; `[]` alone of a rule without. */
	readonly labelSets: readonly string[];
	/** @param firingSince when the instance began to burn, milliseconds since the epoch; null when it does not */
	readonly judge: (labelSet: string, t: number, firingSince: number | null) => Judged;
}

export interface ObserveOptions {
	/** When the label sets that burn began to, milliseconds since the epoch. */
	readonly firing?: ReadonlyMap<string, number>;
	readonly cache?: BaselineCache | undefined;
}

/**
 * Asks for all that the conditions of a rule are about.
 * @throws ConditionError, RetentionError, and what `valuesOf` throws
 */
export async function observe(
	rule: Watching,
	instants: Instants,
	valuesOf: ValuesOf,
	{ firing = new Map(), cache }: ObserveOptions = {},
): Promise<Observed> {
	const leaves = leavesOf(rule.conditions);
	const context = { valuesOf, groupBy: rule.group_by, instants, firing, timezone: rule.timezone, cache };
	const found = await Promise.all(leaves.map((leaf) => observeLeaf(leaf, context)));
	const shared = found.map((one) => new Shared(one, rule.group_by.length));
	const byLeaf = new Map<Leaf, Shared>(leaves.map((leaf, i) => [leaf, shared[i]!]));
	const labelSets = labelSetsOf(shared, rule.group_by.length);
	if (labelSets.length > MAX_INSTANCES)
		throw new ConditionError(
			`${labelSets.length} label sets, at most ${MAX_INSTANCES}: group by fewer tags, or filter`,
		);
	return {
		labelSets,
		judge: (labelSet, t, firingSince) =>
			judge(rule.conditions, rule.logic, (leaf) => byLeaf.get(leaf)!.look(labelSet, t, firingSince)),
	};
}

/**
 * A condition among others of a rule with `group_by`. A tag that none of its records has tells nothing apart for it: what it says
 * holds for every value of that tag.
 */
class Shared {
	readonly tuples: readonly (readonly string[])[];
	/** By place in `group_by`. */
	readonly has: readonly boolean[];
	readonly #leaf: ObservedLeaf;

	constructor(leaf: ObservedLeaf, tags: number) {
		this.#leaf = leaf;
		this.tuples = [...leaf.labelSets].map((key) => JSON.parse(key) as string[]);
		this.has = Array.from({ length: tags }, (_, i) => this.tuples.some((tuple) => tuple[i] !== ""));
	}

	look(labelSet: string, t: number, firingSince: number | null) {
		if (this.tuples.length === 0 || this.has.every(Boolean)) return this.#leaf.look(labelSet, t, firingSince);
		const own = (JSON.parse(labelSet) as string[]).map((value, i) => (this.has[i] ? value : ""));
		return this.#leaf.look(JSON.stringify(own), t, firingSince);
	}
}

function labelSetsOf(leaves: readonly Shared[], tags: number): string[] {
	if (tags === 0) return ["[]"];
	const found = new Set<string>();
	for (const leaf of leaves) {
		// Whoever knows less tags only says something about the label sets of one that knows more.
		const isBroader = leaves.some(
			(other) => other.has.some((has, i) => has && !leaf.has[i]) && leaf.has.every((has, i) => !has || other.has[i]!),
		);
		if (!isBroader) for (const tuple of leaf.tuples) found.add(JSON.stringify(tuple));
	}
	return [...found].sort();
}
