import type { OpenBatch, SealedBatch } from "./batch.ts";
import type { Journal } from "./journal/journal.ts";

/** Hears of each commit: the segment it is in, and what was in it. */
export type OnCommit = (segment: number, batch: SealedBatch) => void;

/**
 * Group commit: while one commit is being synced, the records of all requests that arrive gather in the open batch and go
 * together into the next. A lone request waits for one sync, a thousand at once share one.
 */
export class Committer {
	readonly #journal: Journal;
	readonly #batch: OpenBatch;
	readonly #exclusive: <T>(work: () => Promise<T>) => Promise<T>;
	readonly #onCommit: OnCommit;
	#next: Promise<number> | undefined;

	/** @param onCommit called after each commit, before its requests are answered */
	constructor(journal: Journal, batch: OpenBatch, onCommit: OnCommit) {
		this.#journal = journal;
		this.#batch = batch;
		this.#onCommit = onCommit;
		this.#exclusive = serially();
	}

	/**
	 * Resolves when everything now in the open batch is durable, with the journal segment it is in.
	 * @throws JournalWriteError when it is not, for every request of the commit
	 */
	commit(): Promise<number> {
		this.#next ??= this.#exclusive(async () => {
			// Requests whose bodies were read in this turn of the event loop still join.
			await new Promise<void>((resolve) => setImmediate(resolve));
			this.#next = undefined;
			const sealed = this.#batch.seal();
			try {
				const segment = await this.#journal.append(sealed.frames, sealed.records);
				this.#onCommit(segment, sealed);
				return segment;
			} catch (error) {
				forget(sealed);
				throw error;
			}
		});
		return this.#next;
	}

	/** Seals the journal's active segment between two commits. */
	seal(): Promise<void> {
		return this.#exclusive(() => this.#journal.seal());
	}
}

/**
 * The rows of these series and patterns were lost with the commit; the next record of each announces it again. So, maybe, were issues.
 */
function forget(batch: SealedBatch): void {
	for (const issue of batch.issues) issue.doubtful = true;
	for (const pattern of batch.announcedPatterns) pattern.announced = -1;
	for (const series of batch.announced) series.announced = -1;
}

/** Runs what it is given one after the other. */
function serially(): <T>(work: () => Promise<T>) => Promise<T> {
	let last: Promise<unknown> = Promise.resolve();
	return (work) => {
		const result = last.then(work, work);
		last = result;
		return result;
	};
}
