/** PHP: an error's cause is printed before it; and Dart, whose frames are numbered the same way. */
import { moduleOf } from "./place.ts";
import { type Dialect, type Frame, type OpenError, openError, type StackError } from "./types.ts";

const NUMBERED = /^\s*#\d{1,6}\s+(.*)$/;
const CALL = /^(.{1,500}?)\(\d{1,10}\): (.*)$/;
const DART = /^(.{1,300}) \(((?:package|dart|file):.{1,500}?)(?::\d{1,10}){0,2}\)$/;
const LIBRARY = /[\\/]vendor[\\/]|^\[internal function\]$|[\\/]phpunit\b|^dart:|^package:flutter[\\/]/;

function frameOf(line: string): Frame | undefined {
	const text = NUMBERED.exec(line)?.[1];
	if (text === undefined) return undefined;
	if (text.startsWith("{main}")) return { module: "", function: "{main}", inApp: false };
	const dart = DART.exec(text);
	if (dart) {
		const name = dart[1]!.replace(/(?:\.<anonymous closure>)+$/, "");
		return { module: moduleOf(dart[2]!.replace(/^\w+:/, "")), function: name, inApp: !LIBRARY.test(dart[2]!) };
	}
	const internal = text.startsWith("[internal function]: ") ? ["", "[internal function]", text.slice(21)] : undefined;
	const [, file, call] = internal ?? CALL.exec(text) ?? [];
	if (file === undefined || call === undefined) return undefined;
	const name = call.slice(0, call.includes("(") ? call.indexOf("(") : undefined);
	// A closure of PHP 8.4 is named after its function and line, an anonymous class after its file.
	const plain = name.replace(/\{closure:?.*$/, "{closure}").replace(/@anonymous.*?(?=->|::|$)/, "@anonymous");
	const separator = Math.max(plain.lastIndexOf("->"), plain.lastIndexOf("::"));
	return {
		module: separator > 0 ? plain.slice(0, separator) : moduleOf(file),
		function: separator > 0 ? plain.slice(separator + 2) : plain,
		inApp: !LIBRARY.test(file),
	};
}

function read(lines: readonly string[]): StackError[] {
	const header = (line: string) => openError(line.replace(/^(?:PHP )?(?:Fatal error: +)?(?:Uncaught )?/, ""));
	const errors: OpenError[] = [header(lines[0] ?? "")];
	for (const line of lines) {
		if (line.startsWith("Next ")) errors.push(header(line.slice(5)));
		const frame = frameOf(line);
		if (frame) errors.at(-1)!.frames.push(frame);
	}
	return errors.reverse();
}

export const PHP: Dialect = { starts: (line) => frameOf(line) !== undefined, read };
