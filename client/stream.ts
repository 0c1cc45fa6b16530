// A stream that is opened again whenever it ends, until it is stopped: as callbacks, or with `for await`.
import type { TidemarkError } from "./errors.ts";
import { mayRetry, reconnectDelayMs } from "./retry.ts";

/** What this reader did not get. */
export interface StreamGap {
	/** Messages; null when nobody can tell how many. */
	skipped: number | null;
	reason: string;
}

/** What `onReconnect` hears: the stream ended or could not be opened, and is going to be tried again. */
export interface Reconnect {
	/** Why; undefined when the server just closed it. */
	error: TidemarkError | undefined;
	/** Milliseconds until the next try. */
	delay_ms: number;
	/** Tries since the last message. */
	tries: number;
}

/** What a server sends: a body of some kind. */
export interface StreamEvent {
	kind: string;
	body: unknown;
}

/** Where a stream is, from one connection to the next. */
export interface StreamPosition {
	/** What to ask the server to go on from; empty at the beginning. */
	lastEventId: string;
	/** How long to wait before the next connection, milliseconds, when the server said so. */
	retryMs: number | undefined;
}

export interface StreamSource<Message> {
	/** Events of one connection, read only as fast as they are taken where that is possible. @throws TidemarkError */
	connect(position: StreamPosition, signal: AbortSignal): AsyncIterable<StreamEvent>;
	/** The message for the reader, if it is one. @throws TidemarkError to end the stream */
	message(event: StreamEvent): Message | undefined;
	/** What the event says was left out, if it does. */
	gap(event: StreamEvent): StreamGap | undefined;
}

/**
 * Updates as they happen. It begins with a snapshot, and after an interruption goes on where it was, as far as the server can
 * tell; `onGap` hears what it cannot.
 *
 * @example
 * const stream = client.monitoring.metricsStream({ metrics: ["error_rate"], interval_seconds: 10 });
 * stream.onData((data) => console.log(data.error_rate_pct));
 * stream.start();
 *
 * @example
 * // No message is read before the one before it is done with, so a slow loop keeps nothing in memory.
 * for await (const log of client.monitoring.logStream({ filters: ["level:ERROR"] })) console.log(log.message);
 */
export class LiveStream<Message> implements AsyncIterable<Message> {
	readonly #source: StreamSource<Message>;
	readonly #signal: AbortSignal | undefined;
	readonly #position: StreamPosition = { lastEventId: "", retryMs: undefined };
	readonly #data = new Set<(message: Message) => void>();
	readonly #errors = new Set<(error: unknown) => void>();
	readonly #gaps = new Set<(gap: StreamGap) => void>();
	readonly #opens = new Set<() => void>();
	readonly #reconnects = new Set<(reconnect: Reconnect) => void>();
	/** Of the run that is going on. */
	#stop: AbortController | undefined;

	/** @param signal ends it, as `stop` does */
	constructor(source: StreamSource<Message>, signal?: AbortSignal) {
		this.#source = source;
		this.#signal = signal;
	}

	/** Calls `use` with each message. */
	onData(use: (message: Message) => void): this {
		this.#data.add(use);
		return this;
	}

	/** Calls `use` with what ended the stream: a refusal of the server (400, 401, 403 …) or an error that `onData` threw. */
	onError(use: (error: unknown) => void): this {
		this.#errors.add(use);
		return this;
	}

	/** Calls `use` when messages were left out. */
	onGap(use: (gap: StreamGap) => void): this {
		this.#gaps.add(use);
		return this;
	}

	/** Calls `use` when the server begins to send, at first and after each interruption. */
	onOpen(use: () => void): this {
		this.#opens.add(use);
		return this;
	}

	/** Calls `use` when the stream is interrupted and will be opened again. */
	onReconnect(use: (reconnect: Reconnect) => void): this {
		this.#reconnects.add(use);
		return this;
	}

	/** Begins to call `onData`. A stream that goes on already is left alone; one that was stopped goes on where it was. */
	start(): this {
		if (!this.#stop) void this.#run();
		return this;
	}

	/** Ends the stream and closes its connection; `for await` ends too. */
	stop(): void {
		this.#stop?.abort();
		this.#stop = undefined;
	}

	/** The messages one by one; leaving the loop ends the stream. It throws what `onError` would hear. */
	async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
		if (this.#stop) throw new TypeError("this stream is being read already");
		const stop = new AbortController();
		this.#stop = stop;
		try {
			yield* this.#messages(this.#signal ? AbortSignal.any([this.#signal, stop.signal]) : stop.signal);
		} finally {
			stop.abort();
			if (this.#stop === stop) this.#stop = undefined;
		}
	}

	async #run(): Promise<void> {
		try {
			for await (const message of this) for (const use of this.#data) use(message);
		} catch (error) {
			if (this.#errors.size === 0) console.warn(`tidemark: a stream has ended: ${error}`);
			for (const use of this.#errors) use(error);
		}
	}

	/** Connection after connection. */
	async *#messages(signal: AbortSignal): AsyncGenerator<Message, void, undefined> {
		for (let tries = 1; !signal.aborted; tries++) {
			let error: TidemarkError | undefined;
			let isOpen = false;
			try {
				for await (const event of this.#source.connect(this.#position, signal)) {
					if (!isOpen) for (const use of this.#opens) use();
					isOpen = true;
					tries = 0;
					const gap = this.#source.gap(event);
					if (gap) for (const use of this.#gaps) use(gap);
					const message = this.#source.message(event);
					if (message !== undefined) yield message;
					if (signal.aborted) return;
				}
			} catch (cause) {
				if (signal.aborted) return;
				if (!mayRetry(cause, tries)) throw cause;
				error = cause as TidemarkError;
			}
			if (signal.aborted) return;
			const delay_ms = reconnectDelayMs(Math.max(1, tries), error?.retryAfter, this.#position.retryMs, Math.random());
			for (const use of this.#reconnects) use({ error, delay_ms, tries });
			await pause(delay_ms, signal);
		}
	}
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const done = () => {
			clearTimeout(timer);
			signal.removeEventListener("abort", done);
			resolve();
		};
		const timer = setTimeout(done, ms);
		signal.addEventListener("abort", done);
	});
}
