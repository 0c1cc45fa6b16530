import type { LiveLog } from "../../../schema/live/frames.ts";
import type { Node } from "../../logs/ast.ts";
import { MatchedLog, matcher } from "../../logs/matcher.ts";
import { latestLines, linesReceivedAfter, type StoredLines } from "../../measures/log-lines.ts";
import type { LogWindow } from "../../measures/logs.ts";
import type { Queries } from "../../run.ts";
import type { LiveFeed } from "../feed.ts";
import { sseEvent } from "../sse.ts";
import { decodePlace, encodePlace, idAt, type Place, receivedAt } from "./place.ts";
import { LINGER_MS, ProjectLogs, STORED_MS } from "./project-logs.ts";
import { gapMessage, lineMessage, Reader, type Sink } from "./reader.ts";
import { MAX_LINES, type Passed } from "./ring.ts";

/** How far back a snapshot, and lines for somebody who comes back, may lie. */
const DAY_MS = 86_400_000;
/** Lines may be stamped so far ahead of the time of their receipt (ingest refuses later ones). */
const AHEAD_MS = 3_600_000;
const TOO_SLOW = "more lines came while the latest ones were read than are kept";

export interface LogHubOptions {
	readonly feed: LiveFeed;
	readonly queries: Queries;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
}

export interface LogRequest {
	readonly project: string;
	readonly filter: Node | undefined;
	/** How many of the latest lines come first, for somebody who is new. */
	readonly snapshot: number;
	/** Of somebody who comes back. */
	readonly lastEventId: string | undefined;
}

/** All log streams of a process. */
export class LogHub {
	readonly #options: LogHubOptions;
	readonly #projects = new Map<string, ProjectLogs>();

	constructor(options: LogHubOptions) {
		this.#options = options;
	}

	/**
	 * Sends what there is, and then every line that comes, until the signal. First it listens, then it asks, so that no line falls
	 * between the two; one that is in both is sent once.
	 */
	async stream(sink: Sink, request: LogRequest, signal: AbortSignal): Promise<void> {
		const logs = this.#logsOf(request.project);
		const release = logs.hold();
		signal.addEventListener("abort", release, { once: true });
		const reader = await this.#begin(logs, sink, request, signal);
		// From the last look at the ring to here nothing was waited for.
		if (signal.aborted) return;
		logs.join(request.filter, reader);
		signal.addEventListener("abort", () => logs.leave(request.filter, reader), { once: true });
	}

