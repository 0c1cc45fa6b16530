// Plain log files: a line is a record, and lines that go on with it (stack traces) are joined to it.
import { findLevel } from "./level.ts";
import { type FoundLog, type LineParser, logJson, type Parsed, type SourceLine } from "./record.ts";
import { bracketedTime, type FoundTime, leadingTime } from "./time.ts";

/** A server cuts longer messages; joining for ever would hold the whole of a file that is no log. */
const MAX_MESSAGE_CHARS = 60_000;
/** Lines that no logger starts a record with: indented ones, and what stack traces have at the margin. */
const CONTINUATION = /^(?:\s|at\s|Caused by:|\.\.\. \d+ more|Traceback \(most recent call last\)|[\]})]+[,;]?\s*$|$)/;
/** Between a time and what follows it. */
const SEPARATOR = /^[\s:|,;-]+/;

/** A line that starts a record. */
export type Head = FoundLog;

/** Parses a plain log; `component` is given to each record. */
export function plainParser(referenceMs: number, component?: string): LineParser {
	let timed = false;
	return joiningParser((line) => {
		const found = leadingTime(line, referenceMs) ?? namedTime(line, referenceMs) ?? timeAfterLevel(line, referenceMs);
		const elsewhere = found ? undefined : bracketedTime(line, referenceMs);
		if (found || elsewhere) timed = true;
		// Where lines have times, one without goes on with the line before.
		else if (timed || CONTINUATION.test(line)) return undefined;
		return { ...headOf(line, found, elsewhere), ...(component && { component }) };
	});
}

/**
 * A parser that asks of each line whether it starts a record, and joins the lines that do not to the one before.
 *
 * @param head the record that a line starts; undefined when it goes on with the one before
 */
export function joiningParser(head: (line: string) => Head | undefined): LineParser {
	let open: { line: SourceLine; log: Head; joined: string[]; chars: number } | undefined;

	function close(): Parsed[] {
		if (!open) return [];
		const { line, log, joined } = open;
		open = undefined;
		const message = [log.message, ...joined].join("\n").trimEnd();
		if (message === "") return [];
		return [{ line: line.number, offset: line.offset, json: logJson({ ...log, message }) }];
	}

	return {
		push(line) {
			const log = head(line.text);
			if (!log && open && open.chars + line.text.length <= MAX_MESSAGE_CHARS) {
				open.joined.push(line.text);
				open.chars += line.text.length + 1;
				return [];
			}
			// A record that grew too long goes on in another, at the same time and of the same level.
			const started = log ?? { ...open?.log, message: line.text };
			const done = close();
			open = { line, log: started, joined: [], chars: line.text.length };
			return done;
		},
		end: close,
	};
}

function headOf(line: string, leading: FoundTime | undefined, elsewhere: FoundTime | undefined): Head {
	const rest = leading ? line.slice(leading.end).replace(SEPARATOR, "") : line;
	const level = leading?.level ?? findLevel(rest);
	const time = leading ?? elsewhere;
	return { message: rest, ...(level && { level }), ...(time && { timestamp: time.ms }) };
}

/** logfmt: `time="2024-01-15T10:30:00Z" level=info msg=…`; the line stays as it is, its members are searched for there. */
function namedTime(line: string, referenceMs: number): FoundTime | undefined {
	const name = /^(?:time|ts|timestamp|t)="?/.exec(line)?.[0];
	// Its text may be quoted, and a quote ends no other time.
	const found = name && leadingTime(line.slice(name.length).replace('"', " "), referenceMs);
	return found ? { ...found, end: 0 } : undefined;
}

/** `INFO 2024-01-15 10:30:00 …`, `[error] 2024-01-15 …` */
function timeAfterLevel(line: string, referenceMs: number): FoundTime | undefined {
	const prefix = /^\W?[A-Za-z]{3,11}[^\w[]{1,3}(?=[\d[])/.exec(line)?.[0];
	const level = prefix && findLevel(`${prefix.trim()} `.toUpperCase());
	const found = level && leadingTime(line.slice(prefix.length), referenceMs);
	return found ? { ...found, end: prefix.length + found.end, level } : undefined;
}
