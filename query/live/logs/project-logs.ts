import { randomBytes } from "node:crypto";
import type { LiveFrame, LiveLog } from "../../../schema/live/frames.ts";
import { join, type Node, print } from "../../logs/ast.ts";
import { type LogMatcher, MatchedLog, matcher } from "../../logs/matcher.ts";
import type { StoredLines } from "../../measures/log-lines.ts";
import type { LiveFeed, Watcher } from "../feed.ts";
import { Heard, REMEMBERED_MS } from "./heard.ts";
import { encodePlace, idAt, leastId, type Place, receivedAt } from "./place.ts";
import { gapMessage, type LineMessage, lineMessage, type Reader } from "./reader.ts";
import { type Passed, Ring } from "./ring.ts";

/** Lines a second that a stream is sent; nobody reads more, and a reader who wants all of them asks /v1/monitoring/logs. */
export const LINES_PER_SECOND = 1_000;
/** Rows are in ClickHouse at latest so long after they were accepted, unless there is trouble. */
export const STORED_MS = 10_000;
/** When to look there for lines that were not heard of: most are stored the first time, the others the second. */
const FIRST_LOOK_MS = 2_000;
/** Everything is kept so long for readers who come back. */
export const LINGER_MS = 60_000;
/** What was missed longer ago is not looked for. */
const LONGEST_MS = 3_600_000;
/** Lines that are fetched at once. */
const MAX_FETCHED = 5_000;
const TICK_MS = 1_000;
/** Ticks between two messages that tell idle readers where they are. */
const PLACE_TICKS = 15;
const TOO_MANY = `more than ${LINES_PER_SECOND} lines a second match`;
const TOO_LONG = "lines were missed on the way here, for too long to read all of them afterwards";
const NOT_STORED = "lines were missed on the way here and could not be read afterwards";

export interface ProjectLogsOptions {
	readonly project: string;
	readonly feed: LiveFeed;
	/** Lines that match and were received after the one of this id. */
	readonly receivedAfter: (filter: Node | undefined, id: string, limit: number) => Promise<StoredLines>;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
}

/** Lines that did not come this way. */
interface Missed {
	/** They have greater ids than this one. */
	readonly after: bigint;
	readonly at: number;
	looked: boolean;
}

/** Readers of one query. */
interface Group {
	readonly query: Node | undefined;
	readonly matches: LogMatcher;
	readonly readers: Set<Reader>;
	/** When the last of them left: its lines are looked for a while longer, for whom of them comes back. */
	leftAt: number | undefined;
	sent: number;
	skipped: number;
}

/**
 * The lines of one project as they become durable, for all who watch: each line is matched once a query and written once. Lines
 * that did not come this way, since a message between processes was lost or had no room for them, are fetched from ClickHouse, in
 * one question for all readers.
 */
export class ProjectLogs implements Watcher {
	readonly run = randomBytes(6).toString("hex");
	readonly ring = new Ring();
	readonly #options: ProjectLogsOptions;
	readonly #groups = new Map<string, Group>();
	readonly #heard: Heard;
	/** Id of the last line of each ingest process, and when it came. */
	readonly #lastOf = new Map<string, { id: string; at: number }>();
	readonly #end: () => void;
	readonly #tick: NodeJS.Timeout;
	#missed: Missed[] = [];
	#looking = false;
	#ticks = 0;
	#toldSeq = 0;
	#holds = 0;
	#idleSince: number | undefined;

	constructor(options: ProjectLogsOptions) {
		this.#options = options;
		this.#heard = new Heard(options.now);
		this.#end = options.feed.watch(options.project, { names: [], logs: true }, this);
		// Ingest hears of it in a moment, and what it accepted just before is not in ClickHouse yet.
		this.#miss(idAt(options.now() - STORED_MS));
		this.#tick = setInterval(() => this.#everySecond(), TICK_MS);
		this.#tick.unref();
	}

	/** Since when nobody has read it; undefined while somebody does. */
	get idleSince(): number | undefined {
		return this.#holds === 0 ? this.#idleSince : undefined;
	}

