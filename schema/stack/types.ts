/** A call of a stack trace, by what stays the same from build to build and machine to machine: no line, no column, no folder. */
export interface Frame {
	/** Package, class or name of the file. */
	readonly module: string;
	/** Empty for an anonymous one. */
	readonly function: string;
	/** Of the program that reports, not of a library or the language below it. */
	readonly inApp: boolean;
}

/** One error of a chain. */
export interface StackError {
	/** Empty when the trace does not say. */
	readonly type: string;
	/** Its first line. */
	readonly message: string;
	/** The call that threw first. */
	readonly frames: readonly Frame[];
}

/** What is under construction while lines are read. */
export interface OpenError {
	type: string;
	message: string;
	frames: Frame[];
}

/** How the traces of a language are read. */
export interface Dialect {
	/** Whether this line, met before any frame of another language, says that the trace is of this one. */
	readonly starts: (line: string) => boolean;
	/** The errors of the trace, the outermost first. */
	readonly read: (lines: readonly string[]) => StackError[];
}

const TYPE = /^[\p{L}_$\\][\p{L}\p{N}_$.\\:<>[\]`#&-]{0,199}$/u;

/** `Type: message`; all of it is the message when it does not begin with the name of a type. */
export function openError(header: string): OpenError {
	const text = header.trim();
	const colon = text.indexOf(": ");
	const type = (colon === -1 ? text.replace(/:$/, "") : text.slice(0, colon)).replace(/ \[\w{1,100}\]$/, "");
	if (!TYPE.test(type)) return { type: "", message: text, frames: [] };
	return { type, message: colon === -1 ? "" : text.slice(colon + 2), frames: [] };
}
