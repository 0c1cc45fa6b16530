/** Paths to one value in a JSON document: the singular queries of RFC 9535, which no document can make slow. */

export const PATH_SYNTAX = "$.name, $['any name'], $.list[0], $.list[-1]";

const STEP =
	/\.([A-Za-z_\u0080-\uffff][\w\u0080-\uffff-]*)|\[(-?\d{1,9})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]/y;

/** @returns undefined when it is no such path */
export function parseJsonPath(text: string): (string | number)[] | undefined {
	if (!text.startsWith("$")) return undefined;
	const steps: (string | number)[] = [];
	for (let at = 1; at < text.length; at = STEP.lastIndex) {
		STEP.lastIndex = at;
		const found = STEP.exec(text);
		if (!found) return undefined;
		const [, name, index, single, double] = found;
		const quoted = single ?? double;
		steps.push(index !== undefined ? Number(index) : (name ?? quoted!.replace(/\\(.)/g, "$1")));
	}
	return steps;
}

/** The value at a path; undefined when the document has none there. An index from the end is negative. */
export function valueAt(document: unknown, steps: readonly (string | number)[]): unknown {
	let value = document;
	for (const step of steps) {
		if (typeof step === "number") {
			if (!Array.isArray(value)) return undefined;
			value = value.at(step);
		} else {
			// Own members only: `constructor` is in no document.
			if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, step)) {
				return undefined;
			}
			value = (value as Record<string, unknown>)[step];
		}
	}
	return value;
}
