/** Which records a project has ever sent: tells "zero" from "never instrumented". */
import { from, Params, type Question } from "../sql.ts";

export interface Signal {
	readonly signal: "metric" | "event" | "log" | "error" | "profile";
	readonly name: string;
	/** Milliseconds since the epoch, of event time. */
	readonly first_seen: number;
	readonly last_seen: number;
	/** Other for other series of a metric, decimal. */
	readonly announced: string;
}

/** Everything that was ever sent, as of an instant. @param as_of milliseconds since the epoch */
export function signals(as_of: number): Question<Signals> {
	const params = new Params();
	return {
		name: "signals",
		params,
		sql: `SELECT signal, name, toUnixTimestamp64Milli(min(first_seen)) AS first_seen, toUnixTimestamp64Milli(max(last_seen)) AS last_seen,
	toString(sum(announced)) AS announced
${from("signals")} GROUP BY signal, name`,
		read: (rows) => new Signals(rows as unknown as Signal[], as_of),
	};
}

/** What a project has sent before `as_of`. */
export class Signals {
	readonly #all: readonly Signal[];
	readonly #byKey: ReadonlyMap<string, Signal>;
	readonly #as_of: number;
	readonly #keptFrom: number | undefined;

	/**
	 * @param all also what was sent first at `as_of` or later
	 * @param keptFrom since when everything is there that the project sent
	 */
	constructor(all: readonly Signal[], as_of: number, keptFrom?: number) {
		this.#all = all;
		this.#keptFrom = keptFrom;
		const before = all.filter(({ first_seen }) => first_seen < as_of);
		this.#byKey = new Map(before.map((signal) => [`${signal.signal} ${signal.name}`, signal]));
		this.#as_of = as_of;
	}

	/** The same of a project whose older records are gone. */
	from(keptFrom: number): Signals {
		return new Signals(this.#all, this.#as_of, keptFrom);
	}

	get(signal: Signal["signal"], name: string): Signal | undefined {
		return this.#byKey.get(`${signal} ${name}`);
	}

	/** What a record names: `metric NAME`, `event NAME`, or a kind alone for any of it. */
	of(record: string): Signal[] {
		// Names may have spaces: `split` with a limit would cut them.
		const [, kind, name] = /^(\S+)(?: (.*))?$/s.exec(record) ?? [];
		if (name === undefined) return [...this.#byKey.values()].filter(({ signal }) => signal === kind);
		const found = this.get(kind as Signal["signal"], name);
		return found ? [found] : [];
	}

	/** The same as long as no series of these metrics is new. */
	versionOf(names: readonly string[]): string {
		return names
			.map((name) => this.#all.find((one) => one.signal === "metric" && one.name === name)?.announced ?? 0)
			.join();
	}

	/** Whether any of these metrics was ever sent. */
	hasMetric(...names: readonly string[]): boolean {
		return names.some((name) => this.get("metric", name) !== undefined);
	}

	hasEvent(...names: readonly string[]): boolean {
		return names.some((name) => this.get("event", name) !== undefined);
	}

	names(signal: Signal["signal"]): string[] {
		return [...this.#byKey.values()].filter((found) => found.signal === signal).map((found) => found.name);
	}

	/** Event time of the first record of any kind, milliseconds since the epoch. */
	firstRecord(): number | null {
		const times = [...this.#byKey.values()].map((signal) => signal.first_seen);
		return times.length === 0 ? null : times.reduce((a, b) => Math.min(a, b));
	}

	/** Since when there are records, and none is gone: what is compared must not reach behind that. Milliseconds since the epoch. */
	comparableFrom(): number | null {
		const first = this.firstRecord();
		return first === null ? null : Math.max(first, this.#keptFrom ?? first);
	}

	/** Whether a window that begins then can be compared with: what of it is not there was not sent. @param start milliseconds since the epoch */
	reachesBackTo(start: number): boolean {
		const from = this.comparableFrom();
		return from !== null && from <= start;
	}

	/** Event time of the first record of a kind, milliseconds since the epoch. */
	firstOf(signal: Signal["signal"]): number | null {
		const times = [...this.#byKey.values()].filter((s) => s.signal === signal).map((s) => s.first_seen);
		return times.length === 0 ? null : times.reduce((a, b) => Math.min(a, b));
	}

	/**
	 * Event time of the newest point there is, also behind `as_of`, milliseconds since the epoch; −∞ without any. One that is stamped
	 * ahead of our clock and stored between this question and the next is not in it.
	 */
	newestPoint(): number {
		return this.#all
			.filter(({ signal }) => signal === "metric")
			.reduce((newest, { last_seen }) => Math.max(newest, last_seen), Number.NEGATIVE_INFINITY);
	}

	/** Event time up to which there is data of these kinds, milliseconds since the epoch. */
	dataThrough(...kinds: readonly Signal["signal"][]): number | null {
		const times = [...this.#byKey.values()].filter((s) => kinds.includes(s.signal)).map((s) => s.last_seen);
		return times.length === 0
			? null
			: Math.min(
					this.#as_of,
					times.reduce((a, b) => Math.max(a, b)),
				);
	}
}
