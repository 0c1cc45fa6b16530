/** One open stream: whatever carries it, it is given bytes that others get too, and it is never waited for. */

/** Why a stream is ended by the server. */
export interface Goodbye {
	/** Close code of WebSockets, RFC 6455. */
	readonly code: 1001 | 1008 | 1011 | 1013;
	readonly reason: string;
}

/** What carries a stream. */
export interface Wire {
	/** Bytes that were given and not taken by the network yet. */
	readonly buffered: number;
	/** Hands messages over in one go: what a reader costs is not its bytes but its calls of the system. */
	write(messages: readonly Buffer[]): void;
	/** A message of this kind, as the wire puts it: `{"type": kind, …}` or a named event. */
	encode(kind: string, body: object): Buffer;
	/** Something that keeps proxies from closing the connection, and finds out whether the other side is gone. @returns false when it is */
	beat(): boolean;
	/** Says so in the way of the wire and ends it once everything is written. */
	end(goodbye: Goodbye): void;
	/** Ends it at once. */
	destroy(): void;
}

/** How long a reader that was skipped may take to catch up before it is told and closed, and then to read that. */
const SLOW_MS = 5_000;
const LAST_WORDS_MS = 10_000;

export class Viewer {
	readonly wire: Wire;
	/** Bytes that may wait before messages are skipped. */
	readonly #limit: () => number;
	readonly #now: () => number;
	readonly #onSkip: (messages: number) => void;
	#skipped = 0;
	#slow_since: number | undefined;
	#ended_at: number | undefined;

	/**
	 * @param now milliseconds of a clock that only moves forward
	 * @param onSkip hears of messages that this reader does not get
	 */
	constructor(wire: Wire, limit: () => number, now: () => number, onSkip: (messages: number) => void) {
		this.wire = wire;
		this.#limit = limit;
		this.#now = now;
		this.#onSkip = onSkip;
	}

	/** Gives messages to the reader, or none of them when it has too many before it. */
	send(messages: readonly Buffer[]): void {
		if (this.#ended_at !== undefined) return;
		if (this.#slow_since !== undefined || this.wire.buffered > this.#limit()) {
			this.#slow_since ??= this.#now();
			this.#skipped += messages.length;
			this.#onSkip(messages.length);
			return;
		}
		this.wire.write(messages);
	}

	/** A message to this reader alone. */
	tell(kind: string, body: object): void {
		this.send([this.wire.encode(kind, body)]);
	}

	/** Call it every second: a slow reader is told how much it missed, and closed, so that it begins again with a snapshot. */
	check(): void {
		const now = this.#now();
		if (this.#ended_at !== undefined) {
			if (now - this.#ended_at > LAST_WORDS_MS) this.wire.destroy();
			return;
		}
		if (this.#slow_since === undefined) return;
		if (this.wire.buffered > this.#limit() / 2 && now - this.#slow_since < SLOW_MS) return;
		const reason = "This reader is slower than the stream; connect again to go on from a new snapshot";
		this.wire.write([this.wire.encode("skipped", { messages: this.#skipped, reason })]);
		this.end({ code: 1013, reason: `too slow: ${this.#skipped} messages were skipped` });
	}

	end(goodbye: Goodbye): void {
		if (this.#ended_at !== undefined) return;
		this.#ended_at = this.#now();
		this.wire.end(goodbye);
	}
}
