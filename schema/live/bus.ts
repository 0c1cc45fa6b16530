/** The way of live messages from one part of the program to another: in one process, or between processes through Redis. */
import { LIVE_VERSION, type LiveMessage } from "./frames.ts";

export type Listener = (message: LiveMessage) => void;

export interface LiveBus {
	/** Never waits and never throws: a message that cannot be told now is lost, and counted by the one who misses it. */
	publish(channel: string, message: LiveMessage): void;
	/** @returns ends it */
	subscribe(channel: string, listener: Listener): () => void;
	/**
	 * Hears each time the way to other processes is open, and how long it was not, in milliseconds: 0 the first time; never in a bus
	 * of one process.
	 * @returns ends it
	 */
	onConnect(listener: (away_ms: number) => void): () => void;
}

/** Listeners by channel. */
export class Channels {
	readonly #byName = new Map<string, Set<Listener>>();

	/** @returns whether it is the first of its channel */
	add(channel: string, listener: Listener): boolean {
		const listeners = this.#byName.get(channel);
		if (listeners) {
			listeners.add(listener);
			return false;
		}
		this.#byName.set(channel, new Set([listener]));
		return true;
	}

	/** @returns whether it was the last of its channel */
	remove(channel: string, listener: Listener): boolean {
		const listeners = this.#byName.get(channel);
		if (!listeners?.delete(listener) || listeners.size > 0) return false;
		this.#byName.delete(channel);
		return true;
	}

	names(): string[] {
		return [...this.#byName.keys()];
	}

	tell(channel: string, message: LiveMessage): void {
		if (message.v !== LIVE_VERSION) return;
		for (const listener of [...(this.#byName.get(channel) ?? [])]) listener(message);
	}
}

/** The bus of a process that does everything itself: nothing is serialised. */
export class LocalBus implements LiveBus {
	readonly #channels = new Channels();

	publish(channel: string, message: LiveMessage): void {
		this.#channels.tell(channel, message);
	}

	subscribe(channel: string, listener: Listener): () => void {
		this.#channels.add(channel, listener);
		return () => void this.#channels.remove(channel, listener);
	}

	onConnect(): () => void {
		return () => undefined;
	}
}
