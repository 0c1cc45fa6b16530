/** Tidemark watches itself through its own pipeline: its requests, its log, its processes, its host and its ledger. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Collector, startCollector } from "../collector/collector.ts";
import { thisHost } from "../collector/host.ts";
import { hostProbes } from "../collector/probes.ts";
import type { Host } from "../collector/records.ts";
import { startReconciliation } from "../reconcile/reconcile.ts";
import { type Ledger, ledgerRecords, settledLedger } from "./ledger.ts";
import { OWN_COMPONENT } from "./log-record.ts";
import type { Inlet, Outbox } from "./outbox.ts";
import { type ChildProcess, processRecords, UsageReader, type UsageReading } from "./processes.ts";
import { type OpenStreams, ownPrometheus, type PrometheusSources } from "./prometheus.ts";
import { type AnsweredRequest, requestRecord } from "./requests.ts";

export interface SelfOptions {
	readonly version: string;
	readonly roles: readonly string[];
	readonly outbox: Outbox;
	readonly logger: Logger;
	/** Undefined: the host is not measured. */
	readonly collectInterval_ms: number | undefined;
	/** Undefined in a process without ingest: then nothing is sent, and `/metrics` shows what there is. */
	readonly pipeline: Pipeline | undefined;
	readonly children: readonly ChildProcess[];
	readonly engineRestarts: () => number | undefined;
	/** Requests of keys that were counted without Redis. */
	readonly rateLimitFallbacks: () => number;
	/** Undefined in a process without streams. */
	readonly streams?: (() => OpenStreams | undefined) | undefined;
	readonly evaluation?: PrometheusSources["evaluation"];
	readonly unreadable?: PrometheusSources["unreadable"];
}

export interface Pipeline {
	/** Undefined: own records are not wanted, only the reconciliation runs. */
	readonly inlet: Inlet | undefined;
	readonly ledger: () => Ledger;
	/** Every record that any process acknowledged before this instant is stored; milliseconds since the epoch. */
	readonly storedThrough: () => Promise<number>;
	readonly clickhouse: ClickHouse;
}

export interface Self {
	/** Of `/metrics`. */
	readonly registry: Registry;
	/** To be told of every request that was answered. */
	onRequest(request: AnsweredRequest): void;
	/** Sends what waits a last time. Call it before ingest is closed. */
	stop(): Promise<void>;
}

const USAGE_INTERVAL_MS = 10_000;
/** CPU needs two readings: the second comes soon, so that a new start shows everything within seconds. */
const SECOND_USAGE_AFTER_MS = 1_000;

export async function startSelf(options: SelfOptions): Promise<Self> {
	const { outbox, logger, pipeline, version, roles } = options;
	const host = await thisHost();
	const sending = pipeline?.inlet !== undefined;
	if (pipeline?.inlet) outbox.open(pipeline.inlet);
	else outbox.shut();
	const send = (records: readonly object[]) => {
		for (const record of records) outbox.push("metric", record);
	};
	outbox.push("event", {
		event: "process.started",
		event_id: randomUUID(),
		timestamp: Date.now(),
		properties: {
			...{ component: OWN_COMPONENT, "service.name": OWN_COMPONENT, "service.version": version },
			...{ "process.pid": process.pid, "host.id": host.id, "host.name": host.name, roles: roles.join(",") },
		},
	});
	const collector =
		sending && options.collectInterval_ms !== undefined
			? startCollector({ interval_ms: options.collectInterval_ms, probes: hostProbes(), host, send, logger })
			: undefined;
	const reconciliation = pipeline && startReconciliation({ ...reconciled(pipeline), send, logger });
	const usage = sending ? watchUsage(options, { host, send, collector }) : undefined;
	const prometheus = ownPrometheus({
		ledger: () => pipeline?.ledger(),
		losses: () => outbox.losses,
		collectorFailures: () => collector?.failures,
		engineRestarts: options.engineRestarts,
		rateLimitFallbacks: options.rateLimitFallbacks,
		mismatches: () => reconciliation?.mismatches,
		streams: options.streams,
		evaluation: options.evaluation,
		unreadable: options.unreadable,
	});
	return {
		registry: prometheus.registry,
		onRequest(request) {
			prometheus.observe(request);
			const record = requestRecord(request, Date.now());
			if (record) outbox.push("metric", record);
		},
		async stop() {
			await Promise.all([collector?.stop(), reconciliation?.stop(), usage?.stop()]);
			await outbox.close();
			prometheus.registry.clear();
		},
	};
}

function reconciled({
	clickhouse,
	ledger,
	storedThrough,
}: Pipeline): Pick<Parameters<typeof startReconciliation>[0], "clickhouse" | "imbalance" | "storedThrough"> {
	return { clickhouse, storedThrough, imbalance: async () => (await settledLedger(ledger)).imbalance };
}

interface Usage {
	stop(): Promise<void>;
}

function watchUsage(
	{ pipeline, children, outbox }: SelfOptions,
	{
		host,
		send,
		collector,
	}: { host: Host; send: (records: readonly object[]) => void; collector: Collector | undefined },
): Usage {
	const stopping = new AbortController();
	const reader = new UsageReader(OWN_COMPONENT, children);
	async function run(): Promise<void> {
		let previous: UsageReading | undefined;
		while (!stopping.signal.aborted) {
			const at_ms = Date.now();
			const now = await reader.read();
			send(processRecords(previous, now, { host, cpus: reader.cpus, at_ms }));
			if (pipeline) {
				const failures = [...(collector?.failures.values() ?? [])].reduce((sum, count) => sum + count, 0);
				send(ledgerRecords(await settledLedger(pipeline.ledger), outbox.losses, failures, { host, at_ms }));
			}
			const pause_ms = previous ? USAGE_INTERVAL_MS : SECOND_USAGE_AFTER_MS;
			previous = now;
			await sleep(pause_ms, undefined, { signal: stopping.signal }).catch(() => undefined);
		}
	}
	const running = run();
	return {
		async stop() {
			stopping.abort();
			await running;
			reader.close();
		},
	};
}
