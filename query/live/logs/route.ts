/** `GET /v1/monitoring/logs/stream` */
import type { Context } from "hono";
import type { AppEnv } from "../../../http/env.ts";
import type { RouteDoc } from "../../../http/openapi.ts";
import { parseQuery } from "../../../http/validate.ts";
import { logStreamEvent, logStreamQuery } from "../../../schema/wire/index.ts";
import { openSse } from "../sse.ts";
import type { Streams } from "../streams.ts";
import { filterOf } from "./filter.ts";
import type { LogHub } from "./hub.ts";

export const LOG_STREAM_PATH = "/v1/monitoring/logs/stream";

/** @param onError hears of mistakes of ours in a stream that is open already */
export function logStream(hub: LogHub, streams: Streams, onError: (error: unknown) => void) {
	return (c: Context<AppEnv>): Response => {
		const query = parseQuery(c, logStreamQuery);
		const request = {
			project: c.get("key").project,
			filter: filterOf(query),
			snapshot: query.snapshot,
			lastEventId: c.req.header("last-event-id"),
		};
		return openSse(c, streams, (viewer) => {
			const gone = new AbortController();
			hub.stream(viewer, request, gone.signal).catch((error: unknown) => {
				onError(error);
				viewer.end({ code: 1011, reason: "a mistake of the server, which is in its log" });
			});
			return () => gone.abort();
		});
	};
}

export const LOG_STREAM_DOC: RouteDoc = {
	method: "get",
	path: LOG_STREAM_PATH,
	summary: "Logs as they come in, as server-sent events",
	description:
		"First the latest lines that match, then the event `live`, then every line that does as soon as it is durable, each an event " +
		"`log`. All that is asked for must hold; of `filters` and of `components` one is enough. Who connects again with " +
		"`Last-Event-ID` goes on with the line after it, from memory or from what was stored since; around a restart of the server a " +
		"line may come twice, with the same `log_id`. An event `gap` tells how many lines were left out, because more than 1,000 in a " +
		"second matched, or that it is not known how many were. `skipped` and `close` end the stream, as on the stream of metrics.",
	tag: "Streams",
	role: "analytics_viewer",
	query: logStreamQuery,
	answers: { 200: logStreamEvent },
	answerType: "text/event-stream",
};