	/** Keeps it for somebody who is about to join, or has. @returns lets it go */
	hold(): () => void {
		this.#holds++;
		return () => {
			if (--this.#holds === 0) this.#idleSince = this.#options.now();
		};
	}

	join(query: Node | undefined, reader: Reader): void {
		const key = query === undefined ? "" : print(query);
		let group = this.#groups.get(key);
		if (!group) {
			group = { query, matches: matcher(query), readers: new Set(), leftAt: undefined, sent: 0, skipped: 0 };
			this.#groups.set(key, group);
		}
		group.readers.add(reader);
		group.leftAt = undefined;
		setTimeout(() => reader.settle(), REMEMBERED_MS).unref();
	}

	leave(query: Node | undefined, reader: Reader): void {
		const key = query === undefined ? "" : print(query);
		const group = this.#groups.get(key);
		if (group?.readers.delete(reader) && group.readers.size === 0) group.leftAt = this.#options.now();
	}

	/** Where a reader is who has all that has gone by. */
	place(): string {
		return encodePlace({ run: this.run, seq: this.ring.seq, received: String(this.#received()) });
	}

	/** What a reader has missed who was there; undefined when that is too long ago to be known here. */
	since({ run, seq }: Place): readonly Passed[] | undefined {
		return run === this.run ? this.ring.after(seq) : undefined;
	}

	frame({ source, logs, left_out }: LiveFrame, missed: number): void {
		const last = this.#lastOf.get(source);
		// A process that was not heard of before may have taken lines before it heard that somebody watches.
		if (!last) this.#miss(idAt(this.#options.now() - STORED_MS));
		else if (missed > 0 || left_out.logs > 0) this.#miss(BigInt(last.id));
		if (!last && logs.length === 0) this.#lastOf.set(source, { id: String(this.#received()), at: this.#options.now() });
		this.#pass(logs, source);
	}

	interrupted(away_ms: number): void {
		const since = this.#options.now() - away_ms;
		// Lines of processes that were heard all the while would come twice, once they are forgotten.
		const isMixed = [...this.#lastOf.values()].some(({ at }) => at > since);
		const known = this.#options.now() - REMEMBERED_MS + STORED_MS;
		if (isMixed && since < known) this.#lose(null, TOO_LONG);
		this.#miss(idAt((isMixed ? Math.max(since, known) : since) - STORED_MS));
	}

	close(): void {
		this.#end();
		clearInterval(this.#tick);
	}

	/** @param source the process that told of them; undefined when they were found in ClickHouse */
	#pass(logs: readonly LiveLog[], source: string | undefined): void {
		const now = this.#options.now();
		const passed: { log: LiveLog; matched: MatchedLog; bytes: Buffer | undefined; place: string }[] = [];
		for (const log of logs) {
			// One by one: whoever has this line only does not have those behind it.
			if (source !== undefined) this.#lastOf.set(source, { id: log.id, at: now });
			if (!this.#heard.add(log.id)) continue;
			const seq = this.ring.seq + 1;
			const place = encodePlace({ run: this.run, seq, received: String(this.#received()) });
			this.ring.push({ seq, place, log });
			passed.push({ log, matched: new MatchedLog(log), bytes: undefined, place });
		}
		for (const group of this.#groups.values()) {
			if (group.readers.size === 0) continue;
			const messages: LineMessage[] = [];
			for (const line of passed) {
				if (!group.matches(line.matched)) continue;
				if (group.sent === LINES_PER_SECOND) {
					group.skipped++;
					continue;
				}
				group.sent++;
				line.bytes ??= lineMessage(line.log, line.place);
				messages.push({ log: line.log, bytes: line.bytes });
			}
			if (messages.length === 0) continue;
			const bytes = messages.map((message) => message.bytes);
			for (const reader of group.readers) reader.send(messages, bytes, source === undefined);
		}
	}

	/**
	 * Up to which line everything has gone by. Ids of several processes do not follow each other, so with more than one of them it
	 * is the second before the last line of the slowest, and a reader who goes on from there may be sent some lines twice.
	 */
	#received(): bigint {
		const now = this.#options.now();
		const recent = [...this.#lastOf.values()].filter(({ at }) => at > now - REMEMBERED_MS);
		const first = leastId(recent.map(({ id }) => BigInt(id))) ?? idAt(now - STORED_MS);
		const all = recent.length > 1 ? ((first >> 32n) - 1n) << 32n : first;
		return leastId([all, ...this.#missed.map(({ after }) => after)])!;
	}

	/** Looks for lines that were received after this one. */
	#miss(after: bigint): void {
		const now = this.#options.now();
		const ongoing = this.#missed.find((missed) => !missed.looked && missed.after <= after);
		if (ongoing) return;
		let from = after;
		if (receivedAt(String(after)) < now - LONGEST_MS) {
			from = idAt(now - LONGEST_MS);
			this.#lose(null, TOO_LONG);
		}
		this.#missed.push({ after: from, at: now, looked: false });
	}

	/** One question for everything that should be stored by now. */
	async #look(): Promise<void> {
		const now = this.#options.now();
		const due = this.#missed.filter(({ at, looked }) => now - at >= (looked ? STORED_MS : FIRST_LOOK_MS));
		if (due.length === 0 || this.#looking) return;
		const after = leastId(due.map((missed) => missed.after))!;
		const isLast = due.some(({ looked }) => looked);
		this.#looking = true;
		try {
			const { lines, more } = await this.#options.receivedAfter(this.#wanted(), String(after), MAX_FETCHED);
			this.#pass(lines, undefined);
			if (more && isLast) this.#lose(null, "more lines were missed on the way here than can be read afterwards");
		} catch {
			if (isLast) this.#lose(null, NOT_STORED);
		} finally {
			this.#looking = false;
			this.#missed = this.#missed.filter((missed) => !missed.looked || !due.includes(missed));
			for (const missed of due) missed.looked = true;
		}
	}

	/** What any of them reads. */
	#wanted(): Node | undefined {
		const queries = [...this.#groups.values()].map(({ query }) => query);
		const nodes = queries.filter((query) => query !== undefined);
		return nodes.length === 0 || nodes.length < queries.length ? undefined : join("or", nodes);
	}

	#lose(lost: number | null, reason: string): void {
		const seq = this.ring.seq + 1;
		const place = encodePlace({ run: this.run, seq, received: String(this.#received()) });
		this.ring.push({ seq, place, lost, reason });
		this.#tellAll(gapMessage(lost, reason, place));
	}

	#everySecond(): void {
		void this.#look();
		for (const [key, group] of this.#groups) {
			if (group.leftAt !== undefined && this.#options.now() - group.leftAt > LINGER_MS) this.#groups.delete(key);
			if (group.skipped > 0) {
				const message = gapMessage(group.skipped, TOO_MANY, this.place());
				for (const reader of group.readers) reader.tell(message);
			}
			group.sent = 0;
			group.skipped = 0;
		}
		if (++this.#ticks % PLACE_TICKS !== 0 || this.#toldSeq === this.ring.seq) return;
		this.#toldSeq = this.ring.seq;
		this.#tellAll(Buffer.from(`id: ${this.place()}\n\n`));
	}

	#tellAll(message: Buffer): void {
		for (const { readers } of this.#groups.values()) for (const reader of readers) reader.tell(message);
	}
}
