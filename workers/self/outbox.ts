/** Records of this process on their way into its own pipeline: gathered, bounded, and every one that is lost is counted. */
import { setTimeout as sleep } from "node:timers/promises";

export type Signal = "metric" | "event" | "log";

/** Where the records go. */
export interface Inlet {
	/** Takes records of one signal. Resolves when they are durable. */
	write(signal: Signal, records: readonly object[]): Promise<{ rejected: readonly unknown[] }>;
	/** False while the pipeline should get nothing more: what waits goes on waiting. */
	ready(): boolean;
}

export interface OutboxOptions {
	readonly flush_ms?: number;
	/** Most that may wait, by the weight that `push` is told. */
	readonly maxBytes?: number;
}

/** What became of records that did not get in. */
export interface Losses {
	/** Pushed out by newer ones while the pipeline took nothing. */
	readonly overflow: number;
	/** The pipeline failed to write them. Not tried again: part of them may be durable, and would count twice. */
	readonly failed: number;
	/** Refused by the check that all records pass. */
	readonly rejected: number;
}

interface Waiting {
	readonly signal: Signal;
	readonly record: object;
	readonly bytes: number;
}

/** Of a record that is given no weight of its own, such as a point with its tags. */
const USUAL_BYTES = 400;
/** Records are checked between two turns of the event loop, and requests wait meanwhile. */
const CHUNK = 1_000;

/**
 * It never throws and never logs, so that a log line about trouble with the pipeline can be put into it without starting a
 * circle. When it is full the oldest records go: the newest tell more about the trouble.
 */
export class Outbox {
	readonly #flush_ms: number;
	readonly #maxBytes: number;
	#waiting: Waiting[] = [];
	/** Index of the oldest; those before it are gone. */
	#head = 0;
	#bytes = 0;
	#inlet: Inlet | undefined;
	#closed = false;
	#loop: { stop: AbortController; done: Promise<void> } | undefined;
	#losses = { overflow: 0, failed: 0, rejected: 0 };
	#sent = 0;

	constructor({ flush_ms = 2_000, maxBytes = 16 * 2 ** 20 }: OutboxOptions = {}) {
		this.#flush_ms = flush_ms;
		this.#maxBytes = maxBytes;
	}

	get losses(): Losses {
		return this.#losses;
	}

	/** Records that are durable. */
	get sent(): number {
		return this.#sent;
	}

	push(signal: Signal, record: object, bytes = USUAL_BYTES): void {
		if (this.#closed) return;
		this.#waiting.push({ signal, record, bytes });
		this.#bytes += bytes;
		while (this.#bytes > this.#maxBytes && this.#head < this.#waiting.length - 1) {
			this.#bytes -= this.#waiting[this.#head++]!.bytes;
			this.#losses.overflow++;
		}
		// Moving the rest forward for each dropped one would be quadratic.
		if (this.#head > 10_000) {
			this.#waiting.splice(0, this.#head);
			this.#head = 0;
		}
	}

	/** From now on what waits is sent, at the interval. */
	open(inlet: Inlet): void {
		this.#inlet = inlet;
		const stop = new AbortController();
		this.#loop = { stop, done: this.#run(stop.signal) };
	}

	/** Nothing will be sent from this process: what waits, and what comes, is let go. */
	shut(): void {
		this.#closed = true;
		this.#take();
	}

	/** Sends what waits a last time; what comes after it is let go. */
	async close(): Promise<void> {
		this.#loop?.stop.abort();
		await this.#loop?.done;
		await this.#flush();
		this.shut();
	}

	async #run(stopping: AbortSignal): Promise<void> {
		while (!stopping.aborted) {
			await sleep(this.#flush_ms, undefined, { signal: stopping }).catch(() => undefined);
			await this.#flush();
		}
	}

	async #flush(): Promise<void> {
		if (!this.#inlet?.ready()) return;
		const waiting = this.#take();
		for (const signal of ["metric", "event", "log"] as const) {
			const records = waiting.filter((one) => one.signal === signal).map((one) => one.record);
			for (let from = 0; from < records.length; from += CHUNK) {
				const chunk = records.slice(from, from + CHUNK);
				try {
					const { rejected } = await this.#inlet.write(signal, chunk);
					this.#losses.rejected += rejected.length;
					this.#sent += chunk.length - rejected.length;
				} catch {
					// Counted, not logged: the line would come here.
					this.#losses.failed += chunk.length;
				}
			}
		}
	}

	#take(): Waiting[] {
		const taken = this.#waiting.slice(this.#head);
		this.#waiting = [];
		this.#head = 0;
		this.#bytes = 0;
		return taken;
	}
}
