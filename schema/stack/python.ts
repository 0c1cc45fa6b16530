/** Python: the call that threw comes last, and so does the error that was not caught. */
import { moduleOf } from "./place.ts";
import { type Dialect, type Frame, type OpenError, openError, type StackError } from "./types.ts";

const FRAME = /^\s*File "([^"]{1,500})", line \d{1,10}(?:,? in (.{1,300}))?$/;
const HEADER = /^(?:Exception Group )?Traceback \(most recent call last\):/;
const LIBRARY =
	/(?:site|dist)-packages|[\\/]lib[\\/]python\d|[\\/]python\d[\w.]*[\\/]lib[\\/]|^<(?:frozen|__array)|[\\/]importlib[\\/]/i;
/** Members of an exception group are drawn in a box of their own. */
const BOX = /^(\s*)[|+] /;
const MEMBER = /^\s*\+(?:-\+)?-{5,}/;

function frameOf(line: string): Frame | undefined {
	const [, file, name = ""] = FRAME.exec(line) ?? [];
	if (file === undefined) return undefined;
	return { module: moduleOf(file), function: name.slice(name.lastIndexOf(".") + 1), inApp: !LIBRARY.test(file) };
}

function read(lines: readonly string[]): StackError[] {
	const chain: OpenError[] = [];
	const members: OpenError[] = [];
	let current: OpenError | undefined;
	let depth = 0;
	const begin = () => {
		current = { type: "", message: "", frames: [] };
		(depth > 1 ? members : chain).push(current);
		return current;
	};
	for (const boxed of lines) {
		if (MEMBER.test(boxed)) continue;
		const box = BOX.exec(boxed);
		const line = box ? boxed.slice(box[0].length) : boxed;
		depth = box ? Math.ceil(box[1]!.length / 2) : 0;
		if (HEADER.test(line)) {
			begin();
			continue;
		}
		const frame = frameOf(line);
		// A header of its own stands before each, but for traces that were cut.
		if (frame) (current ?? begin()).frames.push(frame);
		else if (current && current.frames.length > 0 && /^\S/.test(line)) {
			const { type, message } = openError(line);
			Object.assign(current, { type, message });
			current = undefined;
		}
	}
	const errors = [...chain.reverse(), ...members];
	for (const { frames } of errors) frames.reverse();
	return errors;
}

export const PYTHON: Dialect = {
	starts: (line) => HEADER.test(line.replace(BOX, "")) || frameOf(line) !== undefined,
	read,
};
