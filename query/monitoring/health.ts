import type { z } from "zod";
import { type HealthAnswer, healthAnswer, healthQuery } from "../../schema/wire/index.ts";
import { availabilityOf } from "../common/availability.ts";
import { RECENT_MS, systemState } from "../common/components.ts";
import { HEARTBEAT } from "../measures/nodes.ts";
import { over, planOf, type Scope } from "../measures/scope.ts";
import { signals } from "../measures/signals.ts";
import { errorRate, HTTP, HTTP_NAMES, meanLatency_ms, totalOf, traffic } from "../measures/traffic.ts";
import { metaOf } from "../meta.ts";
import { availabilityPercent, milliseconds, ratio } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { resolveWindow } from "../time/window.ts";

const DAY_MS = 86_400_000;
/** Over which uptime is told. */
const UPTIME_DAYS = 30;

/** `GET /v1/monitoring/health` */
export const healthRead = read({
	path: "/v1/monitoring/health",
	summary: "State of the system and its components",
	query: healthQuery,
	answer: healthAnswer,
	ask: health,
});

async function health(asking: Asking, query: z.infer<typeof healthQuery>): Promise<HealthAnswer> {
	const { asker, now, reach } = asking;
	const window = resolveWindow(query, { timeframes: ["24h"], defaultTimeframe: "24h", now });
	const scope: Scope = { start: window.start, end: window.end, now, reach };
	const sent = await asker.ask(signals(window.as_of));
	const [day, recent, state, uptime] = await Promise.all([
		asker.ask(traffic(scope)),
		asker.ask(traffic(over(scope, scope.end - RECENT_MS, scope.end))),
		systemState(asking, scope),
		availabilityOf(asking, over(scope, scope.end - UPTIME_DAYS * DAY_MS, scope.end), sent, "uptime_percentage"),
	]);
	const total = totalOf(day.values());
	const http = { needs: `metric ${HTTP}`, sent: sent.hasMetric(...HTTP_NAMES) };
	const beats = { needs: `event ${HEARTBEAT}`, sent: sent.hasEvent(HEARTBEAT) };
	return {
		status: state.status,
		timestamp: new Date(window.as_of).toISOString(),
		uptime_percentage: availabilityPercent(uptime.ratio),
		response_time_ms: milliseconds(meanLatency_ms(totalOf(recent.values()))),
		active_nodes: beats.sent ? [...state.nodes.values()].reduce((sum, { active }) => sum + active, 0) : null,
		total_requests_24h: http.sent ? total.requests : null,
		error_rate_24h: ratio(errorRate(total)),
		components: state.components,
		meta: metaOf({
			window,
			data_through: sent.dataThrough("metric", "event"),
			coverage: uptime.observed_fraction,
			needs: [
				...uptime.needs,
				...["response_time_ms", "total_requests_24h", "error_rate_24h"].map((field) => ({ field, ...http })),
				{ field: "active_nodes", ...beats },
				{ field: "components", needs: "records with component", sent: Object.keys(state.components).length > 0 },
			],
			methods: { ...uptime.methods, components: "rules, version 1" },
			source: planOf(scope).main,
		}),
	};
}
