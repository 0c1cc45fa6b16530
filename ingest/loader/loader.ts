import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import type { TableName } from "../../schema/tables.ts";
import type { Suspects } from "../batch.ts";
import { framesOf, type JournalTable, scanSegment } from "../journal/format.ts";
import type { Journal } from "../journal/journal.ts";
import type { Segment } from "../journal/recover.ts";
import { SegmentReader } from "../journal/segment-reader.ts";
import type { Ledger } from "../ledger.ts";
import { CumulativeResolver, findTotals } from "./cumulative.ts";
import { idsOf, type KnownIds, knownIds, storedOf, withoutDuplicates } from "./duplicates.ts";
import type { SizedBlock } from "./insert.ts";
import { noted } from "./noted.ts";
import { retrying, type Trouble } from "./retry.ts";
import { Store } from "./store.ts";

export interface LoaderOptions {
	readonly journal: Journal;
	readonly clickhouse: ClickHouse;
	readonly ledger: Ledger;
	/** Seals the active segment between two commits. */
	readonly seal: () => Promise<void>;
	readonly clock: () => number;
	readonly logger: Logger;
	/** How long records gather before they are sent on, when nothing else seals the segment. */
	readonly flush_ms: number;
	/** A segment of this many bytes is sealed at once. */
	readonly segmentBytes: number;
}

/** A segment of so many bytes when it would be sealed is a sign of load: it gathers on, for at most so long. */
const BUSY_BYTES = 2 * 1024 * 1024;
const BUSY_FLUSH_MS = 3_000;

/**
 * Series first: a point is of no use to a reader who cannot find its series, nor a line without its pattern. Requests last: they
 * vouch for the others.
 */
const ORDER = [
	...["series", "log_patterns"],
	...["points", "cumulative", "events", "logs", "errors", "profiles"],
	"requests",
] as const;

/** Carries journal segments into ClickHouse, one after the other, oldest first, each exactly once. */
export class Loader {
	readonly #options: LoaderOptions;
	readonly #stopping = new AbortController();
	readonly #store: Store;
	readonly #reader = new SegmentReader();
	readonly #known: KnownIds;
	readonly #totals: CumulativeResolver;
	readonly #waiting = new Map<number, (() => void)[]>();
	readonly #suspects = new Map<number, Suspects>();
	#storedUpTo: number;
	#running: Promise<void> | undefined;
	#wake: () => void = () => undefined;
	#urgent = false;
	#trouble: Trouble | undefined;

