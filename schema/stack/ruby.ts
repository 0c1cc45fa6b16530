import { moduleOf } from "./place.ts";
import { type Dialect, type Frame, type OpenError, openError, type StackError } from "./types.ts";

/** Ruby 3.4 quotes 'Class#name', older ones `name'. */
const FRAME =
	/^\s*(?:from |\d{1,5}: from )?([^\s:][^:]{0,500}|[A-Za-z]:[^:]{1,500}|<internal:[^>]{1,200}>):\d{1,10}:in [`']([^']{1,300})'(.*)$/;
const LIBRARY =
	/[\\/]gems[\\/]|[\\/]lib[\\/]ruby[\\/]|^<internal:|[\\/]rubygems|[\\/]bundler[\\/]|(?:^|[\\/])bin[\\/](?:rails|bundle|rake|puma|ruby)$/;

function frameOf(file: string, name: string): Frame {
	const method = name.replace(/^(?:(?:block|rescue|ensure)(?: \(\d{1,5} levels\))? in )+/, "");
	const last = Math.max(method.lastIndexOf("#"), method.lastIndexOf("."));
	return { module: moduleOf(file), function: method.slice(last + 1), inApp: !LIBRARY.test(file) };
}

function read(lines: readonly string[]): StackError[] {
	const errors: OpenError[] = [FRAME.test(lines[0] ?? "") ? openError("") : openError(lines[0] ?? "")];
	for (const line of lines) {
		const [, file, name, rest = ""] = FRAME.exec(line) ?? [];
		const cause = /^Caused by:\s?(.*)$/.exec(line);
		if (cause) errors.push(openError(cause[1]!));
		if (file === undefined || name === undefined) continue;
		// `file:1:in 'f': message (Type)` begins an error; its cause follows in the same form.
		const [, message, type] = /^: (.*) \(([\w:]{1,200})\)$/.exec(rest) ?? [];
		if (type !== undefined && errors.at(-1)!.frames.length > 0) errors.push(openError(""));
		if (type !== undefined) Object.assign(errors.at(-1)!, { type, message });
		errors.at(-1)!.frames.push(frameOf(file, name));
	}
	return errors;
}

export const RUBY: Dialect = { starts: (line) => FRAME.test(line), read };
