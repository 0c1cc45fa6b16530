/** Stack traces of any usual language, as text, into the chain of errors that they show. */
import { CALLS } from "./calls.ts";
import { GO } from "./go.ts";
import { OTHER } from "./other.ts";
import { PHP } from "./php.ts";
import { PYTHON } from "./python.ts";
import { RUBY } from "./ruby.ts";
import { RUST } from "./rust.ts";
import type { Dialect, Frame, StackError } from "./types.ts";

export type { Frame, StackError } from "./types.ts";

/** No pattern sees more of a line, so that none can take long over it, whatever somebody sends. */
const LINE_CHARACTERS = 1_024;
const ERRORS = 16;

/** In this order: what is looser comes later. */
const DIALECTS: readonly Dialect[] = [PYTHON, GO, RUST, PHP, RUBY, CALLS];

/**
 * The errors of a trace, the outermost first; empty when it shows no call. Takes time in proportion to the text.
 */
export function parseStack(text: string): StackError[] {
	const lines = text
		.split(/\r?\n/)
		.map((line) => (line.length > LINE_CHARACTERS ? line.slice(0, LINE_CHARACTERS) : line));
	const dialect = firstOf(lines, DIALECTS) ?? firstOf(lines, [OTHER]);
	const errors = dialect?.read(lines) ?? [];
	if (errors.every(({ frames }) => frames.length === 0)) return [];
	return errors.slice(0, ERRORS);
}

function firstOf(lines: readonly string[], dialects: readonly Dialect[]): Dialect | undefined {
	for (const line of lines) {
		if (line.length < 4) continue;
		const found = dialects.find((dialect) => dialect.starts(line));
		if (found) return found;
	}
	return undefined;
}

/** The call that an error is best known by: the first of the program's own, or else the first of all. Empty when there is none. */
export function culpritOf(errors: readonly StackError[]): string {
	const frames = errors.flatMap((error) => error.frames);
	const frame: Frame | undefined = frames.find(({ inApp }) => inApp) ?? frames[0];
	if (!frame) return "";
	const { module, function: called } = frame;
	return (module && called ? `${called} (${module})` : called || module).slice(0, 500);
}
