import type { LiveBus } from "../../schema/live/bus.ts";
import {
	type AlertMessage,
	INTEREST_CHANNEL,
	INTEREST_INTERVAL_MS,
	LIVE_VERSION,
	type LiveFrame,
	type ProjectInterest,
	type ProjectMessage,
	projectChannel,
} from "../../schema/live/frames.ts";

export interface Watcher {
	/** @param missed frames of the same process that were told before it and did not arrive, since the last one that did */
	frame(frame: LiveFrame, missed: number): void;
	alert?(alert: AlertMessage): void;
	/** The way to other processes was closed for so long and is open again: nobody knows what was not told meanwhile. */
	interrupted?(away_ms: number): void;
}

interface Watched {
	readonly watchers: Map<Watcher, ProjectInterest>;
	/** Place of the last frame of each ingest process. */
	readonly seen: Map<string, number>;
	readonly end: () => void;
}

/** More names than this are not told one by one: ingest then sends everything, and the watchers choose. */
const MAX_NAMES = 500;

/**
 * The one ear of a process for what is going on: it says to ingest what its watchers want, and gives each frame to all watchers of
 * its project. Watchers choose from a frame themselves, since it holds what others want too.
 */
export class LiveFeed {
	readonly #bus: LiveBus;
	readonly #source: string;
	readonly #projects = new Map<string, Watched>();
	readonly #ends: (() => void)[];
	/** What was said last, and whether a change of it is about to be said. */
	#told = "{}";
	#changing: NodeJS.Immediate | undefined;

	/** @param source names this process among all that watch */
	constructor(bus: LiveBus, source: string) {
		this.#bus = bus;
		this.#source = source;
		const again = setInterval(() => {
			if (this.#projects.size > 0) this.#tellInterest();
		}, INTEREST_INTERVAL_MS);
		again.unref();
		this.#ends = [
			() => clearInterval(again),
			bus.onConnect((away_ms) => {
				this.#tellInterest();
				for (const { watchers } of this.#projects.values())
					for (const watcher of [...watchers.keys()]) watcher.interrupted?.(away_ms);
			}),
			bus.subscribe(INTEREST_CHANNEL, (message) => {
				if (message.type === "question") this.#tellInterest();
			}),
		];
	}

	/** @returns ends it */
	watch(project: string, interest: ProjectInterest, watcher: Watcher): () => void {
		let watched = this.#projects.get(project);
		if (!watched) {
			const listener = (message: unknown) => this.#hear(project, message as ProjectMessage);
			watched = {
				...{ watchers: new Map(), seen: new Map() },
				end: this.#bus.subscribe(projectChannel(project), listener),
			};
			this.#projects.set(project, watched);
		}
		const { watchers, end } = watched;
		watchers.set(watcher, interest);
		this.#changed();
		return () => {
			if (!watchers.delete(watcher)) return;
			if (watchers.size === 0) {
				end();
				this.#projects.delete(project);
			}
			this.#changed();
		};
	}

	close(): void {
		for (const { end } of this.#projects.values()) end();
		this.#projects.clear();
		clearImmediate(this.#changing);
		this.#tellInterest();
		for (const end of this.#ends) end();
	}

	#hear(project: string, message: ProjectMessage): void {
		const watched = this.#projects.get(project);
		if (!watched) return;
		if (message.type === "alert") {
			for (const watcher of [...watched.watchers.keys()]) watcher.alert?.(message.alert);
			return;
		}
		const before = watched.seen.get(message.source);
		const missed = before === undefined ? 0 : Math.max(0, message.seq - before - 1);
		watched.seen.set(message.source, message.seq);
		for (const watcher of [...watched.watchers.keys()]) watcher.frame(message, missed);
	}

	/** A thousand viewers that come at once are one change, and those that want what others have are none. */
	#changed(): void {
		this.#changing ??= setImmediate(() => {
			this.#changing = undefined;
			if (JSON.stringify(this.#interests()) !== this.#told) this.#tellInterest();
		});
	}

	#interests(): Record<string, ProjectInterest> {
		return Object.fromEntries(
			[...this.#projects].map(([project, { watchers }]) => [project, union([...watchers.values()])]),
		);
	}

	#tellInterest(): void {
		const projects = this.#interests();
		this.#told = JSON.stringify(projects);
		this.#bus.publish(INTEREST_CHANNEL, { type: "interest", v: LIVE_VERSION, source: this.#source, projects });
	}
}

function union(interests: readonly ProjectInterest[]): ProjectInterest {
	const names = [...new Set(interests.flatMap((interest) => interest.names))].sort();
	return {
		names: names.length > MAX_NAMES || names.includes("*") ? ["*"] : names,
		logs: interests.some((interest) => interest.logs),
	};
}
