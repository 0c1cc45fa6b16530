/** `/metrics`: the process in Prometheus' text format. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { EvaluationStanding } from "../alerts/standing.ts";
import type { Mismatches } from "../reconcile/reconcile.ts";
import { LEDGER_STATES, type Ledger } from "./ledger.ts";
import type { Losses } from "./outbox.ts";
import { type AnsweredRequest, knownMethod } from "./requests.ts";

/** Asked at each scrape; what this process has not is undefined. */
export interface PrometheusSources {
	readonly ledger: () => Ledger | undefined;
	readonly losses: () => Losses;
	readonly collectorFailures: () => ReadonlyMap<string, number> | undefined;
	readonly engineRestarts: () => number | undefined;
	readonly rateLimitFallbacks: () => number;
	readonly mismatches: () => Mismatches | undefined;
	readonly streams?: (() => OpenStreams | undefined) | undefined;
	/** Whether alerts are evaluated in time; undefined in a process that evaluates none. */
	readonly evaluation?: (() => EvaluationStanding | undefined) | undefined;
	/** Definitions that this process could not read, by kind. */
	readonly unreadable?: (() => ReadonlyMap<string, number>) | undefined;
}

/** Streams that are open, and hubs that serve them: one for all that watch the same. */
export interface OpenStreams {
	readonly streams: number;
	readonly hubs: number;
	/** Messages that slow readers did not get, since the start. */
	readonly skipped: number;
}

export interface OwnPrometheus {
	readonly registry: Registry;
	observe(request: AnsweredRequest): void;
}

/** Seconds: fine around the milliseconds that an acknowledgement takes, up to the minute of a big query. */
const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function ownPrometheus(sources: PrometheusSources): OwnPrometheus {
	const registry = new Registry();
	collectDefaultMetrics({ register: registry });
	const registers = [registry];
	const durations = new Histogram({
		name: "http_server_request_duration_seconds",
		help: "Time from a request's head to its answer's head",
		labelNames: ["method", "route", "status"],
		buckets: BUCKETS_S,
		registers,
	});
	total("tidemark_ingest_records_total", "Records by what became of them since the start", "state", () => {
		const ledger = sources.ledger();
		return ledger && LEDGER_STATES.filter((state) => state !== "journal").map((state) => [state, ledger[state]]);
	});
	level(
		"tidemark_ingest_journal_records",
		"Records that are durable and not stored yet",
		() => sources.ledger()?.journal,
	);
	level("tidemark_ingest_journal_bytes", "Bytes of the journal", () => sources.ledger()?.journalBytes);
	level(
		"tidemark_ingest_imbalance",
		"Records that are nowhere or twice; a moment's value may be in motion",
		() => sources.ledger()?.imbalance,
	);
	total("tidemark_self_lost_total", "Own records that did not get into the own pipeline", "reason", () =>
		Object.entries(sources.losses()),
	);
	total("tidemark_collector_failures_total", "Readings of the host that failed", "probe", () =>
		sources.collectorFailures(),
	);
	total("tidemark_engine_restarts_total", "Times the embedded ClickHouse was started again", undefined, () => {
		const restarts = sources.engineRestarts();
		return restarts === undefined ? undefined : [["", restarts]];
	});
	total(
		"tidemark_rate_limit_fallbacks_total",
		"Reads that were counted against their key by this process alone, because Redis was away",
		undefined,
		() => [["", sources.rateLimitFallbacks()]],
	);
	level("tidemark_streams", "WebSocket and SSE streams that are open", () => sources.streams?.()?.streams);
	level("tidemark_stream_hubs", "What they watch, each counted once", () => sources.streams?.()?.hubs);
	total("tidemark_stream_skipped_total", "Messages that slow readers did not get", undefined, () => {
		const streams = sources.streams?.();
		return streams && [["", streams.skipped]];
	});
	level(
		"tidemark_alerts_evaluation_lag_seconds",
		"How far the alert rule that is furthest behind is behind its last due instant",
		() => sources.evaluation?.()?.lag_seconds,
	);
	level(
		"tidemark_alerts_failing_rules",
		"Alert rules whose last evaluation failed, or that cannot be read",
		() => sources.evaluation?.()?.failing,
	);
	new Gauge({
		name: "tidemark_definitions_unreadable",
		help: "Definitions that do not fit their schema, and are left out",
		labelNames: ["kind"],
		registers,
		collect() {
			this.reset();
			for (const [kind, count] of sources.unreadable?.() ?? []) this.set({ kind }, count);
		},
	});
	new Gauge({
		name: "tidemark_reconcile_mismatch",
		help: "Records that two tiers, or the ledger, do not agree on",
		labelNames: ["check"],
		registers,
		collect() {
			this.reset();
			for (const [check, records] of Object.entries(sources.mismatches() ?? {})) this.set({ check }, records);
		},
	});
	return {
		registry,
		observe({ method, route, status, duration_s }) {
			durations.observe({ method: knownMethod(method), route: route ?? "", status }, duration_s);
		},
	};

	function total(
		name: string,
		help: string,
		label: string | undefined,
		read: () => Iterable<readonly [string, number]> | undefined,
	): void {
		new Counter({
			...{ name, help, registers, labelNames: label ? [label] : [] },
			collect() {
				// They are counted elsewhere: this only shows them.
				this.reset();
				const counts = read();
				// Without labels it would go on showing 0 of what is not there.
				if (!counts && !label) this.remove();
				for (const [value, count] of counts ?? []) this.inc(label ? { [label]: value } : {}, count);
			},
		});
	}

	function level(name: string, help: string, read: () => number | undefined): void {
		new Gauge({
			...{ name, help, registers },
			collect() {
				const value = read();
				if (value === undefined) this.remove();
				else this.set(value);
			},
		});
	}
}
