/** Any other language: lines that name a file with a line number in it. */
import { moduleOf } from "./place.ts";
import { type Dialect, type Frame, openError, type StackError } from "./types.ts";

const PLACE = /(?:^|[\s("'[])([^\s("'[]{0,300}\.[A-Za-z]{1,5}):(?:line )?\d{1,10}/;

function frameOf(line: string): Frame | undefined {
	const match = PLACE.exec(line);
	if (!match) return undefined;
	const rest = `${line.slice(0, match.index)} ${line.slice(match.index + match[0].length)}`;
	const words = rest
		.replace(/^\s*\([^()]{0,80}\)/, "")
		.replace(/0x[0-9a-f]{1,16}|[\d:()[\]#.]+(?=\s|$)|^\s*#?\d+/gi, " ");
	return { module: moduleOf(match[1]!), function: words.replace(/\s+/g, " ").trim().slice(0, 200), inApp: true };
}

function read(lines: readonly string[]): StackError[] {
	const error = openError(lines[0] ?? "");
	for (const line of lines) {
		const frame = frameOf(line);
		if (frame) error.frames.push(frame);
	}
	return [error];
}

export const OTHER: Dialect = { starts: (line) => frameOf(line) !== undefined, read };
