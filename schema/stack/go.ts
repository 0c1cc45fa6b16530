/** Go: panics, and errors that carry a stack. Two lines a call: the function, then the file. */
import { type Dialect, type Frame, openError, type StackError } from "./types.ts";

const GOROUTINE = /^goroutine \d{1,19} \[/;
const FILE = /^\t(.{1,500}\.(?:go|s|c)):\d{1,10}(?: \+0x[0-9a-f]{1,16})?$/;
const LIBRARY_FILE = /@v\d|[\\/]vendor[\\/]/;
/** Of the standard library, by the first part of the package; modules begin with a domain. */
const STANDARD =
	/^(?:bufio|bytes|cmp|compress|container|context|crypto|database|debug|encoding|errors|flag|fmt|go|hash|html|image|internal|io|iter|log|maps|math|mime|net|os|panic|path|plugin|reflect|regexp|runtime|slices|sort|strconv|strings|sync|syscall|testing|text|time|unicode|unsafe)(?:[./(]|$)/;

function frameOf(call: string, file: string): Frame {
	const open = call.endsWith(")") ? call.lastIndexOf("(") : -1;
	const name = (open > 0 ? call.slice(0, open) : call).replace(/\[\.\.\.\]/g, "");
	const dot = name.indexOf(".", name.lastIndexOf("/") + 1);
	const plain = name.slice(dot + 1).replace(/(?:\.func\d{1,5}|\.gowrap\d{1,5}|\.\d{1,5}|-fm|-range\d{1,5})+$/, "");
	return {
		module: dot === -1 ? "" : name.slice(0, dot),
		function: dot === -1 ? name : plain,
		inApp: !STANDARD.test(name) && !LIBRARY_FILE.test(file),
	};
}

function read(lines: readonly string[]): StackError[] {
	const error = openError((lines[0] ?? "").replace(/^(?:panic|fatal error): /, ""));
	let goroutines = 0;
	for (const [i, line] of lines.entries()) {
		// The first one is the one that failed; others are only shown with it.
		if (GOROUTINE.test(line) && ++goroutines > 1) break;
		const file = FILE.exec(line)?.[1];
		const call = lines[i - 1];
		if (file === undefined || call === undefined || call.startsWith("created by ") || FILE.test(call)) continue;
		error.frames.push(frameOf(call.trim(), file));
	}
	return [error];
}

export const GO: Dialect = { starts: (line) => GOROUTINE.test(line) || FILE.test(line), read };
