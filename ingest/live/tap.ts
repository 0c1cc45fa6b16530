/**
 * Ingest's side of what viewers see: after a commit is durable, the rows that somebody watches are folded into frames and told.
 * With nobody watching a commit costs one comparison.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LiveBus } from "../../schema/live/bus.ts";
import {
	FRAME_INTERVAL_MS,
	INTEREST_CHANNEL,
	INTEREST_INTERVAL_MS,
	type InterestMessage,
	LIVE_VERSION,
	projectChannel,
} from "../../schema/live/frames.ts";
import type { SealedBatch } from "../batch.ts";
import type { JournalTable } from "../journal/format.ts";
import type { SeriesRegistry } from "../series.ts";
import { readPoints } from "./block.ts";
import { Fold } from "./fold.ts";
import { Running } from "./running.ts";
import { WatchedProjects } from "./watched.ts";

export interface LiveTapOptions {
	readonly bus: LiveBus;
	readonly registry: SeriesRegistry;
	/** Names this process among all that tell. */
	readonly source: string;
	/** Milliseconds since the epoch. */
	readonly clock: () => number;
	/** Hears of a frame that could not be made: a mistake of ours, which must not touch ingest. */
	readonly onError: (error: unknown) => void;
}

/** Blocks that wait to be folded; when folding does not keep up, rows are left out and counted rather than kept. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;

const TOLD: ReadonlySet<JournalTable> = new Set(["points", "cumulative", "events", "logs"]);

interface Waiting {
	readonly table: JournalTable;
	readonly block: Buffer;
}

export class LiveTap {
	readonly #options: LiveTapOptions;
	readonly #watched: WatchedProjects;
	readonly #running = new Running();
	readonly #fold: Fold;
	/** Place of the next frame, by project. */
	readonly #seq = new Map<string, number>();
	readonly #ends: (() => void)[];
	#waiting: Waiting[] = [];
	#waitingBytes = 0;
	/** Rows that were not looked at, since the last frame. */
	#unseen = 0;
	#working: Promise<void> | undefined;
	#frame: NodeJS.Timeout | undefined;

	constructor(options: LiveTapOptions) {
		const { bus, registry, clock } = options;
		this.#options = options;
		this.#watched = new WatchedProjects(clock);
		this.#fold = new Fold({
			watched: this.#watched,
			running: this.#running,
			tagsOf: (high, low) => registry.tagsOf(high, low),
		});
		const ask = () => bus.publish(INTEREST_CHANNEL, { type: "question", v: LIVE_VERSION });
		const forget = setInterval(() => this.forgetSilent(), INTEREST_INTERVAL_MS);
		forget.unref();
		this.#ends = [
			bus.subscribe(INTEREST_CHANNEL, (message) => {
				// Totals of projects that nobody watched are old: the next of each series is the first again.
				if (this.#watched.hear(message as InterestMessage)) this.#running.forget();
			}),
			bus.onConnect(ask),
			() => clearInterval(forget),
		];
		ask();
	}

	/** Takes note of a commit. Its blocks are good during this call only. */
	commit(batch: SealedBatch): void {
		if (this.#watched.isEmpty) return;
		for (const { table, rows, block } of batch.frames) {
			if (!TOLD.has(table)) continue;
			if (this.#waitingBytes + block.length > MAX_WAITING_BYTES) {
				this.#unseen += rows;
				continue;
			}
			this.#waiting.push({ table, block: Buffer.from(block) });
			this.#waitingBytes += block.length;
		}
		if (this.#waiting.length > 0) this.#working ??= this.#work();
	}

	/** Resolves when everything that was committed is folded. */
	async settled(): Promise<void> {
		await this.#working;
	}

	/** Viewers that went away without a word are not told any more. */
	forgetSilent(): void {
		this.#watched.forgetSilent();
	}

	close(): void {
		for (const end of this.#ends) end();
		clearTimeout(this.#frame);
		this.#tell();
	}

	/** One block a turn of the event loop, after the requests whose commit this was are answered. */
	async #work(): Promise<void> {
		for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
			await nextTurn();
			this.#waitingBytes -= next.block.length;
			try {
				if (next.table === "logs") this.#fold.logs(next.block);
				else if (next.table === "events") this.#fold.events(next.block, this.#options.clock());
				else this.#fold.points(readPoints(next.block), this.#options.clock());
			} catch (error) {
				this.#options.onError(error);
			}
		}
		this.#working = undefined;
		if (!this.#fold.isEmpty) this.#frame ??= setTimeout(() => this.#tell(), FRAME_INTERVAL_MS);
	}

	#tell(): void {
		this.#frame = undefined;
		const unseen = this.#unseen;
		this.#unseen = 0;
		for (const [project, { parts, logs, left_out }] of this.#fold.take()) {
			const seq = this.#seq.get(project) ?? 0;
			this.#seq.set(project, seq + 1);
			this.#options.bus.publish(projectChannel(project), {
				...{ type: "frame", v: LIVE_VERSION, project, source: this.#options.source, seq, parts, logs },
				// Of which project they were was not looked at either: each is told that it may miss so many.
				left_out: { metrics: left_out.metrics + unseen, logs: left_out.logs },
			});
		}
	}
}
