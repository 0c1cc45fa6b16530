/** Patterns of silences: `*` is any text, `?` one character, `|` stands between alternatives; the whole text has to match. */

/** In time proportional to both lengths at most, whatever the pattern. `.*` counts as `*`. */
export function matchesWildcard(pattern: string, text: string): boolean {
	return pattern.split("|").some((alternative) => matchesOne(alternative.replaceAll(".*", "*"), text));
}

function matchesOne(pattern: string, text: string): boolean {
	let p = 0;
	let star = -1;
	let resume = 0;
	for (let t = 0; t < text.length; ) {
		if (pattern[p] === "*") {
			star = p++;
			resume = t;
		} else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
			p++;
			t++;
		} else if (star >= 0) {
			// The star takes one more character; stars before it need not be tried again.
			p = star + 1;
			t = ++resume;
		} else return false;
	}
	while (pattern[p] === "*") p++;
	return p === pattern.length;
}
