import { type Dialect, type Frame, openError, type StackError } from "./types.ts";

const FRAME = /^\s*\d{1,5}:\s{1,20}(?:0x[0-9a-f]{1,16} - )?(\S.*)$/;
/** Only paths: what anyhow numbers under "Caused by" are messages. */
const PATH = /^(?:<\S.*>::\S+|_?\w+::\S+)$/;
const FILE = /^\s{4,}at (.{1,500}?)(?::\d{1,10}){1,2}$/;
const LIBRARY =
	/^<?&?(?:mut )?(?:dyn )?(?:std|core|alloc|proc_macro|test|backtrace|rust_|__rust|anyhow|eyre|color_eyre|failure|tokio|futures\w*|async_std|hyper|reqwest|tower|axum|actix\w*|rocket|rayon\w*|tracing|log|serde\w*)::/;
const LIBRARY_FILE = /[\\/]rustc[\\/]|[\\/]\.cargo[\\/]|[\\/]rustlib[\\/]/;

function frameOf(path: string, file: string | undefined): Frame {
	const plain = path
		.replace(/::h[0-9a-f]{16}$/, "")
		.replace(/(?:::\{\{closure\}\}|::\{closure#\d{1,5}\}|::\{closure_env#\d{1,5}\})/g, "");
	const separator = plain.lastIndexOf("::");
	return {
		module: separator === -1 ? "" : plain.slice(0, separator),
		function: separator === -1 ? plain : plain.slice(separator + 2),
		inApp: !LIBRARY.test(plain) && !(file !== undefined && LIBRARY_FILE.test(file)),
	};
}

function pathOf(line: string): string | undefined {
	const text = FRAME.exec(line)?.[1];
	return text !== undefined && PATH.test(text) ? text : undefined;
}

function read(lines: readonly string[]): StackError[] {
	const error = openError(lines[0] ?? "");
	for (const [i, line] of lines.entries()) {
		const path = pathOf(line);
		if (path !== undefined) error.frames.push(frameOf(path, FILE.exec(lines[i + 1] ?? "")?.[1]));
	}
	return [error];
}

/** What stands above the first call, or is the first: it may have no path. */
const START = /^\s*stack backtrace:$|^\s{2,4}0: \w+$/i;

export const RUST: Dialect = { starts: (line) => START.test(line) || pathOf(line) !== undefined, read };
