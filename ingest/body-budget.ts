/** What a large body holds, or waits for, of the memory that all of them take together. */
export interface Lease {
	/** Resolves when it may be used. */
	readonly granted: Promise<void>;
	/** Bytes that came since it was granted. */
	received: number;
	/** Whether bytes are still coming. */
	reading: boolean;
}

interface Entry extends Lease {
	readonly bytes: number;
	readonly cut: () => void;
	readonly grant: () => void;
	granted_at: number;
}

/** A sender that is slower loses its place when others wait for one. */
const MIN_PACE_BYTES_PER_S = 256 * 1024;
const GRACE_MS = 2_000;

/**
 * Bounds the memory that large bodies take together: who comes when it is used up waits, the longest first. While somebody
 * waits, those that only drip lose what they hold; else a few of them could keep everybody out.
 */
export class BodyBudget {
	#free: number;
	readonly #waiting: Entry[] = [];
	readonly #held = new Set<Entry>();
	#watch: NodeJS.Timeout | undefined;

	constructor(bytes: number) {
		this.#free = bytes;
	}

	/**
	 * Gets into the line for `bytes`. Every lease must be released, also one that was never granted.
	 * @param cut called when the sender is too slow, perhaps more than once
	 */
	take(bytes: number, cut: () => void): Lease {
		let grant: () => void = () => undefined;
		const granted = new Promise<void>((resolve) => {
			grant = resolve;
		});
		const lease: Entry = { bytes, cut, grant, granted, granted_at: 0, received: 0, reading: true };
		this.#waiting.push(lease);
		this.#grant();
		return lease;
	}

	release(lease: Lease): void {
		const entry = lease as Entry;
		if (this.#held.delete(entry)) this.#free += entry.bytes;
		else this.#waiting.splice(this.#waiting.indexOf(entry), 1);
		this.#grant();
	}

	#grant(): void {
		for (let next = this.#waiting[0]; next && next.bytes <= this.#free; next = this.#waiting[0]) {
			this.#waiting.shift();
			this.#free -= next.bytes;
			this.#held.add(next);
			next.granted_at = performance.now();
			next.grant();
		}
		if (this.#waiting.length > 0) {
			this.#watch ??= setInterval(() => this.#cutSlow(), GRACE_MS / 4);
		} else {
			clearInterval(this.#watch);
			this.#watch = undefined;
		}
	}

	#cutSlow(): void {
		for (const { reading, granted_at, received, cut } of this.#held) {
			const held_ms = performance.now() - granted_at;
			if (reading && held_ms >= GRACE_MS && received < (MIN_PACE_BYTES_PER_S * held_ms) / 1_000) cut();
		}
	}
}
