/** Stored patterns as patterns of an answer: those that are one are counted as one. */
import { hash } from "node:crypto";
import { unify } from "../../schema/log-patterns.ts";
import { isErrorLevel, type PatternCount, type StoredPattern, severityOf } from "../measures/log-patterns.ts";

/** A pattern of the window. */
export interface CombinedPattern extends StoredPattern {
	readonly id: string;
	readonly members: readonly PatternCount[];
	readonly count: number;
	readonly before: number;
	readonly errors: number;
	readonly last_minute: number;
	/** The most frequent first; of equals the most severe, or the first by name. */
	readonly levels: string[];
	readonly components: string[];
}

/** What each stored id stands for: the pattern of its group that was seen first. */
export interface UnifiedPattern extends StoredPattern {
	readonly id: string;
}

/** Makes one of templates that are one, whichever process stored them. */
export function unified(stored: ReadonlyMap<string, StoredPattern>): Map<string, UnifiedPattern> {
	const templates = [...stored.values()].flatMap(({ template }) => template ?? []);
	const groupOf = remembered(templates);
	const heads = new Map<string, UnifiedPattern>();
	const inOrder = [...stored].sort(([a, x], [b, y]) => x.first_seen - y.first_seen || (a < b ? -1 : 1));
	return new Map(
		inOrder.map(([id, { template, first_seen }]) => {
			const group = template === undefined ? undefined : groupOf.get(template)!;
			// Without a template an id is a group of its own.
			const key = group === undefined ? `id ${id}` : `template ${group}`;
			const head = heads.get(key) ?? { id, template: group, first_seen };
			heads.set(key, head);
			return [id, head];
		}),
	);
}

const MOST_REMEMBERED = 32;
/** What {@link unify} makes of the templates that were asked about lately, which seldom change: 80 ms for two thousand. */
const memory = new Map<string, ReturnType<typeof unify>>();

function remembered(templates: readonly string[]): ReturnType<typeof unify> {
	const sorted = [...templates].sort();
	const key = hash("sha256", sorted.join("\n"), "hex");
	const found = memory.get(key) ?? unify(sorted);
	// Asked for last, forgotten last.
	memory.delete(key);
	memory.set(key, found);
	if (memory.size > MOST_REMEMBERED) memory.delete(memory.keys().next().value!);
	return found;
}

/** Patterns with lines in the window, the most frequent first. */
export function combine(
	counts: readonly PatternCount[],
	patterns: ReadonlyMap<string, UnifiedPattern>,
): CombinedPattern[] {
	const members = new Map<string, PatternCount[]>();
	for (const row of counts) {
		const id = patterns.get(row.pattern)?.id ?? row.pattern;
		const rows = members.get(id);
		if (rows) rows.push(row);
		else members.set(id, [row]);
	}
	const sum = (rows: readonly PatternCount[], value: (row: PatternCount) => number) =>
		rows.reduce((all, row) => all + value(row), 0);
	return [...members]
		.map(([id, rows]): CombinedPattern => {
			const now = rows.filter(({ count }) => count > 0);
			const last_minute = now.reduce((latest, row) => Math.max(latest, row.last_minute), 0);
			const known = patterns.get(id) ?? { template: undefined, first_seen: last_minute };
			return {
				...{ id, template: known.template, first_seen: known.first_seen, last_minute, members: now },
				count: sum(rows, ({ count }) => count),
				before: sum(rows, ({ before }) => before),
				errors: sum(rows, ({ level, count }) => (isErrorLevel(level) ? count : 0)),
				levels: byFrequency(now, "level", (a, b) => severityOf(b) - severityOf(a)),
				components: byFrequency(now, "component", (a, b) => (a < b ? -1 : 1)).filter((name) => name !== ""),
			};
		})
		.filter(({ count }) => count > 0)
		.sort((a, b) => b.count - a.count || (a.id < b.id ? -1 : 1));
}

function byFrequency(
	rows: readonly PatternCount[],
	member: "level" | "component",
	compare: (a: string, b: string) => number,
): string[] {
	const counts = new Map<string, number>();
	for (const row of rows) counts.set(row[member], (counts.get(row[member]) ?? 0) + row.count);
	return [...counts].sort(([a, n], [b, m]) => m - n || compare(a, b)).map(([name]) => name);
}
