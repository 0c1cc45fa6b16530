/** Streams: routes whose answer goes on. Keys, roles and limits are those of every route; keys may come in the address too. */
import { upgradeWebSocket } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { createMiddleware } from "hono/factory";
import type { WebSocket } from "ws";
import type { RequireRole } from "../../http/auth.ts";
import type { AppEnv } from "../../http/env.ts";
import { ApiError, toApiError } from "../../http/errors.ts";
import type { RouteDoc } from "../../http/openapi.ts";
import { checkOrigin } from "../../http/origin.ts";
import { parseQuery } from "../../http/validate.ts";
import type { LiveBus } from "../../schema/live/bus.ts";
import { metricsStreamEvent, metricsStreamQuery, realtimeMessage, realtimeQuery } from "../../schema/wire/index.ts";
import { recentModelCalls, recentPoints } from "../measures/live.ts";
import { MODEL_EVENT } from "../measures/models.ts";
import { signals } from "../measures/signals.ts";
import { listOf } from "../route.ts";
import type { Queries } from "../run.ts";
import { CATALOGUE } from "./catalogue.ts";
import { LiveFeed } from "./feed.ts";
import { Hubs } from "./hubs.ts";
import { LogHub } from "./logs/hub.ts";
import { LOG_STREAM_DOC, LOG_STREAM_PATH, logStream } from "./logs/route.ts";
import { Realtime } from "./realtime.ts";
import { EVENT_SHAPE } from "./shapes.ts";
import { openSse } from "./sse.ts";
import { type StreamLimits, Streams } from "./streams.ts";
import {
	assertNames,
	assertSent,
	interestOf,
	namesToLookUp,
	type Subscription,
	subscriptionOf,
} from "./subscription.ts";
import { WebSocketWire } from "./websocket.ts";

export interface LiveOptions {
	readonly bus: LiveBus;
	/** Names this process among all that watch. */
	readonly source: string;
	readonly queries: Queries;
	readonly limits: StreamLimits;
	readonly origins: readonly string[];
	/** Hears of mistakes of ours in a stream that is open already. */
	readonly onError: (error: unknown) => void;
}

export interface Live {
	routes(requireRole: RequireRole): Hono<AppEnv>;
	/** Open streams, hubs that serve them, and messages that slow readers did not get. */
	readonly counts: { readonly streams: number; readonly hubs: number; readonly skipped: number };
	/** Says goodbye to all readers; call it when new requests are refused. */
	close(): Promise<void>;
}

const METRICS_PATH = "/v1/monitoring/metrics/stream";
const REALTIME_PATH = "/ws/analytics/realtime";
/** What the documents' sample asks for. */
const DEFAULT_METRICS = ["api_requests", "response_time", "error_rate"];
/** A stream begins without its snapshot rather than later. */
const SNAPSHOT_MS = 3_000;

