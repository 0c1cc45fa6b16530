import type { Context } from "hono";
import type { AppEnv } from "../../http/env.ts";
import { ApiError, unavailable } from "../../http/errors.ts";
import { Viewer, type Wire } from "./viewer.ts";

/** Bytes that may wait for one reader, and for all of them together. */
const MAX_WAITING_BYTES = 256 * 1024;
const MIN_WAITING_BYTES = 16 * 1024;
const ALL_WAITING_BYTES = 256 * 1024 * 1024;

const CHECK_MS = 1_000;
const BEAT_MS = 15_000;
/** A key that was revoked or has expired ends its streams within this time, and what its keys take to be read anew. */
const RECHECK_MS = 2_000;
/** How long readers may take to read why they are closed when the server stops. */
const CLOSE_MS = 2_000;

export interface StreamLimits {
	/** Open streams of one key, and of all keys, in this process. */
	readonly perKey: number;
	readonly inAll: number;
}

/** A place among the open streams, taken before the stream begins and given back when its connection ends. */
export interface Place {
	/** @throws TypeError when it was opened already */
	open(wire: Wire): Viewer;
}

interface Open {
	readonly key_id: string;
	readonly recheck: () => Promise<boolean>;
	viewer: Viewer | undefined;
}

/** All open streams of a process: how many there may be, and whether their readers, their keys and the server are still there. */
export class Streams {
	readonly #limits: StreamLimits;
	readonly #open = new Set<Open>();
	readonly #byKey = new Map<string, number>();
	readonly #timers: NodeJS.Timeout[];
	#skipped = 0;
	#closing = false;
	#isRechecking = false;

	constructor(limits: StreamLimits) {
		this.#limits = limits;
		this.#timers = [
			setInterval(() => this.#eachViewer((viewer) => viewer.check()), CHECK_MS),
			setInterval(() => this.#beat(), BEAT_MS),
			setInterval(() => void this.#recheck(), RECHECK_MS),
		];
		for (const timer of this.#timers) timer.unref();
	}

	get count(): number {
		return this.#open.size;
	}

	/** Messages that slow readers did not get, since the start. */
	get skipped(): number {
		return this.#skipped;
	}

	/**
	 * Takes a place for a request that `requireRole` let pass with `acceptQueryKey`; it is given back when the connection ends,
	 * whether or not a stream came of it.
	 * @throws ApiError 429 when the key, 503 when the process has no more
	 */
	take(c: Context<AppEnv>): Place {
		const { key_id } = c.get("key");
		const { perKey, inAll } = this.#limits;
		const ofKey = this.#byKey.get(key_id) ?? 0;
		if (this.#closing) throw unavailable("server", "Tidemark is stopping", undefined, 1);
		if (this.#open.size >= inAll) {
			throw unavailable("streams", `This server has ${inAll} streams open, as many as it may (TIDEMARK_STREAMS)`);
		}
		if (ofKey >= perKey) {
			throw new ApiError(429, `This key has ${perKey} streams open, as many as it may (TIDEMARK_STREAMS_PER_KEY)`, {
				extra: { limit: perKey, open_streams: ofKey, retry_after: 5 },
				headers: { "Retry-After": "5" },
			});
		}
		const open: Open = { key_id, recheck: c.get("recheck"), viewer: undefined };
		this.#open.add(open);
		this.#byKey.set(key_id, ofKey + 1);
		const { socket } = c.env.incoming;
		const giveBack = () => this.#giveBack(open);
		if (socket.destroyed) giveBack();
		else socket.once("close", giveBack);
		return {
			open: (wire) => {
				if (open.viewer) throw new TypeError("a place is for one stream");
				const viewer = new Viewer(
					wire,
					() => this.#waitingBytes(),
					() => performance.now(),
					(messages) => {
						this.#skipped += messages;
					},
				);
				open.viewer = viewer;
				return viewer;
			},
		};
	}

	/** Tells every reader that the server goes, and resolves when they are gone or had their time. */
	async close(): Promise<void> {
		this.#closing = true;
		for (const timer of this.#timers) clearInterval(timer);
		this.#eachViewer((viewer) => viewer.end({ code: 1001, reason: "the server is stopping" }));
		const deadline = performance.now() + CLOSE_MS;
		while (this.#open.size > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
		this.#eachViewer((viewer) => viewer.wire.destroy());
	}

	#giveBack(open: Open): void {
		if (!this.#open.delete(open)) return;
		const left = this.#byKey.get(open.key_id)! - 1;
		if (left === 0) this.#byKey.delete(open.key_id);
		else this.#byKey.set(open.key_id, left);
	}

	/** The more readers, the less may wait for each. */
	#waitingBytes(): number {
		return Math.max(MIN_WAITING_BYTES, Math.min(MAX_WAITING_BYTES, ALL_WAITING_BYTES / this.#open.size));
	}

	#eachViewer(use: (viewer: Viewer) => void): void {
		for (const { viewer } of [...this.#open]) if (viewer) use(viewer);
	}

	#beat(): void {
		this.#eachViewer((viewer) => {
			if (!viewer.wire.beat()) viewer.wire.destroy();
		});
	}

	/**
	 * Of each stream, not of each key: after a rotation a key has two texts, and one of them may be over. While keys cannot be read
	 * the old answer holds.
	 */
	async #recheck(): Promise<void> {
		if (this.#isRechecking) return;
		this.#isRechecking = true;
		for (const { viewer, recheck } of [...this.#open]) {
			if (!viewer || (await recheck().catch(() => true))) continue;
			viewer.end({ code: 1008, reason: "the API key was revoked, has expired or has lost its role" });
		}
		this.#isRechecking = false;
	}
}
