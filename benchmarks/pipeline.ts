/** One load through the whole pipeline: from the generator's first request until every row can be queried. */
import { availableParallelism } from "node:os";
import type { Sent } from "./generator.ts";
import type { LoadGenerator } from "./load-generator.ts";
import { cpuMs, machineBusyMs, monotonicMs, peakBytes, resetPeak, until } from "./processes.ts";
import type { Server } from "./server.ts";
import type { Workload } from "./workload.ts";

const STORE_MS = 120_000;
const POLL_MS = 20;

export const ROUTES: Readonly<Record<Workload, string>> = {
	series: "/v1/ingest/metrics",
	metrics: "/v1/ingest/metrics",
	logs: "/v1/ingest/logs",
	events: "/v1/ingest/events",
};
export const MAIN_TABLE = { series: "points", metrics: "points", logs: "logs", events: "events" } as const;

export interface PipelineRun {
	readonly sent: Sent;
	readonly stored_rows: number;
	/** From the first request until the journal was empty. */
	readonly stored_ms: number;
	readonly ingest_cpu_ms: number;
	readonly engine_cpu_ms: number;
	/** Of the engine until its background merges were done as well. */
	readonly engine_settled_cpu_ms: number;
	readonly ingest_peak_bytes: number;
	readonly engine_peak_bytes: number;
	/** Of the machine's CPU while the load ran, the share of processes that have no part in it: what disturbed. */
	readonly foreign_cpu: number;
	/** Journal segments, each of which became one insert a table. */
	readonly segments: number;
}

export interface PipelineOptions {
	readonly connections: number;
	readonly most_ms: number;
	readonly settle_ms: number;
}

export async function runPipeline(
	server: Server,
	generator: LoadGenerator,
	workload: Workload,
	options: PipelineOptions,
): Promise<PipelineRun> {
	for (const pid of [server.pid, server.engine.pid]) resetPeak(pid);
	const before = { ingest: cpuMs(server.pid), engine: cpuMs(server.engine.pid), machine: machineBusyMs() };
	const seen = new Set<number>();
	const watch = setInterval(() => {
		for (const segment of server.segments()) seen.add(segment);
	}, POLL_MS);
	try {
		const { connections, most_ms } = options;
		const url = server.url + ROUTES[workload];
		const sent = await generator.send({ url, headers: server.headers, connections, most_ms });
		// As VictoriaMetrics is told to flush: what was accepted is to be stored now, not when a segment is full.
		await fetch(`${server.url}/v1/ingest/batch?wait=true`, {
			method: "POST",
			headers: { ...server.headers, "content-type": "application/x-ndjson" },
			body: "",
		});
		// A segment's file goes when its rows can be queried: watching the folder costs neither process anything.
		await until("storing everything", STORE_MS, POLL_MS, () => server.segments().length === 0);
		const stored_ms = monotonicMs() - sent.started_at;
		const ingest_cpu_ms = cpuMs(server.pid) - before.ingest;
		const engine_cpu_ms = cpuMs(server.engine.pid) - before.engine;
		const ours_ms = ingest_cpu_ms + engine_cpu_ms + sent.cpu_ms;
		const foreign_cpu = Math.max(0, machineBusyMs() - before.machine - ours_ms) / (stored_ms * availableParallelism());
		const [{ n } = { n: 0 }] = await server.rows<{ n: number }>(`SELECT count() AS n FROM ${MAIN_TABLE[workload]}`);
		if (options.settle_ms > 0) await server.settle(options.settle_ms);
		return {
			...{ sent, stored_rows: n, stored_ms, ingest_cpu_ms, engine_cpu_ms, foreign_cpu },
			engine_settled_cpu_ms: cpuMs(server.engine.pid) - before.engine,
			ingest_peak_bytes: peakBytes(server.pid),
			engine_peak_bytes: peakBytes(server.engine.pid),
			segments: seen.size,
		};
	} finally {
		clearInterval(watch);
	}
}
