/**
 * Regular expressions that anybody may write, as those of Prometheus and Alertmanager: RE2 syntax, for the whole text, `.` is any
 * character. They take time in proportion to the text, whatever the expression; one that is too big is refused.
 */
import { RE2JS } from "re2js";

/** Instructions of the compiled expression; each may be looked at once for each character. */
const MAX_SIZE = 2_000;
/** Compiled ones that are kept. */
const KEPT = 1_000;
const kept = new Map<string, RE2JS>();

/** @returns why an expression cannot be used; undefined when it can */
export function patternTrouble(expression: string): string | undefined {
	try {
		compiled(expression);
		return undefined;
	} catch (error) {
		// The flag is ours.
		return (error as Error).message.replace("(?s)", "");
	}
}

/** Whether the expression, which is one that can be used, matches the whole text. */
export function matchesPattern(expression: string, text: string): boolean {
	return compiled(expression).testExact(text);
}

function compiled(expression: string): RE2JS {
	const known = kept.get(expression);
	if (known) return known;
	const made = RE2JS.compile(expression, RE2JS.DOTALL);
	if (made.programSize() > MAX_SIZE) throw new RangeError("the expression is too big");
	if (kept.size >= KEPT) kept.delete(kept.keys().next().value!);
	kept.set(expression, made);
	return made;
}
