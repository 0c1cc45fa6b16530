// Sends records in batches, one request at a time, and accounts for every one of them:
// tracked = queued + accepted + rejected + dropped.
import type { IngestAnswer, RejectedRecord } from "../schema/wire/ingest.ts";
import { TidemarkError } from "./errors.ts";
import { LineQueue, type QueuedLine } from "./queue.ts";
import { mayRetry, retryDelayMs } from "./retry.ts";

const RECENT_REJECTIONS = 10;

export interface BatcherOptions {
	/** A batch is sent when so many records wait. */
	flushRecords: number;
	/** … or so much text, in UTF-16 units. */
	flushChars: number;
	/** … or when the oldest record has waited for so long, milliseconds. */
	flushIntervalMs: number;
	/** Text that may wait, in UTF-16 units; over it the oldest records are dropped. */
	maxQueueChars: number;
	send(body: string, idempotencyKey: string): Promise<IngestAnswer>;
	onError(error: TidemarkError): void;
}

/** What became of the records. */
export interface ClientStats {
	/** Waiting, or being sent. */
	queued: number;
	/** Durable on the server's disk. */
	accepted: number;
	/** Refused by the server, record by record. */
	rejected: number;
	/** Given up by this client, the sum of `dropped_because`. */
	dropped: number;
	dropped_because: {
		/** The queue was full; the oldest went. */
		queue_full: number;
		/** The server refused the whole batch (a bad key, a record too large). */
		refused: number;
		/** Still there when `shutdown()` ran out of time, or tracked after it. */
		shutdown: number;
	};
	retries: number;
	recent_rejections: RejectedRecord[];
	last_error: string | undefined;
}

export class Batcher {
	readonly #options: BatcherOptions;
	readonly #queue = new LineQueue();
	#inFlight: QueuedLine[] = [];
	#lastSeq = 0;
	/** Records up to this one are sent without waiting for more. */
	#dueSeq = 0;
	#maxBatchChars: number;
	#running = false;
	#closed = false;
	#timer: ReturnType<typeof setTimeout> | undefined;
	/** Ends the pause between two tries. */
	#wake: (() => void) | undefined;
	#mayWake = false;
	#abandoned = false;
	#waiters: { seq: number; resolve: () => void }[] = [];
	#accepted = 0;
	#rejected = 0;
	#retries = 0;
	readonly #dropped = { queue_full: 0, refused: 0, shutdown: 0 };
	#recentRejections: RejectedRecord[] = [];
	#lastError: string | undefined;

	constructor(options: BatcherOptions) {
		this.#options = options;
		this.#maxBatchChars = options.flushChars;
	}

