import type { z } from "zod";
import { type HealthAnswer, healthAnswer, healthQuery } from "../../schema/wire/index.ts";
import { AVAILABILITY_RECORDS, availabilityOf } from "../common/availability.ts";
import { RECENT_MS, systemState } from "../common/components.ts";
import { CHECK } from "../measures/availability.ts";
import { HEARTBEAT } from "../measures/nodes.ts";
import { over, planOf, type Scope } from "../measures/scope.ts";
import { TRANSACTION_EVENT } from "../measures/services.ts";
import { signals } from "../measures/signals.ts";
import { errorRate, HTTP_NAMES, HTTP_RECORDS, meanLatency_ms, totalOf, traffic } from "../measures/traffic.ts";
import { type Needs, withMeta } from "../meta.ts";
import { availabilityPercent, milliseconds, ratio } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { RULES_VERSION } from "../rules.ts";
import { resolveWindow } from "../time/window.ts";

const DAY_MS = 86_400_000;
/** Over which uptime is told. */
const UPTIME_DAYS = 30;

const NEEDS: Needs = {
	uptime_percentage: AVAILABILITY_RECORDS,
	response_time_ms: HTTP_RECORDS,
	total_requests_24h: HTTP_RECORDS,
	error_rate_24h: HTTP_RECORDS,
	active_nodes: `event ${HEARTBEAT}`,
	components: {
		any: ["metric", `event ${CHECK}`, `event ${HEARTBEAT}`, `event ${TRANSACTION_EVENT}`],
		with: "component",
	},
};

/** `GET /v1/monitoring/health` */
export const healthRead = read({
	path: "/v1/monitoring/health",
	summary: "State of the system and its components",
	query: healthQuery,
	answer: healthAnswer,
	needs: NEEDS,
	ask: health,
});

async function health(asking: Asking, query: z.infer<typeof healthQuery>): Promise<HealthAnswer> {
	const { asker, now, reach } = asking;
	const window = resolveWindow(query, { timeframes: ["24h"], defaultTimeframe: "24h", now });
	const sent = await asker.ask(signals(window.as_of));
	const scope: Scope = { start: window.start, end: window.end, newest: sent.newestPoint(), now, reach };
	const [day, recent, state, uptime] = await Promise.all([
		asker.ask(traffic(scope)),
		asker.ask(traffic(over(scope, scope.end - RECENT_MS, scope.end))),
		systemState(asking, scope),
		availabilityOf(asking, over(scope, scope.end - UPTIME_DAYS * DAY_MS, scope.end), sent, "uptime_percentage"),
	]);
	const total = totalOf(day.values());
	const answer = {
		status: state.status,
		timestamp: new Date(window.as_of).toISOString(),
		uptime_percentage: availabilityPercent(uptime.ratio),
		response_time_ms: milliseconds(meanLatency_ms(totalOf(recent.values()))),
		active_nodes: sent.hasEvent(HEARTBEAT)
			? [...state.nodes.values()].reduce((sum, { active }) => sum + active, 0)
			: null,
		total_requests_24h: sent.hasMetric(...HTTP_NAMES) ? total.requests : null,
		error_rate_24h: ratio(errorRate(total)),
		components: state.components,
	};
	const parts = {
		window,
		data_through: sent.dataThrough("metric", "event"),
		coverage: uptime.observed_fraction,
		methods: { ...uptime.methods, components: `rules, version ${RULES_VERSION}` },
		source: planOf(scope).main,
	};
	return withMeta(answer, parts, { needs: NEEDS, sent });
}
