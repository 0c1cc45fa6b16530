// The clock of one exchange: what it is doing, how long each phase took, and when to give up.
import { OutboundError, OutboundFailure, OutboundTimeout } from "./errors.ts";

/** In this order; `ttfb` is from the request sent to the head of the response, `download` its body. */
const PHASES = ["dns", "connect", "tls", "ttfb", "download"] as const;
export type Phase = (typeof PHASES)[number];

/** Milliseconds; null for a phase that did not happen, such as `tls` over http. Phases of redirects are added up. */
export type Timings = Readonly<Record<`${Phase}_ms`, number | null> & { total_ms: number }>;

export interface StopwatchOptions {
	/** The longest that everything together may take. */
	readonly total_ms: number;
	/** The caller's own: its reason is what is thrown. */
	readonly signal?: AbortSignal | undefined;
}

export class Stopwatch {
	readonly #total_ms: number;
	readonly #outer: AbortSignal | undefined;
	readonly #began = performance.now();
	readonly #spent = new Map<Phase, number>();
	readonly #endOfAll: NodeJS.Timeout;
	#endOfPhase: NodeJS.Timeout | undefined;
	#phase: Phase = "dns";
	#since: number | undefined;
	/** Why it ended: the limit, or the caller's reason. */
	#ended: { limit_ms: number } | { reason: unknown } | undefined;
	readonly #onEnd = new Set<() => void>();

	constructor({ total_ms, signal }: StopwatchOptions) {
		this.#total_ms = total_ms;
		this.#outer = signal;
		this.#endOfAll = setTimeout(this.#exceed, total_ms, total_ms);
		signal?.addEventListener("abort", this.#relay);
		if (signal?.aborted) this.#relay();
	}

	/** Ends the phase before. `limit_ms` is for this phase, or for a silence in it when `refresh` is called on progress. */
	enter(phase: Phase, limit_ms: number): void {
		this.#leave();
		this.#phase = phase;
		this.#since = performance.now();
		this.#endOfPhase = setTimeout(this.#exceed, Math.min(limit_ms, this.#total_ms), limit_ms);
	}

	refresh(): void {
		this.#endOfPhase?.refresh();
	}

	/** Settles as `work` does, or rejects when the time is up or the caller gives up: `explain` says which. */
	wait<T>(work: Promise<T>): Promise<T> {
		return new Promise<T>((resolve, reject) => {
			const end = () => reject(new Error("ended"));
			this.onEnd(end);
			work.finally(() => this.#onEnd.delete(end)).then(resolve, reject);
		});
	}

	/** Calls back when the time is up or the caller gives up; at once when that was before. */
	onEnd(callback: () => void): void {
		if (this.#ended) callback();
		else this.#onEnd.add(callback);
	}

	/** Stops the timers; to be called at the end of every exchange. */
	stop(): Timings {
		this.#leave();
		clearTimeout(this.#endOfAll);
		this.#outer?.removeEventListener("abort", this.#relay);
		const spent = PHASES.map((phase) => [`${phase}_ms`, this.#spent.get(phase) ?? null]);
		return { ...Object.fromEntries(spent), total_ms: performance.now() - this.#began };
	}

	/** What to throw for what was caught: a timeout, the caller's reason, or what the network said. */
	explain(caught: unknown, target: string): unknown {
		if (caught instanceof OutboundError) return caught;
		if (this.#ended && "limit_ms" in this.#ended) return new OutboundTimeout(target, this.#phase, this.#ended.limit_ms);
		if (this.#ended) return this.#ended.reason;
		const code = (caught as { code?: unknown } | null)?.code;
		return typeof code === "string" ? new OutboundFailure(target, this.#phase, code) : caught;
	}

	#leave(): void {
		clearTimeout(this.#endOfPhase);
		if (this.#since === undefined) return;
		this.#spent.set(this.#phase, (this.#spent.get(this.#phase) ?? 0) + performance.now() - this.#since);
		this.#since = undefined;
	}

	readonly #exceed = (limit_ms: number): void => this.#end({ limit_ms });

	readonly #relay = (): void => this.#end({ reason: this.#outer?.reason });

	#end(why: { limit_ms: number } | { reason: unknown }): void {
		this.#ended ??= why;
		for (const callback of this.#onEnd) callback();
		this.#onEnd.clear();
	}
}