	/** Takes one line of the batch; never throws and never waits. */
	add(line: string): void {
		const seq = ++this.#lastSeq;
		if (this.#closed) {
			this.#dropped.shutdown++;
			return;
		}
		this.#queue.push({ seq, line });
		while (this.#queue.chars > this.#options.maxQueueChars && this.#queue.length > 0) {
			this.#queue.shift();
			this.#dropped.queue_full++;
		}
		this.#settle();
		if (this.#isFull()) void this.#run();
		else this.#schedule();
	}

	/** Resolves with true when all records of before are answered for, with false when the time runs out first. */
	async flush(timeoutMs: number): Promise<boolean> {
		const seq = this.#lastSeq;
		this.#dueSeq = Math.max(this.#dueSeq, seq);
		if (this.#oldestSeq() > seq) return true;
		// A server that named a time is not asked before.
		if (this.#mayWake) this.#wake?.();
		void this.#run();
		return new Promise((resolve) => {
			const waiter = { seq, resolve: () => end(true) };
			// Not unref'd: it is what keeps the process alive through the pauses between tries.
			const timer = setTimeout(() => end(false), timeoutMs);
			const end = (done: boolean) => {
				clearTimeout(timer);
				this.#waiters = this.#waiters.filter((other) => other !== waiter);
				resolve(done);
			};
			this.#waiters.push(waiter);
		});
	}

	/** Takes no more records, sends what waits, and counts as dropped what is left when the time runs out. */
	async shutdown(timeoutMs: number): Promise<void> {
		this.#closed = true;
		await this.flush(timeoutMs);
		clearTimeout(this.#timer);
		while (this.#queue.shift()) this.#dropped.shutdown++;
		// A request that is under way may still arrive; it is counted when its answer comes, and not tried again.
		this.#abandoned = true;
		this.#wake?.();
	}

	stats(): ClientStats {
		return {
			queued: this.#queue.length + this.#inFlight.length,
			accepted: this.#accepted,
			rejected: this.#rejected,
			dropped: this.#dropped.queue_full + this.#dropped.refused + this.#dropped.shutdown,
			dropped_because: { ...this.#dropped },
			retries: this.#retries,
			recent_rejections: [...this.#recentRejections],
			last_error: this.#lastError,
		};
	}

	#isFull(): boolean {
		return this.#queue.length >= this.#options.flushRecords || this.#queue.chars >= this.#maxBatchChars;
	}

	#schedule(): void {
		if (this.#timer || this.#running || this.#closed) return;
		this.#timer = setTimeout(() => {
			this.#timer = undefined;
			this.#dueSeq = this.#lastSeq;
			void this.#run();
		}, this.#options.flushIntervalMs);
		unref(this.#timer);
	}

	/** Sends batches while one is full or due. Never rejects. */
	async #run(): Promise<void> {
		if (this.#running) return;
		this.#running = true;
		while (this.#queue.first && (this.#isFull() || this.#queue.first.seq <= this.#dueSeq)) {
			this.#inFlight = this.#queue.take(this.#options.flushRecords, this.#maxBatchChars);
			await this.#deliver(this.#inFlight);
			this.#inFlight = [];
			this.#settle();
		}
		this.#running = false;
		if (this.#queue.length > 0) this.#schedule();
	}

	async #deliver(lines: QueuedLine[]): Promise<void> {
		const body = `${lines.map(({ line }) => line).join("\n")}\n`;
		// One key for all tries: an answer that was lost on the way must not store the batch twice.
		const idempotencyKey = randomKey();
		for (let tries = 1; ; tries++) {
			try {
				this.#count(await this.#options.send(body, idempotencyKey));
				return;
			} catch (error) {
				if (!(error instanceof TidemarkError)) throw error;
				if (isAnswer(error.body)) {
					this.#count(error.body);
					return;
				}
				this.#lastError = error.message;
				if (error.status === 413 && lines.length > 1) {
					this.#maxBatchChars = Math.max(1, Math.floor(body.length / 2));
					this.#queue.unshift(lines);
					return;
				}
				// Out of this loop, so that what the callback throws is the application's and does not stop the sending.
				queueMicrotask(() => this.#options.onError(error));
				if (!mayRetry(error, tries)) {
					this.#dropped.refused += lines.length;
					return;
				}
				if (!this.#abandoned) {
					this.#mayWake = error.retryAfter === undefined;
					await this.#pause(retryDelayMs(tries, error.retryAfter, Math.random()));
				}
				if (this.#abandoned) {
					this.#dropped.shutdown += lines.length;
					return;
				}
				this.#retries++;
			}
		}
	}

	#count(answer: IngestAnswer): void {
		this.#accepted += answer.accepted;
		this.#rejected += answer.rejected.length;
		this.#recentRejections = [...this.#recentRejections, ...answer.rejected].slice(-RECENT_REJECTIONS);
	}

	async #pause(ms: number): Promise<void> {
		await new Promise<void>((resolve) => {
			const timer = setTimeout(resolve, ms);
			unref(timer);
			this.#wake = () => {
				clearTimeout(timer);
				resolve();
			};
		});
		this.#wake = undefined;
	}

	#oldestSeq(): number {
		return this.#inFlight[0]?.seq ?? this.#queue.first?.seq ?? this.#lastSeq + 1;
	}

	#settle(): void {
		const oldest = this.#oldestSeq();
		for (const waiter of this.#waiters) if (waiter.seq < oldest) waiter.resolve();
	}
}

/** Nothing valid in the batch is 400, with the verdict on each record. */
function isAnswer(body: unknown): body is IngestAnswer {
	return (
		typeof body === "object" &&
		body !== null &&
		"accepted" in body &&
		"rejected" in body &&
		Array.isArray(body.rejected)
	);
}

/** Not `crypto.randomUUID`, which browsers have on HTTPS pages only. */
function randomKey(): string {
	return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** In Node a waiting timer would keep the process from ending; browsers' timers are numbers. */
function unref(timer: ReturnType<typeof setTimeout>): void {
	if (typeof timer === "object") timer.unref();
}