export function createLive(options: LiveOptions): Live {
	const { bus, source, queries, limits, origins, onError } = options;
	const now = Date.now;
	const feed = new LiveFeed(bus, source);
	const streams = new Streams(limits);
	const recent = (project: string) => async (subscription: Subscription, at: number) => {
		const asker = queries.of(project, AbortSignal.timeout(SNAPSHOT_MS));
		const names = interestOf(subscription);
		const interval_ms = subscription.interval_seconds * 1_000;
		const questions = [
			asker.ask(recentPoints(names, at, interval_ms)),
			...(names.includes(MODEL_EVENT) ? [asker.ask(recentModelCalls(at, interval_ms))] : []),
		];
		return await Promise.all(questions).then(
			(parts) => parts.flat(),
			(error: unknown) => {
				// Without ClickHouse, or when it takes too long, viewers begin with what comes.
				if (toApiError(error).status === 500) onError(error);
				return [];
			},
		);
	};
	const hubs = new Hubs({ feed, now, recent });
	const logHub = new LogHub({ feed, queries, now });
	const assertKnown = async (project: string, names: readonly string[]) => {
		const unknown = namesToLookUp(names);
		if (unknown.length > 0) assertSent(unknown, await queries.of(project).ask(signals(now())));
	};
	const metricsStream = async (c: Context<AppEnv>) => {
		const { metrics, interval_seconds } = parseQuery(c, metricsStreamQuery);
		const { project } = c.get("key");
		const names = metrics === undefined ? DEFAULT_METRICS : listOf(metrics);
		assertNames(names);
		await assertKnown(project, names);
		const subscription = subscriptionOf(names, interval_seconds);
		return openSse(c, streams, (viewer) => hubs.joinMetrics(project, subscription, EVENT_SHAPE, viewer));
	};
	const realtime = upgradeWebSocket(
		async (c: Context<AppEnv>) => {
			const { metrics, interval_seconds } = parseQuery(c, realtimeQuery);
			const { project } = c.get("key");
			const names = metrics === undefined ? CATALOGUE.map(({ name }) => name) : listOf(metrics);
			assertNames(names);
			await assertKnown(project, names);
			const place = streams.take(c);
			let connection: Realtime | undefined;
			return {
				onOpen(_, { raw }) {
					const viewer = place.open(new WebSocketWire(raw as unknown as WebSocket, c.env.incoming.socket));
					connection = new Realtime({
						...{ project, viewer, hubs, clock: () => performance.now() },
						assertKnown: (asked) => assertKnown(project, asked),
					});
					connection.begin(names, interval_seconds);
				},
				onMessage: ({ data }) => connection?.hear(String(data)),
				onClose: () => connection?.close(),
			};
		},
		{ onError },
	);
	return {
		routes(requireRole) {
			const app = new Hono<AppEnv>();
			const viewer = requireRole("analytics_viewer", { acceptQueryKey: true });
			app.get(METRICS_PATH, checkOrigin(origins), viewer, metricsStream);
			app.get(LOG_STREAM_PATH, checkOrigin(origins), viewer, logStream(logHub, streams, onError));
			app.get(REALTIME_PATH, checkOrigin(origins), viewer, onlyUpgrades, realtime);
			return app;
		},
		get counts() {
			return { streams: streams.count, hubs: hubs.count, skipped: streams.skipped };
		},
		async close() {
			await streams.close();
			logHub.close();
			feed.close();
		},
	};
}

/** Before anything is prepared for a connection that will not be one. */
const onlyUpgrades = createMiddleware<AppEnv>(async (c, next) => {
	if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
		throw new ApiError(426, "This is a WebSocket: connect with ws:// or wss://", { headers: { Upgrade: "websocket" } });
	}
	await next();
});

export const LIVE_DOCS: readonly RouteDoc[] = [
	LOG_STREAM_DOC,
	{
		method: "get",
		path: METRICS_PATH,
		summary: "Metrics as they come in, as server-sent events",
		description:
			"First a snapshot of what was stored, then one event an interval with each metric as a member; a metric without data in the " +
			"interval is left out. Events named `gap` tell what could not be shown, `skipped` what this reader was too slow for (it is " +
			"then closed), `close` why the server ends the stream. A browser, whose EventSource cannot set headers, sends `?api_key=`.",
		tag: "Streams",
		role: "analytics_viewer",
		query: metricsStreamQuery,
		answers: { 200: metricsStreamEvent },
		answerType: "text/event-stream",
	},
	{
		method: "get",
		path: REALTIME_PATH,
		summary: "Metrics and alerts as they come in, over a WebSocket",
		description:
			'Send `{"type":"subscribe","metrics":["system.*"],"interval_seconds":5}` to choose, and `{"type":"unsubscribe"}` to end it; ' +
			"before the first of them the catalogue's metrics are sent. Each metric comes in a message of its own, at most once an " +
			"interval. The server pings; it closes with 1001 when it stops, 1008 when the key is no longer good, 1013 when the reader is " +
			"too slow, after telling how much was skipped. A browser sends its key as `?api_key=`.",
		tag: "Streams",
		role: "analytics_viewer",
		query: realtimeQuery,
		answers: { 101: realtimeMessage },
	},
];
