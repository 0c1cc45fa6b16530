/** Measures the host at an interval. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { MetricPoint } from "../../schema/wire/ingest.ts";
import type { Probe } from "./probes.ts";
import type { Readings } from "./readings.ts";
import { type Host, hostRecords } from "./records.ts";

export interface CollectorOptions {
	readonly interval_ms: number;
	readonly probes: readonly Probe[];
	readonly host: Host;
	/** Takes the records of one sample. */
	readonly send: (records: readonly MetricPoint[]) => void;
	readonly logger: Logger;
	/** Milliseconds since the epoch. */
	readonly clock?: () => number;
	/** How long a probe may take. */
	readonly probeLimit_ms?: number;
}

export interface Collector {
	/** Readings that failed or took too long, by probe. */
	readonly failures: ReadonlyMap<string, number>;
	/** Resolves when nothing runs any more. */
	stop(): Promise<void>;
}

/** What counts needs two readings: the second comes soon, so that a new start shows everything within seconds. */
const SECOND_AFTER_MS = 1_000;

/**
 * Takes a sample now, a second one after a second, then one at each interval; never two at once. A probe that fails or takes
 * longer than its limit leaves its metrics out of the sample and is counted.
 */
export function startCollector(options: CollectorOptions): Collector {
	const { interval_ms, probes, host, send, clock = Date.now } = options;
	const stopping = new AbortController();
	const runner = new ProbeRunner(options, stopping.signal);

	async function run(): Promise<void> {
		let previous: Readings | undefined;
		for (let sample = 0; !stopping.signal.aborted; sample++) {
			const began = performance.now();
			const at_ms = clock();
			const parts = await Promise.all(probes.map((probe) => runner.run(probe)));
			if (stopping.signal.aborted) return;
			const now: Readings = Object.assign({}, ...parts);
			send(hostRecords(previous, now, host, at_ms));
			// What could not be read this time keeps its last reading, to count from when it comes back.
			previous = { ...previous, ...now };
			const pause = sample === 0 ? Math.min(SECOND_AFTER_MS, interval_ms) : interval_ms;
			const left = Math.max(0, began + pause - performance.now());
			await sleep(left, undefined, { signal: stopping.signal }).catch(() => undefined);
		}
	}

	const running = run();
	return {
		failures: runner.failures,
		async stop() {
			stopping.abort();
			await running;
		},
	};
}

/** Runs probes within their limit. One that hangs is not started again before it has come back. */
class ProbeRunner {
	readonly failures = new Map<string, number>();
	readonly #hanging = new Set<Probe>();
	readonly #failing = new Set<Probe>();
	readonly #logger: Logger;
	readonly #limit_ms: number;
	readonly #stopping: AbortSignal;

	constructor({ logger, probeLimit_ms = 5_000 }: CollectorOptions, stopping: AbortSignal) {
		this.#logger = logger;
		this.#limit_ms = probeLimit_ms;
		this.#stopping = stopping;
	}

	async run(probe: Probe): Promise<Readings> {
		try {
			const readings = this.#hanging.has(probe) ? undefined : await this.#within(probe);
			if (this.#stopping.aborted) return {};
			if (!readings) throw new Error(`no answer within ${this.#limit_ms} ms`);
			if (this.#failing.delete(probe)) this.#logger.info({ probe: probe.name }, "the host is measured again");
			return readings;
		} catch (error) {
			this.failures.set(probe.name, (this.failures.get(probe.name) ?? 0) + 1);
			// Once for each trouble, not once for each sample.
			if (!this.#failing.has(probe)) {
				this.#logger.warn({ err: error, probe: probe.name }, "a part of the host cannot be measured");
			}
			this.#failing.add(probe);
			return {};
		}
	}

	/** @returns undefined when the time is up, or the collector is told to stop */
	async #within(probe: Probe): Promise<Readings | undefined> {
		const timeUp = new AbortController();
		const signal = AbortSignal.any([timeUp.signal, this.#stopping]);
		let answered = false;
		const reading = probe.read().finally(() => {
			answered = true;
			this.#hanging.delete(probe);
		});
		try {
			return await Promise.race([reading, sleep(this.#limit_ms, undefined, { signal }).catch(() => undefined)]);
		} finally {
			timeUp.abort();
			if (!answered) {
				this.#hanging.add(probe);
				// Whatever it says later is too late, and it is counted already.
				reading.catch(() => undefined);
			}
		}
	}
}
