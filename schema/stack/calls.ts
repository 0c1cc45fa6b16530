/** Traces that print the outermost error first and each call under the one it made: JavaScript, the JVM, .NET. */
import { dotnetFrame } from "./dotnet.ts";
import { geckoFrame, v8Frame } from "./javascript.ts";
import { jvmFrame } from "./jvm.ts";
import { type Dialect, type Frame, type OpenError, openError, type StackError } from "./types.ts";

const CAUSE = /^(\s*)(?:Caused by|\[cause\]|\(Inner Exception #\d{1,4}\))[: ]\s?(.*)$/;
const SUPPRESSED = /^(\s*)Suppressed: /;
const INNER = " ---> ";
const END_OF_INNER = "--- End of inner exception stack trace ---";

function frameOf(line: string): Frame | undefined {
	const text = line.trim();
	if (!text.startsWith("at ")) return geckoFrame(text);
	// Loggers add the jar, util.inspect the brace of what follows.
	const call = text.slice(3).replace(/ ~?\[[^\]]{0,200}\]$| \{$/, "");
	return v8Frame(call) ?? jvmFrame(call) ?? dotnetFrame(call);
}

function read(lines: readonly string[]): StackError[] {
	const first = openError(lines[0] ?? "");
	const errors: OpenError[] = [first];
	// Of .NET the inner error's calls come first; those of the outer one follow its end.
	const open: OpenError[] = [first];
	let skipped: number | undefined;
	const enter = (header: string, nested: boolean) => {
		const error = openError(header);
		errors.push(error);
		if (!nested) open.length = 0;
		open.push(error);
	};
	for (const [i, line] of lines.entries()) {
		const cause = CAUSE.exec(line);
		if (cause && (skipped === undefined || cause[1]!.length < skipped)) {
			skipped = undefined;
			enter(cause[2]!, false);
		} else if (SUPPRESSED.test(line)) skipped ??= SUPPRESSED.exec(line)![1]!.length;
		if (cause || skipped !== undefined) continue;
		const frame = frameOf(line);
		if (frame) open.at(-1)!.frames.push(frame);
		else if (line.includes(END_OF_INNER)) {
			if (open.length > 1) open.pop();
		} else if (line.includes(INNER) || line.startsWith(INNER.trimStart())) {
			const [before, ...inner] = ` ${line.trimStart()}`.split(INNER);
			if (i === 0) Object.assign(first, openError(before!));
			for (const header of inner) enter(header, true);
		}
	}
	return errors;
}

export const CALLS: Dialect = { starts: (line) => frameOf(line) !== undefined, read };
