/**
 * Grouping accuracy (Zhu et al., "Tools and Benchmarks for Automated Log Parsing", 2019): the share of lines whose group holds exactly the
 * lines of their true template. A group that has a line too many or too few counts for nothing.
 */
export function groupingAccuracy(truth: readonly string[], found: readonly string[]): number {
	if (truth.length === 0) return 1;
	const sizes = new Map<string, number>();
	for (const event of truth) sizes.set(event, (sizes.get(event) ?? 0) + 1);
	const groups = new Map<string, Set<string>>();
	const counts = new Map<string, number>();
	for (const [i, group] of found.entries()) {
		groups.set(group, (groups.get(group) ?? new Set()).add(truth[i]!));
		counts.set(group, (counts.get(group) ?? 0) + 1);
	}
	let right = 0;
	for (const [group, events] of groups) {
		const [event] = events;
		if (events.size === 1 && sizes.get(event!) === counts.get(group)) right += counts.get(group)!;
	}
	return right / truth.length;
}
