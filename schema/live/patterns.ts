/** Names by pattern: `*` stands for any text, everything else for itself. */

export function isPattern(name: string): boolean {
	return name.includes("*");
}

/** Whether a name is one of these, or fits one of these patterns. */
export function nameMatcher(names: readonly string[]): (name: string) => boolean {
	const exact = new Set(names.filter((name) => !isPattern(name)));
	const patterns = names.filter(isPattern).map((pattern) => pattern.split("*"));
	if (patterns.length === 0) return (name) => exact.has(name);
	return (name) => exact.has(name) || patterns.some((pieces) => fits(name, pieces));
}

/** Greedy from left to right: no pattern takes longer than its pieces times the name, whatever a client sends. */
function fits(name: string, pieces: readonly string[]): boolean {
	const first = pieces[0]!;
	const last = pieces.at(-1)!;
	if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
	let at = first.length;
	const end = name.length - last.length;
	for (const piece of pieces.slice(1, -1)) {
		const found = name.indexOf(piece, at);
		if (found === -1 || found + piece.length > end) return false;
		at = found + piece.length;
	}
	return true;
}
