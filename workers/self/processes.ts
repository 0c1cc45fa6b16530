/** CPU and memory of the processes that make up the program, and how long this one's event loop keeps others waiting. */
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { MetricPoint } from "../../schema/wire/ingest.ts";
import { parseProcess } from "../collector/proc.ts";
import type { Host } from "../collector/records.ts";

/** What a process has used. */
export interface ProcessUsage {
	readonly component: string;
	readonly pid: number;
	/** Seconds of CPU since it started. */
	readonly cpu_s: number;
	/** Resident. */
	readonly memory_bytes: number;
	/** 0.99 quantile since the last reading; of this process only. */
	readonly eventLoopDelayP99_s?: number;
}

export interface UsageReading {
	/** Of a clock that only moves forward. */
	readonly at_s: number;
	readonly processes: readonly ProcessUsage[];
}

/**
 * Records of one reading. CPU is the share of all CPUs since the previous reading of the same process: the first one, also
 * that after a restart, gives none.
 */
export function processRecords(
	previous: UsageReading | undefined,
	now: UsageReading,
	{ host, cpus, at_ms }: { host: Host; cpus: number; at_ms: number },
): MetricPoint[] {
	return now.processes.flatMap(({ component, pid, cpu_s, memory_bytes, eventLoopDelayP99_s }) => {
		const before = previous?.processes.find((other) => other.component === component && other.pid === pid);
		const passed_s = now.at_s - (previous?.at_s ?? now.at_s);
		const tags = { component, "host.id": host.id, "host.name": host.name };
		const gauge = (name: string, unit: string, value: number | undefined): MetricPoint[] =>
			value === undefined ? [] : [{ name, kind: "gauge", unit, value, timestamp: at_ms, tags }];
		return [
			...gauge("process.memory.usage", "By", memory_bytes),
			...gauge(
				"process.cpu.utilization",
				"1",
				before && passed_s > 0 ? Math.max(0, cpu_s - before.cpu_s) / passed_s / cpus : undefined,
			),
			...gauge("nodejs.eventloop.delay.p99", "s", eventLoopDelayP99_s),
		];
	});
}

/** A child of ours. Its pid changes when it is restarted. */
export interface ChildProcess {
	readonly component: string;
	readonly pid: () => number;
}

const RESOLUTION_MS = 10;

/** Reads this process and its children. Holds a timer until it is closed. */
export class UsageReader {
	readonly #component: string;
	readonly #children: readonly ChildProcess[];
	readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

	constructor(component: string, children: readonly ChildProcess[]) {
		this.#component = component;
		this.#children = children;
		this.#delay.enable();
	}

	get cpus(): number {
		return availableParallelism();
	}

	/** A child that has ended, or a platform without /proc, is left out. */
	async read(): Promise<UsageReading> {
		const children = await Promise.all(this.#children.map(readChild));
		const { user, system } = process.cpuUsage();
		// The histogram holds the time between two ticks of its timer, so what it waits on purpose is taken off.
		const delay_ns = this.#delay.count > 0 ? this.#delay.percentile(99) - RESOLUTION_MS * 1e6 : undefined;
		this.#delay.reset();
		const own: ProcessUsage = {
			...{ component: this.#component, pid: process.pid },
			...{ cpu_s: (user + system) / 1e6, memory_bytes: process.memoryUsage.rss() },
			...(delay_ns === undefined ? {} : { eventLoopDelayP99_s: Math.max(0, delay_ns) / 1e9 }),
		};
		return { at_s: performance.now() / 1_000, processes: [own, ...children.filter((child) => child !== undefined)] };
	}

	close(): void {
		this.#delay.disable();
	}
}

async function readChild({ component, pid }: ChildProcess): Promise<ProcessUsage | undefined> {
	const id = pid();
	try {
		const [stat, status] = await Promise.all(
			["stat", "status"].map((file) => readFile(`/proc/${id}/${file}`, "utf8")) as [Promise<string>, Promise<string>],
		);
		return { component, pid: id, ...parseProcess(stat, status) };
	} catch {
		return undefined;
	}
}
