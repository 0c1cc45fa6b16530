/** Answers that were computed before: those young enough are answered again, and any while their source does not answer. */

export interface Remembered<T> {
	readonly value: T;
	/** When its computation began, milliseconds since the epoch. */
	readonly at: number;
	/** Its source does not answer now: this is older than was asked for. */
	readonly isFallback: boolean;
}

export interface RecentOptions {
	readonly now: () => number;
	/** All answers together, bytes of their JSON. */
	readonly maxBytes: number;
	/** What is older is no answer any more, even where there is no other. */
	readonly keep_ms: number;
}

interface Entry<T> {
	readonly value: T;
	readonly at: number;
	readonly bytes: number;
}

/** The least recently asked go first when there are too many. */
export class Recent<T> {
	readonly #options: RecentOptions;
	readonly #entries = new Map<string, Entry<T>>();
	readonly #running = new Map<string, Promise<Entry<T>>>();
	#bytes = 0;

	constructor(options: RecentOptions) {
		this.#options = options;
	}

	/**
	 * @param maxAge_ms an answer whose computation began at most so long ago will do; so will one that is being computed. 0: a new
	 * one, for this caller alone while it is computed
	 * @param isAway whether an error says that the source does not answer
	 */
	async get(
		key: string,
		maxAge_ms: number,
		compute: () => Promise<T>,
		isAway: (error: unknown) => boolean,
	): Promise<Remembered<T>> {
		const now = this.#options.now();
		const known = this.#known(key, now);
		if (known && maxAge_ms > 0 && now - known.at <= maxAge_ms) return { ...known, isFallback: false };
		try {
			// Who asks for a new one may go away and end it: it is nobody else's.
			const running = maxAge_ms > 0 ? this.#shared(key, now, compute) : this.#compute(key, now, compute);
			return { ...(await running), isFallback: false };
		} catch (error) {
			const before = isAway(error) ? this.#known(key, now) : undefined;
			if (!before) throw error;
			return { ...before, isFallback: true };
		}
	}

	#known(key: string, now: number): Entry<T> | undefined {
		const entry = this.#entries.get(key);
		if (!entry) return undefined;
		this.#entries.delete(key);
		if (now - entry.at > this.#options.keep_ms) {
			this.#bytes -= entry.bytes;
			return undefined;
		}
		this.#entries.set(key, entry);
		return entry;
	}

	async #compute(key: string, at: number, compute: () => Promise<T>): Promise<Entry<T>> {
		const value = await compute();
		const entry = { value, at, bytes: key.length + JSON.stringify(value).length };
		this.#remember(key, entry);
		return entry;
	}

	#shared(key: string, at: number, compute: () => Promise<T>): Promise<Entry<T>> {
		const before = this.#running.get(key);
		if (before) return before;
		const running = this.#compute(key, at, compute);
		this.#running.set(key, running);
		const over = () => {
			if (this.#running.get(key) === running) this.#running.delete(key);
		};
		running.then(over, over);
		return running;
	}

	#remember(key: string, entry: Entry<T>): void {
		const before = this.#entries.get(key);
		// A slow computation must not replace what began after it.
		if (before && before.at > entry.at) return;
		if (before) this.#bytes -= before.bytes;
		this.#entries.delete(key);
		this.#entries.set(key, entry);
		this.#bytes += entry.bytes;
		for (const [oldest, { bytes }] of this.#entries) {
			if (this.#bytes <= this.#options.maxBytes) break;
			this.#entries.delete(oldest);
			this.#bytes -= bytes;
		}
	}
}
