/** How messages of metrics look: an event with all of them, or a message for each. */
import type { Shape } from "./metric-hub.ts";
import { sseEvent } from "./sse.ts";

const iso = (ms: number) => new Date(ms).toISOString();

/** Of `GET /v1/monitoring/metrics/stream`. */
export const EVENT_SHAPE: Shape = {
	together: true,
	encode: (values, { interval_seconds, snapshot, now }) => {
		const at = values.reduce((max, value) => Math.max(max, value.at), 0);
		return sseEvent(
			"message",
			JSON.stringify({
				...Object.fromEntries(values.map(({ metric, value }) => [metric, value])),
				timestamp: iso(at || now),
				interval_seconds,
				...(snapshot ? { snapshot } : {}),
				aggregations: Object.fromEntries(values.map(({ metric, aggregation }) => [metric, aggregation])),
			}),
		);
	},
	encodeGap: (gap) => sseEvent("gap", JSON.stringify(gap)),
};

/** Of the analytics document's WebSocket. */
export const MESSAGE_SHAPE: Shape = {
	together: false,
	encode: ([value], { interval_seconds, snapshot }) => {
		const { metric, value: number, at, aggregation } = value!;
		return Buffer.from(
			JSON.stringify({
				...{ type: "metric_update", metric, value: number, timestamp: iso(at), interval_seconds, aggregation },
				...(snapshot ? { snapshot } : {}),
			}),
		);
	},
	encodeGap: (gap) => Buffer.from(JSON.stringify({ type: "gap", ...gap })),
};