	constructor(options: LoaderOptions) {
		this.#options = options;
		const known = knownIds(options.clickhouse);
		const find = findTotals(options.clickhouse);
		this.#store = new Store({
			clickhouse: options.clickhouse,
			clock: options.clock,
			retrying: (work) => this.#retrying(work),
		});
		this.#known = (...args) => this.#retrying(() => known(...args));
		this.#totals = new CumulativeResolver((...args) => this.#retrying(() => find(...args)));
		this.#storedUpTo = (options.journal.sealed[0]?.seq ?? options.journal.active?.seq ?? 0) - 1;
	}

	/** Why nothing gets stored at the moment; undefined when all is well. */
	get trouble(): Trouble | undefined {
		return this.#trouble;
	}

	start(): void {
		this.#running ??= this.#run();
	}

	/** A commit was made, with events whose ids may have been seen before. */
	notify(seq: number, suspects: Suspects): void {
		const before = this.#suspects.get(seq) ?? [];
		const unknown = before === "unknown" || suspects === "unknown";
		this.#suspects.set(seq, unknown ? "unknown" : suspects.length === 0 ? before : [...before, ...suspects]);
		const { active } = this.#options.journal;
		if (active && active.bytes >= this.#options.segmentBytes) this.#urgent = true;
		this.#wake();
	}

	isStored(seq: number): boolean {
		return seq <= this.#storedUpTo;
	}

	/** Resolves when the rows of this segment, and of all before it, can be queried. Hurries them. */
	whenStored(seq: number): Promise<void> {
		if (this.isStored(seq)) return Promise.resolve();
		this.#urgent = true;
		this.#wake();
		return new Promise((resolve) => {
			this.#waiting.set(seq, [...(this.#waiting.get(seq) ?? []), resolve]);
		});
	}

	/** Stores what is in the journal, or as much as `deadline_ms` allows; the rest is replayed by the next start. */
	async drain(deadline_ms: number): Promise<void> {
		const { journal } = this.#options;
		const last = journal.newestSeq;
		const deadline = new AbortController();
		if (last > 0) {
			await Promise.race([
				this.whenStored(last),
				sleep(deadline_ms, undefined, { signal: deadline.signal }).catch(() => undefined),
			]);
		}
		deadline.abort();
		this.#stopping.abort();
		this.#wake();
		await this.#running;
	}

	async #run(): Promise<void> {
		const { journal, seal, logger } = this.#options;
		while (!this.#stopping.signal.aborted) {
			const segment = journal.sealed[0];
			try {
				if (segment) await this.#load(segment);
				else if (await this.#gathered()) await seal();
			} catch (error) {
				if (this.#stopping.signal.aborted) return;
				// Not an answer of ClickHouse: a folder that cannot be read, a bug. The segment stays where it is.
				logger.error({ err: error, segment: segment?.seq }, "the loader failed and tries again");
				this.#trouble = { failure: "stop", message: String(error), since: this.#options.clock(), attempts: 1 };
				await sleep(5_000, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
			}
		}
	}

	/** Waits until the active segment should be sealed. @returns false when told to stop */
	async #gathered(): Promise<boolean> {
		const { journal, flush_ms } = this.#options;
		while (!journal.active && !this.#stopping.signal.aborted) await this.#woken();
		const began = performance.now();
		while (!this.#urgent && !this.#stopping.signal.aborted) {
			// A big insert costs the engine half as much a row as a small one: the rollups see more points of a bucket at once.
			const busy = (journal.active?.bytes ?? 0) >= BUSY_BYTES;
			const left = began + (busy ? Math.max(flush_ms, BUSY_FLUSH_MS) : flush_ms) - performance.now();
			if (left <= 0) break;
			await this.#woken(left);
		}
		this.#urgent = false;
		return !this.#stopping.signal.aborted;
	}

	#woken(atMost_ms?: number): Promise<void> {
		return new Promise((resolve) => {
			const timer = atMost_ms === undefined ? undefined : setTimeout(resolve, atMost_ms);
			this.#wake = () => {
				clearTimeout(timer);
				resolve();
			};
			if (this.#stopping.signal.aborted) this.#wake();
		});
	}

	async #load(segment: Segment): Promise<void> {
		const { journal, ledger } = this.#options;
		const bytes = await this.#reader.read(segment);
		const blocks = Object.fromEntries(ORDER.map((table) => [table, []])) as unknown as Record<
			JournalTable,
			SizedBlock[]
		>;
		for (const commit of scanSegment(bytes).commits) {
			for (const { table, rows, block } of framesOf(bytes, commit)) blocks[table].push({ rows, block });
		}
		const store = (table: TableName, stored: readonly SizedBlock[], name: string = table) =>
			this.#store.store(segment.id, segment.path, { table, name, blocks: stored });
		let quarantined = 0;
		let duplicates = 0;
		for (const table of ORDER) {
			if (blocks[table].length === 0) continue;
			if (table === "events") {
				const events = await this.#withoutDuplicates(segment, blocks.events);
				duplicates += events.duplicates;
				quarantined += await store("events", events.blocks);
			} else if (table === "cumulative") {
				const increases = await this.#totals.resolve(blocks.cumulative.map(({ block }) => block));
				await store("points", increases, "increases");
				quarantined += await store("cumulative", blocks.cumulative);
				this.#totals.stored(blocks.cumulative.map(({ block }) => block));
			} else quarantined += await store(table, blocks[table]);
		}
		// In one turn with the removal from the list: nobody may see the records in two places, or in none.
		ledger.quarantined += quarantined;
		ledger.duplicates += duplicates;
		ledger.stored += segment.records - quarantined - duplicates;
		await journal.remove(segment);
		this.#trouble = undefined;
		this.#suspects.delete(segment.seq);
		this.#storedUpTo = segment.seq;
		for (const [seq, resolvers] of this.#waiting) {
			if (seq > segment.seq) continue;
			this.#waiting.delete(seq);
			for (const resolve of resolvers) resolve();
		}
	}

	async #withoutDuplicates(segment: Segment, blocks: readonly SizedBlock[]) {
		const { suspects, stored } = await noted(`${segment.path}.known`, async () => {
			// Of a segment of an earlier process nothing is known.
			const watched = this.#suspects.get(segment.seq) ?? "unknown";
			const suspects = watched === "unknown" ? idsOf(blocks) : watched;
			return { suspects, stored: await storedOf(suspects, this.#known) };
		});
		return withoutDuplicates(blocks, suspects, stored);
	}

	#retrying<T>(work: () => Promise<T>): Promise<T> {
		const { clock, logger } = this.#options;
		return retrying(work, {
			signal: this.#stopping.signal,
			clock,
			onTrouble: (trouble) => {
				if (!trouble) logger.info("storing works again");
				else if (trouble.attempts === 1 || trouble.failure === "stop") {
					const level = trouble.failure === "stop" ? "error" : "warn";
					logger[level]({ trouble }, "records cannot be stored at the moment; they wait in the journal");
				}
				this.#trouble = trouble;
			},
		});
	}
}
