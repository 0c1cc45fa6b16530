// What each stream of the API asks for and sends.
import type { LogMessage, LogStreamQuery, MetricsStreamQuery, RealtimeMessage } from "../schema/wire/index.ts";
import { errorOf } from "./errors.ts";
import { eventStream } from "./event-stream.ts";
import type { CallOptions } from "./options.ts";
import { socketStream, type WebSocketClass } from "./socket-stream.ts";
import { LiveStream, type StreamEvent, type StreamGap, type StreamSource } from "./stream.ts";
import type { Query, Transport } from "./transport.ts";

const METRICS_PATH = "/v1/monitoring/metrics/stream";
const LOGS_PATH = "/v1/monitoring/logs/stream";
const REALTIME_PATH = "/ws/analytics/realtime";
/** More lines than a server sends once more. */
const REMEMBERED_LINES = 20_000;

/** Parameters of a route, by the names that it knows. */
type Names<Asked> = { [Name in keyof Asked]?: unknown };

export interface MetricsStreamOptions {
	/** Metrics of the catalogue, metrics as they are sent, `name:aggregation`, or patterns such as `system.*`. */
	metrics?: string | readonly string[] | undefined;
	/** Seconds between two messages, and over which each value is taken; default 10. */
	interval_seconds?: number | undefined;
}
export type RealtimeOptions = MetricsStreamOptions;

export interface LogStreamOptions {
	/** Queries of which a line must match one. */
	filters?: string | readonly string[] | undefined;
	/** Components of which a line must be one. */
	components?: string | readonly string[] | undefined;
	/** A query that it must match as well. */
	query?: string | undefined;
	/** This level only. */
	level?: string | undefined;
	/** How many of the latest lines come first; default 20. */
	snapshot?: number | undefined;
}

/** One message of the stream of metrics: those that have no data in the interval are not there. */
export interface MetricsUpdate {
	/** Event time of the newest record in it. */
	timestamp: string;
	interval_seconds: number;
	/** What was stored when the stream began; updates follow. */
	snapshot?: boolean;
	/** How the value of each metric came about. */
	aggregations: Record<string, string>;
	/** A minute. */
	api_requests?: number;
	/** Mean, milliseconds. */
	response_time?: number;
	/** Ratio from 0 to 1. */
	error_rate?: number;
	/** The same in percent. */
	error_rate_pct?: number;
	// Whatever metric was asked for.
	[metric: string]: number | string | boolean | Record<string, string> | undefined;
}

export type RealtimeUpdate = Extract<RealtimeMessage, { type: "metric_update" | "alert" }>;

export function metricsStream(
	transport: Transport,
	{ metrics, interval_seconds }: MetricsStreamOptions,
	call: CallOptions,
): LiveStream<MetricsUpdate> {
	const query = { metrics: joined(metrics), interval_seconds } satisfies Names<MetricsStreamQuery>;
	return new LiveStream(
		{
			connect: (position, signal) => eventStream(transport, METRICS_PATH, query, position, signal),
			message: ({ kind, body }) => (kind === "message" ? withPercent(body as MetricsUpdate) : undefined),
			gap: gapOf,
		},
		call.signal,
	);
}

export function logStream(transport: Transport, options: LogStreamOptions, call: CallOptions): LiveStream<LogMessage> {
	const { filters, components, query, level, snapshot } = options;
	const asked = {
		...{ filters: joined(filters), components: joined(components) },
		...{ query, level, snapshot },
	} satisfies Names<LogStreamQuery>;
	const isNew = once(REMEMBERED_LINES);
	return new LiveStream(
		{
			connect: (position, signal) => eventStream(transport, LOGS_PATH, asked, position, signal),
			message({ kind, body }) {
				if (kind !== "log") return undefined;
				const log = body as LogMessage;
				// After a restart of the server the seconds around it may come once more.
				return isNew(log.log_id) ? log : undefined;
			},
			// `skipped` is no loss here: the next connection goes on with the first line that was.
			gap: (event) => (event.kind === "gap" ? gapOf(event) : undefined),
		},
		call.signal,
	);
}

/**
 * @param WebSocket where there is one; elsewhere the metrics come as server-sent events and are given in the same form, and
 * there are no alerts
 */
export function realtime(
	transport: Transport,
	WebSocket: WebSocketClass | undefined,
	{ metrics, interval_seconds = 5 }: RealtimeOptions,
	call: CallOptions,
): LiveStream<RealtimeUpdate> {
	const query = { metrics: joined(metrics), interval_seconds };
	if (!WebSocket) return new LiveStream(realtimeOfMetrics(transport, query), call.signal);
	return new LiveStream(
		{
			connect: (_, signal) =>
				socketStream(
					WebSocket,
					{ transport, path: REALTIME_PATH, query },
					// The same parameters and the same key are refused there for the same reason, and it says which.
					async () => (await transport.stream(METRICS_PATH, query, { signal })).cancel(),
					signal,
				),
			message: ({ kind, body }) => {
				if (kind === "error") throw errorOf(Number((body as { code?: unknown }).code ?? 400), body);
				return kind === "metric_update" || kind === "alert" ? (body as RealtimeUpdate) : undefined;
			},
			gap: gapOf,
		},
		call.signal,
	);
}

/** The metrics of each event one by one, as the WebSocket has them. */
function realtimeOfMetrics(transport: Transport, query: Query): StreamSource<RealtimeUpdate> {
	return {
		async *connect(position, signal) {
			for await (const event of eventStream(transport, METRICS_PATH, query, position, signal)) {
				if (event.kind !== "message") {
					yield event;
					continue;
				}
				const { timestamp, interval_seconds, aggregations, snapshot, ...values } = event.body as MetricsUpdate;
				const about = { timestamp, interval_seconds, ...(snapshot && { snapshot }) };
				for (const [metric, value] of Object.entries(values)) {
					const body = { type: "metric_update", metric, value, ...about, aggregation: aggregations[metric] };
					yield { kind: "metric_update", body };
				}
			}
		},
		message: ({ kind, body }) => (kind === "metric_update" ? (body as RealtimeUpdate) : undefined),
		gap: gapOf,
	};
}

function gapOf({ kind, body }: StreamEvent): StreamGap | undefined {
	if (kind !== "gap" && kind !== "skipped") return undefined;
	const { skipped, messages, reason, missed_frames, left_out } = body as Record<string, unknown>;
	const known = skipped ?? messages;
	return {
		skipped: typeof known === "number" ? known : null,
		reason:
			typeof reason === "string"
				? reason
				: `values are without ${left_out ?? 0} records and ${missed_frames ?? 0} messages between processes`,
	};
}

function withPercent(update: MetricsUpdate): MetricsUpdate {
	const { error_rate } = update;
	if (typeof error_rate !== "number") return update;
	return { ...update, error_rate_pct: Math.round(error_rate * 1e8) / 1e6 };
}

/** Tells whether a text is heard for the first time, as far back as so many of them. */
function once(remembered: number): (text: string) => boolean {
	const heard = new Set<string>();
	return (text) => {
		if (heard.has(text)) return false;
		heard.add(text);
		if (heard.size > remembered) heard.delete(heard.values().next().value!);
		return true;
	};
}

function joined(list: string | readonly string[] | undefined): string | undefined {
	return typeof list === "string" || list === undefined ? list : list.join(",");
}
