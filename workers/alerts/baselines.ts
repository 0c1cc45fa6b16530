/** Baselines of anomaly conditions, kept for as long as they are used: learning one reads four weeks. */
import type { BaselineCache, Baselines } from "../../query/measures/alerting/anomalies.ts";

/** Conditions by hour; each has a baseline for every label set. */
const MOST = 2_000;

export class KeptBaselines {
	/** The least recently used first. */
	readonly #kept = new Map<string, Promise<Baselines>>();

	of(project: string): BaselineCache {
		const named = (key: string) => JSON.stringify([project, key]);
		return {
			get: (key) => {
				const found = this.#kept.get(named(key));
				if (found) {
					this.#kept.delete(named(key));
					this.#kept.set(named(key), found);
				}
				return found;
			},
			set: (key, baselines) => {
				this.#kept.set(named(key), baselines);
				// What could not be learned is asked for again.
				baselines.catch(() => this.#kept.delete(named(key)));
				for (const oldest of this.#kept.keys()) {
					if (this.#kept.size <= MOST) break;
					this.#kept.delete(oldest);
				}
			},
		};
	}
}
