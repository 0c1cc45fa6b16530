// `tidemark tail`: the latest log records, then new ones as they come.
import { stripVTControlCharacters } from "node:util";
import { type Client, type LogEntry, NotFoundError } from "../client/index.ts";

const LEVELS = ["debug", "info", "warning", "error", "critical"] as const;
/** Codes of the terminal; `styleText` of Node decides by itself whether to colour, and not the same in each version. */
const CODES = { gray: 90, green: 32, yellow: 33, red: 31, magenta: 35, cyan: 36 } as const;
const COLOURS: Record<string, keyof typeof CODES> = {
	debug: "gray",
	info: "green",
	warning: "yellow",
	error: "red",
	critical: "magenta",
};

export interface TailOptions {
	client: Client;
	/** In the log query language. */
	query?: string | undefined;
	/** This level and worse ones. */
	level?: string | undefined;
	/** How many records of before are shown first; default 20. */
	lines?: number | undefined;
	colour: boolean;
	/** No more is read before it is done: who reads slowly keeps nothing in memory. */
	write(text: string): void | Promise<void>;
	/** For the user, not part of the log. */
	note(text: string): void;
	signal: AbortSignal;
}

/**
 * Shows logs until `signal`; a server that is away for a while is waited for, and what was missed meanwhile is shown then.
 *
 * @throws TidemarkError when the server refuses (a bad key, a bad query)
 */
export async function tail({ client, lines = 20, signal, ...options }: TailOptions): Promise<void> {
	const query = tailQuery(options.query, options.level);
	const stream = client.monitoring.logStream({ snapshot: lines, ...(query !== undefined && { query }) }, { signal });
	let away = false;
	stream
		.onOpen(() => {
			if (away) options.note("the server is back");
			away = false;
		})
		.onReconnect(({ error }) => {
			if (!away) options.note(`${error?.message ?? "the server has ended the stream"}; waiting for it`);
			away = true;
		})
		.onGap(({ skipped, reason }) => {
			options.note(
				`${skipped === null ? "some lines are" : skipped === 1 ? "1 line is" : `${skipped} lines are`} not shown: ${reason}`,
			);
		});
	try {
		for await (const entry of stream) await options.write(`${formatEntry(entry, options.colour)}\n`);
	} catch (error) {
		if (!(error instanceof NotFoundError)) throw error;
		throw new Error("this server has no streams: it is older than this tidemark, or something else", { cause: error });
	}
}

/**
 * The query for a level and worse, joined with a query of the user's.
 *
 * @throws RangeError when there is no such level
 */
export function tailQuery(query: string | undefined, level: string | undefined): string | undefined {
	if (level === undefined) return query;
	const from = LEVELS.findIndex((one) => one === (level.toLowerCase() === "warn" ? "warning" : level.toLowerCase()));
	if (from === -1) throw new RangeError(`${level} is not a level; there are ${LEVELS.join(", ")}`);
	const levels = `level:(${LEVELS.slice(from).join(" OR ")})`;
	return query ? `(${query}) AND ${levels}` : levels;
}

/** One record as one line, or several when its message has several. */
export function formatEntry(entry: LogEntry, colour: boolean): string {
	const paint = (style: keyof typeof CODES, text: string) =>
		colour ? `\u001b[${CODES[style]}m${text}\u001b[39m` : text;
	const level = entry.level.toUpperCase().padEnd(8);
	const style = COLOURS[entry.level] ?? "gray";
	const context = Object.entries(entry.context ?? {}).map(
		([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
	);
	return [
		paint("gray", entry.timestamp),
		paint(style, level),
		...(entry.component ? [paint("cyan", printable(entry.component))] : []),
		printable(entry.message),
		...(context.length > 0 ? [paint("gray", printable(context.join(" ")))] : []),
	].join(" ");
}

/** Whoever writes a log must not write to the terminal of who reads it: no control characters but newline and tab. */
function printable(text: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
	return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\u00b7");
}
