import {
	INTEREST_INTERVAL_MS,
	type InterestMessage,
	type LiveInterest,
	type ProjectInterest,
} from "../../schema/live/frames.ts";
import { nameMatcher } from "../../schema/live/patterns.ts";

/** What of a project somebody watches. */
export interface Watched {
	readonly matches: (name: string) => boolean;
	readonly logs: boolean;
}

/** What the viewers of all query processes watch. Those that have not said so lately are forgotten. */
export class WatchedProjects {
	readonly #now: () => number;
	readonly #bySource = new Map<string, { interest: LiveInterest; until: number }>();
	#byProject: ReadonlyMap<string, Watched> = new Map();

	constructor(now: () => number) {
		this.#now = now;
	}

	get isEmpty(): boolean {
		return this.#byProject.size === 0;
	}

	get(project: string): Watched | undefined {
		return this.#byProject.get(project);
	}

	/** @returns whether a project is watched now that was not before */
	hear(message: InterestMessage): boolean {
		if (message.type !== "interest") return false;
		const before = this.#bySource.get(message.source);
		const nothing = Object.keys(message.projects).length === 0;
		if (nothing) this.#bySource.delete(message.source);
		else this.#bySource.set(message.source, { interest: message, until: this.#now() + 3 * INTEREST_INTERVAL_MS });
		if (JSON.stringify(before?.interest.projects ?? {}) === JSON.stringify(message.projects)) return false;
		const known = this.#byProject;
		this.#merge();
		return [...this.#byProject.keys()].some((project) => !known.has(project));
	}

	/** Call it now and then. */
	forgetSilent(): void {
		const now = this.#now();
		let changed = false;
		for (const [source, { until }] of this.#bySource) {
			if (until <= now) changed = this.#bySource.delete(source) || changed;
		}
		if (changed) this.#merge();
	}

	#merge(): void {
		const interests = new Map<string, ProjectInterest[]>();
		for (const { interest } of this.#bySource.values()) {
			for (const [project, watched] of Object.entries(interest.projects)) {
				const others = interests.get(project);
				if (others) others.push(watched);
				else interests.set(project, [watched]);
			}
		}
		this.#byProject = new Map([...interests].map(([project, all]) => [project, watchedOf(all)]));
	}
}

function watchedOf(interests: readonly ProjectInterest[]): Watched {
	const names = interests.flatMap((interest) => interest.names);
	return {
		matches: nameMatcher(names),
		logs: interests.some((interest) => interest.logs),
	};
}
