import type { LiveFeed } from "./feed.ts";
import { type HubOptions, MetricHub, type Shape } from "./metric-hub.ts";
import type { Subscription } from "./subscription.ts";
import type { Viewer } from "./viewer.ts";

export interface HubsOptions {
	readonly feed: LiveFeed;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
	/** What was stored lately, by project. */
	readonly recent: (project: string) => HubOptions["recent"];
}

interface Shared {
	readonly viewers: { readonly size: number; add(viewer: Viewer): void; delete(viewer: Viewer): void };
	readonly close: () => void;
}

/** One hub for all viewers of the same thing: of a subscription in one shape, or of the alerts of a project. */
export class Hubs {
	readonly #options: HubsOptions;
	readonly #hubs = new Map<string, Shared>();

	constructor(options: HubsOptions) {
		this.#options = options;
	}

	get count(): number {
		return this.#hubs.size;
	}

	/** @returns ends it for this viewer */
	joinMetrics(project: string, subscription: Subscription, shape: Shape, viewer: Viewer): () => void {
		const key = JSON.stringify([project, shape.together, subscription.interval_seconds, ...subscription.names]);
		return this.#join(key, viewer, () => {
			const { feed, now, recent } = this.#options;
			const hub = new MetricHub({ feed, now, project, subscription, shape, recent: recent(project) });
			return { viewers: hub, close: () => hub.close() };
		});
	}

	/** @param encode puts an alert into the bytes that all viewers get. @returns ends it for this viewer */
	joinAlerts(project: string, encode: (alert: object) => Buffer, viewer: Viewer): () => void {
		return this.#join(JSON.stringify([project]), viewer, () => {
			const viewers = new Set<Viewer>();
			const alert = (message: object) => {
				const bytes = [encode(message)];
				for (const each of viewers) each.send(bytes);
			};
			const nothing = { names: [], logs: false };
			return { viewers, close: this.#options.feed.watch(project, nothing, { frame: () => undefined, alert }) };
		});
	}

	#join(key: string, viewer: Viewer, make: () => Shared): () => void {
		const shared = this.#hubs.get(key) ?? make();
		this.#hubs.set(key, shared);
		shared.viewers.add(viewer);
		return () => {
			shared.viewers.delete(viewer);
			if (shared.viewers.size > 0 || this.#hubs.get(key) !== shared) return;
			this.#hubs.delete(key);
			shared.close();
		};
	}
}
