import type { IngestAnswer } from "../schema/wire/ingest.ts";
import { Analytics } from "./analytics.ts";
import { Batcher, type ClientStats } from "./batcher.ts";
import type { TidemarkError } from "./errors.ts";
import { endOfProcess, inBrowser } from "./lifecycle.ts";
import { Monitoring } from "./monitoring.ts";
import type { WebSocketClass } from "./socket-stream.ts";
import { Transport } from "./transport.ts";

/** Browsers finish requests of a page that is gone only below 64 KiB. */
const KEEPALIVE_CHARS = 60_000;

const NDJSON = "application/x-ndjson";

/** How far `flush` goes. */
export interface FlushOptions {
	timeoutMs?: number;
	wait?: boolean;
}

export interface ClientOptions {
	apiKey: string;
	/** Default `http://127.0.0.1:8000`. */
	baseUrl?: string;
	/** Deadline of one request, milliseconds; default 10,000. */
	timeoutMs?: number;
	/** Records are sent when so many wait; default 500, and at most the server's limit for a request (10,000). */
	flushRecords?: number;
	/** … or when the oldest has waited for so long, milliseconds; default 1,000. */
	flushIntervalMs?: number;
	/** Text that may wait to be sent, in characters; over it the oldest records are dropped and counted. Default 16 Mi. */
	maxQueueChars?: number;
	/** How long the records may hold up the end of the process, milliseconds; default 5,000, 0 to not wait. */
	exitTimeoutMs?: number;
	/**
	 * Told of each failed try to send records; reads throw instead. The default prints the first failure after a success
	 * with `console.warn`, since telemetry that is silently not sent is noticed only when it is needed.
	 */
	onError?: (error: TidemarkError) => void;
	fetch?: typeof globalThis.fetch;
	/** For `analytics.realtime`, where there is none: the class of the package `ws` fits. */
	WebSocket?: WebSocketClass;
}

/**
 * Sends telemetry to Tidemark and reads its answers.
 *
 * @example
 * const client = new Client({ apiKey: "tm_ingest_…" });
 * client.monitoring.trackMetric({ name: "queue.depth", value: 12, tags: { queue: "mail" } });
 * await client.shutdown();
 */
export class Client {
	readonly monitoring: Monitoring;
	readonly analytics: Analytics;
	readonly #transport: Transport;
	readonly #batcher: Batcher;
	readonly #exitTimeoutMs: number;
	#watchesEnd: (() => void) | undefined;
	#closed = false;

	constructor(options: ClientOptions) {
		if (!options.apiKey) throw new TypeError("a Tidemark client needs an apiKey");
		const transport = new Transport({
			apiKey: options.apiKey,
			baseUrl: options.baseUrl ?? "http://127.0.0.1:8000",
			timeoutMs: options.timeoutMs ?? 10_000,
			// Looked up at each call: tests and instrumentation replace the global one.
			fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
		});
		this.#transport = transport;
		const report = options.onError ?? warnOnce();
		this.#exitTimeoutMs = options.exitTimeoutMs ?? 5000;
		this.#batcher = new Batcher({
			flushRecords: options.flushRecords ?? 500,
			flushChars: inBrowser ? KEEPALIVE_CHARS : 2 ** 20,
			flushIntervalMs: options.flushIntervalMs ?? 1000,
			maxQueueChars: options.maxQueueChars ?? 2 ** 24,
			send: (body, idempotencyKey) =>
				transport.post<IngestAnswer>("/v1/ingest/batch", body, {
					contentType: NDJSON,
					idempotencyKey,
					keepalive: inBrowser && body.length <= KEEPALIVE_CHARS,
				}),
			onError: report,
		});
		this.monitoring = new Monitoring(transport, (line) => this.#add(line));
		this.analytics = new Analytics(
			transport,
			options.WebSocket ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket,
		);
	}

	/**
	 * Sends what waits.
	 *
	 * @param options.wait also until the records can be queried, which is a second or so later than that they are durable
	 * @returns true when the server has answered for all of it, false when `timeoutMs` ran out first
	 * @throws TidemarkError when the server cannot be asked whether they can be queried
	 */
	async flush({ timeoutMs = 30_000, wait = false }: FlushOptions = {}): Promise<boolean> {
		const done = await this.#batcher.flush(timeoutMs);
		// A request without records: it is answered when all that was accepted before it can be queried.
		if (done && wait) await this.#transport.post("/v1/ingest/batch?wait=true", "", { contentType: NDJSON });
		return done;
	}

	/** Takes no more records, sends what waits, and gives up on the rest after `timeoutMs`. */
	async shutdown(timeoutMs = 5000): Promise<ClientStats> {
		this.#closed = true;
		this.#watchesEnd?.();
		this.#watchesEnd = undefined;
		await this.#batcher.shutdown(timeoutMs);
		return this.stats();
	}

	/** What became of the records: tracked = queued + accepted + rejected + dropped. */
	stats(): ClientStats {
		return this.#batcher.stats();
	}

	#add(line: string): void {
		// With the first record, not in the constructor: a client that only reads has nothing to finish.
		if (!this.#closed) this.#watchesEnd ??= endOfProcess(() => this.#flushAtEnd());
		this.#batcher.add(line);
	}

	async #flushAtEnd(): Promise<void> {
		if (this.#batcher.stats().queued === 0 || this.#exitTimeoutMs === 0) return;
		// Once: an event loop that empties again without success would never let the process end.
		if (!(await this.#batcher.flush(this.#exitTimeoutMs))) this.#watchesEnd?.();
	}
}

function warnOnce(): (error: TidemarkError) => void {
	let last: string | undefined;
	return (error) => {
		if (error.message === last) return;
		last = error.message;
		console.warn(`tidemark: records could not be sent: ${error.message}`);
	};
}
