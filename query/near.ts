/** Names that someone who wrote `name` may have meant, nearest first. */
export function nearMatches(name: string, known: readonly string[], limit = 5): string[] {
	const wanted = name.toLowerCase();
	return known
		.map((candidate) => ({ candidate, distance: distanceTo(wanted, candidate.toLowerCase()) }))
		.filter(({ distance }) => distance <= Math.max(3, wanted.length / 2))
		.sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
		.slice(0, limit)
		.map(({ candidate }) => candidate);
}

/** Levenshtein's distance, but half a step for what is contained: `latency` is near `api.latency`. */
function distanceTo(wanted: string, candidate: string): number {
	if (candidate.includes(wanted) || wanted.includes(candidate)) return 0.5;
	let previous = Array.from({ length: candidate.length + 1 }, (_, i) => i);
	for (let i = 1; i <= wanted.length; i++) {
		const current = [i];
		for (let j = 1; j <= candidate.length; j++) {
			const substitution = previous[j - 1]! + (wanted[i - 1] === candidate[j - 1] ? 0 : 1);
			current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution));
		}
		previous = current;
	}
	return previous[candidate.length]!;
}
