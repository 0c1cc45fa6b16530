// `tidemark tail`: the latest log records, then new ones as they come, by polling.
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { type Client, type LogEntry, UnavailableError } from "../client/index.ts";

const LEVELS = ["debug", "info", "warning", "error", "critical"] as const;
const PAGE = 1000;
/** Records that arrive late are still shown when they are no older than this. */
const OVERLAP_MS = 10_000;
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
	/** Between two polls, milliseconds; default 1,000. */
	intervalMs?: number;
	colour: boolean;
	write(text: string): void;
	/** For the user, not part of the log. */
	note(text: string): void;
	signal: AbortSignal;
}

/**
 * Shows logs until `signal`; a server that is away for a while is waited for.
 *
 * @throws TidemarkError when the server refuses (a bad key, a bad query)
 */
export async function tail(options: TailOptions): Promise<void> {
	const { client, lines = 20, intervalMs = 1000, signal } = options;
	const query = tailQuery(options.query, options.level);
	const asked = query === undefined ? {} : { query };
	let shown: Shown = new Map();
	let from: number | undefined;
	// What was before the first page stays unseen, also where the overlap reaches over it.
	let floor = 0;
	for (let away = false; !signal.aborted; ) {
		try {
			const first = from === undefined;
			const page = from === undefined ? await latest() : await since(from);
			if (away) options.note("the server is back");
			away = false;
			if (first) floor = floorOf(page, lines);
			const { fresh, seen } = unseen(
				page.filter(({ timestamp }) => Date.parse(timestamp) >= floor),
				shown,
			);
			if (!first || lines > 0) for (const entry of fresh) options.write(`${formatEntry(entry, options.colour)}\n`);
			const newest = page.reduce((max, { timestamp }) => Math.max(max, Date.parse(timestamp)), from ?? 0);
			from = Math.max(from ?? 0, newest - OVERLAP_MS);
			shown = seen;
		} catch (error) {
			if (signal.aborted) return;
			if (!(error instanceof UnavailableError)) throw error;
			if (!away) options.note(`${error.message}; waiting for it`);
			away = true;
		}
		await sleep(intervalMs, undefined, { signal }).catch(() => {});
	}

	async function latest(): Promise<LogEntry[]> {
		const window = { timeframe: "24h", limit: Math.max(1, lines), sort: "timestamp desc" } as const;
		const { logs } = await client.monitoring.queryLogs({ ...asked, ...window }, { signal });
		return logs.reverse();
	}

	async function since(startMs: number): Promise<LogEntry[]> {
		const found: LogEntry[] = [];
		for (let cursor: string | undefined; ; ) {
			const window = startMs > 0 ? { start: startMs } : { timeframe: "1h" as const };
			const page = await client.monitoring.queryLogs(
				{ ...asked, ...window, limit: PAGE, sort: "timestamp asc", ...(cursor && { cursor }) },
				{ signal },
			);
			found.push(...page.logs);
			if (page.next_cursor === null || page.logs.length === 0) return found;
			cursor = page.next_cursor;
		}
	}
}

/** Time of the oldest record to be shown, given the first page; none when there were no more than fit into it. */
function floorOf(page: readonly LogEntry[], lines: number): number {
	const oldest = lines === 0 ? page.at(-1) : page.length >= lines ? page[0] : undefined;
	return oldest ? Date.parse(oldest.timestamp) : 0;
}

/** How often each record was shown; equal records are told apart by their number alone. */
type Shown = Map<string, number>;

/**
 * The records of a page that were not shown yet. A page overlaps the one before, and two equal records of one
 * millisecond are two.
 */
export function unseen(page: readonly LogEntry[], shown: Shown): { fresh: LogEntry[]; seen: Shown } {
	const seen: Shown = new Map();
	const fresh = page.filter((entry) => {
		const key = JSON.stringify(entry);
		const count = (seen.get(key) ?? 0) + 1;
		seen.set(key, count);
		return count > (shown.get(key) ?? 0);
	});
	return { fresh, seen };
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
