import type { Redis } from "ioredis";
import { Channels, type Listener, type LiveBus } from "./bus.ts";
import type { LiveMessage } from "./frames.ts";

/** The subscriber is asked so often whether it is still there: a connection that died silently never says so. */
const PING_INTERVAL_MS = 5_000;

export interface RedisBusOptions {
	/** Tells; must fail fast: no queue while it is not connected. */
	readonly publisher: Redis;
	/** A connection of its own, for subscriptions only. */
	readonly subscriber: Redis;
	/** Names this process, so that it does not hear itself twice. */
	readonly source: string;
}

/**
 * The bus between processes. Listeners of this process are told directly, so they miss nothing while Redis is away; all others
 * through Redis. Subscriptions are taken up again after every interruption.
 */
export class RedisBus implements LiveBus {
	readonly #channels = new Channels();
	readonly #options: RedisBusOptions;
	readonly #connected = new Set<(away_ms: number) => void>();
	readonly #ping: NodeJS.Timeout;
	readonly #onReady = () => void this.#resume();
	readonly #onClose = () => {
		// Tries that fail close as well.
		if (this.#wasConnected) this.#away_since ??= performance.now();
	};
	readonly #onMessage = (channel: string, text: string) => this.#hear(channel, text);
	#lost = 0;
	#wasConnected = false;
	#away_since: number | undefined;

	constructor(options: RedisBusOptions) {
		this.#options = options;
		const { subscriber } = options;
		subscriber.on("message", this.#onMessage);
		subscriber.on("ready", this.#onReady);
		subscriber.on("close", this.#onClose);
		if (subscriber.status === "ready") this.#onReady();
		this.#ping = setInterval(() => {
			if (subscriber.status !== "ready") return;
			subscriber.ping().catch(() => subscriber.disconnect(true));
		}, PING_INTERVAL_MS);
		this.#ping.unref();
	}

	/** Messages that were not told to other processes, because Redis was away. */
	get lost(): number {
		return this.#lost;
	}

	publish(channel: string, message: LiveMessage): void {
		this.#channels.tell(channel, message);
		const { publisher, source } = this.#options;
		if (publisher.status !== "ready") {
			this.#lost++;
			return;
		}
		publisher.publish(channel, `${source}\n${JSON.stringify(message)}`).catch(() => {
			this.#lost++;
		});
	}

	subscribe(channel: string, listener: Listener): () => void {
		if (this.#channels.add(channel, listener)) this.#command("subscribe", channel);
		return () => {
			if (this.#channels.remove(channel, listener)) this.#command("unsubscribe", channel);
		};
	}

	onConnect(listener: (away_ms: number) => void): () => void {
		this.#connected.add(listener);
		return () => void this.#connected.delete(listener);
	}

	close(): void {
		clearInterval(this.#ping);
		this.#options.subscriber.off("message", this.#onMessage);
		this.#options.subscriber.off("ready", this.#onReady);
		this.#options.subscriber.off("close", this.#onClose);
	}

	async #resume(): Promise<void> {
		const names = this.#channels.names();
		try {
			if (names.length > 0) await this.#options.subscriber.subscribe(...names);
		} catch {
			// It is gone again; the next `ready` comes here once more.
			return;
		}
		const away_ms = this.#away_since === undefined ? 0 : performance.now() - this.#away_since;
		this.#away_since = undefined;
		this.#wasConnected = true;
		for (const listener of [...this.#connected]) listener(away_ms);
	}

	/** While it is not connected nothing is needed: `#resume` subscribes to all that is listened to by then. */
	#command(name: "subscribe" | "unsubscribe", channel: string): void {
		const { subscriber } = this.#options;
		if (subscriber.status === "ready") subscriber[name](channel).catch(() => undefined);
	}

	#hear(channel: string, text: string): void {
		const end = text.indexOf("\n");
		if (text.slice(0, end) === this.#options.source) return;
		let message: LiveMessage;
		try {
			message = JSON.parse(text.slice(end + 1)) as LiveMessage;
		} catch {
			// Something else that speaks on our channel.
			return;
		}
		this.#channels.tell(channel, message);
	}
}