	close(): void {
		for (const logs of this.#projects.values()) logs.close();
		this.#projects.clear();
	}

	#logsOf(project: string): ProjectLogs {
		const { feed, now, queries } = this.#options;
		for (const [name, logs] of this.#projects) {
			if (logs.idleSince === undefined || now() - logs.idleSince < LINGER_MS) continue;
			logs.close();
			this.#projects.delete(name);
		}
		let logs = this.#projects.get(project);
		if (!logs) {
			logs = new ProjectLogs({
				...{ project, feed, now },
				receivedAfter: (filter, id, limit) =>
					queries.of(project).ask(linesReceivedAfter(this.#window(receivedAt(id)), filter, id, limit)),
			});
			this.#projects.set(project, logs);
		}
		return logs;
	}

	/** Sends what comes before that which is new. */
	async #begin(logs: ProjectLogs, sink: Sink, request: LogRequest, signal: AbortSignal): Promise<Reader> {
		const place = decodePlace(request.lastEventId);
		const passed = place && logs.since(place);
		if (passed) {
			const matches = matcher(request.filter);
			const wanted = passed.filter((one) => !("log" in one) || matches(new MatchedLog(one.log)));
			sink.send([...wanted.map(messageOf), liveMessage(0, logs.place())]);
			return new Reader(sink, new Set(), () => true);
		}
		const begun: Begun = { at: this.#options.now(), seq: logs.ring.seq, place: logs.place() };
		const stored = await this.#stored(request, place, signal);
		return place ? goOn(logs, sink, request, place, stored) : beginAnew(logs, sink, request, begun, stored);
	}

	async #stored(
		{ project, filter, snapshot }: LogRequest,
		place: Place | undefined,
		signal: AbortSignal,
	): Promise<Stored> {
		if (!place && snapshot === 0) return { lines: [], more: false };
		const asker = this.#options.queries.of(project, signal);
		const question = place
			? linesReceivedAfter(this.#window(receivedAt(place.received)), filter, place.received, MAX_LINES)
			: latestLines(this.#window(this.#options.now()), filter, snapshot);
		try {
			return await asker.ask(question);
		} catch (error) {
			// New lines come all the same: they do not take the way through ClickHouse.
			return { lines: [], more: true, failure: error instanceof Error ? error.message : String(error) };
		}
	}

	/** A day back from what was received then, since lines are stamped before they are received. */
	#window(received: number): LogWindow {
		const now = this.#options.now();
		return { start: Math.max(now - DAY_MS, received) - DAY_MS, end: now + AHEAD_MS };
	}
}

interface Begun {
	readonly at: number;
	readonly seq: number;
	readonly place: string;
}

type Stored = StoredLines & { readonly failure?: string };

/** The latest lines, then those that came while they were looked up. */
function beginAnew(logs: ProjectLogs, sink: Sink, request: LogRequest, begun: Begun, stored: Stored): Reader {
	const matches = matcher(request.filter);
	const heard = logs.ring
		.all()
		.filter((one): one is Passed & { log: LiveLog } => "log" in one && matches(new MatchedLog(one.log)));
	// What was accepted just before is not in ClickHouse yet.
	const justBefore = heard.filter(({ seq, log }) => seq <= begun.seq && receivedAt(log.id) >= begun.at - STORED_MS);
	const latest =
		request.snapshot === 0
			? []
			: merged([...stored.lines, ...justBefore.map(({ log }) => log)], byTime).slice(-request.snapshot);
	const shown = new Set(latest.map(({ id }) => id));
	const fresh = heard.filter(({ seq, log }) => seq > begun.seq && !shown.has(log.id));
	sink.send([
		...(stored.failure === undefined
			? []
			: [gapMessage(null, `the latest lines could not be read: ${stored.failure}`)]),
		...latest.map((log) => lineMessage(log)),
		liveMessage(latest.length, begun.place),
		...(logs.ring.after(begun.seq) ? [] : [gapMessage(null, TOO_SLOW)]),
		...fresh.map(messageOf),
	]);
	for (const { log } of fresh) shown.add(log.id);
	const [oldest] = latest.length === request.snapshot ? latest : [];
	const start = idAt(begun.at);
	return new Reader(sink, shown, (log) => {
		if (BigInt(log.id) >= start) return true;
		return request.snapshot > 0 && (oldest === undefined || byTime(log, oldest) > 0);
	});
}

/** What was received since, from ClickHouse and from what went by. */
function goOn(logs: ProjectLogs, sink: Sink, request: LogRequest, place: Place, stored: Stored): Reader {
	const matches = matcher(request.filter);
	const after = BigInt(place.received);
	const isNew = (log: LiveLog) => BigInt(log.id) > after;
	const heard = logs.ring
		.all()
		.flatMap((one) => ("log" in one && isNew(one.log) && matches(new MatchedLog(one.log)) ? [one.log] : []));
	const lines = merged([...stored.lines, ...heard], byReceipt);
	sink.send([
		...(stored.more ? [gapMessage(null, stored.failure ?? `more than ${MAX_LINES} lines came meanwhile`)] : []),
		...lines.map((log) => lineMessage(log, encodePlace({ run: "", seq: 0, received: log.id }))),
		liveMessage(0, logs.place()),
	]);
	return new Reader(sink, new Set(lines.map(({ id }) => id)), isNew);
}

function messageOf(one: Passed): Buffer {
	return "log" in one ? lineMessage(one.log, one.place) : gapMessage(one.lost, one.reason, one.place);
}

/** The event `live`. */
function liveMessage(snapshot: number, place: string): Buffer {
	return sseEvent("live", JSON.stringify({ snapshot }), place);
}

/** Each line once, in order. */
function merged(lines: readonly LiveLog[], order: (a: LiveLog, b: LiveLog) => number): LiveLog[] {
	return [...new Map(lines.map((line) => [line.id, line])).values()].sort(order);
}

function byReceipt(a: LiveLog, b: LiveLog): number {
	const [idA, idB] = [BigInt(a.id), BigInt(b.id)];
	return idA < idB ? -1 : idA > idB ? 1 : 0;
}

function byTime(a: LiveLog, b: LiveLog): number {
	return a.ts - b.ts || byReceipt(a, b);
}
