import type { z } from "zod";
import { type PerformanceAnswer, performanceAnswer, performanceQuery } from "../../schema/wire/index.ts";
import { AVAILABILITY_RECORDS, availabilityOf } from "../common/availability.ts";
import { GAUGES, QUEUE_WAIT, utilizationByUnit } from "../measures/saturation.ts";
import { over, planOf, type Scope } from "../measures/scope.ts";
import { apdexScore, performanceScore, type ScoredPart } from "../measures/score.ts";
import { DB_CONNECTIONS } from "../measures/services.ts";
import { signals } from "../measures/signals.ts";
import { apdexCounts, errorRate, HTTP_RECORDS, totalOf, traffic } from "../measures/traffic.ts";
import { type Needs, withMeta } from "../meta.ts";
import { kept } from "../plan/kept.ts";
import { decimals, ratio } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { RULES_VERSION } from "../rules.ts";
import { resolveWindow } from "../time/window.ts";
import { findBottlenecks } from "./performance/bottlenecks.ts";
import { capacityAnalysis, projections } from "./performance/capacity.ts";
import { findTrends, NO_TRENDS } from "./performance/trends.ts";

const DAY_MS = 86_400_000;
const GAUGE_RECORDS = Object.values(GAUGES).map((name) => `metric ${name}`);

const NEEDS: Needs = {
	performance_score: HTTP_RECORDS,
	"breakdown.latency.value": HTTP_RECORDS,
	"breakdown.latency.score": HTTP_RECORDS,
	"breakdown.errors.value": HTTP_RECORDS,
	"breakdown.errors.score": HTTP_RECORDS,
	"breakdown.availability.value": AVAILABILITY_RECORDS,
	"breakdown.availability.score": AVAILABILITY_RECORDS,
	"breakdown.saturation.value": GAUGE_RECORDS,
	"breakdown.saturation.score": GAUGE_RECORDS,
	bottlenecks: [...GAUGE_RECORDS, `metric ${DB_CONNECTIONS}`, `metric ${QUEUE_WAIT}`],
	...Object.fromEntries(
		["response_time", "throughput"].flatMap((trend) =>
			["direction", "change_percentage", "p_value"].map((field) => [`trends.${trend}.${field}`, HTTP_RECORDS]),
		),
	),
	...Object.fromEntries(
		[
			"current_utilization",
			"binding_resource",
			"projected_capacity_limit",
			"confidence_interval",
			"projections",
			"scaling_recommendations",
		].map((field) => [`capacity_analysis.${field}`, GAUGE_RECORDS]),
	),
};

/** `GET /v1/monitoring/performance` */
export const performanceRead = read({
	path: "/v1/monitoring/performance",
	summary: "Performance score, bottlenecks, trends and capacity",
	description:
		"Bottlenecks are of the window (30 days before as_of unless start and end are given); the score and the current utilization are of the 24 hours before its end, trends of two weeks, projections of 90 days.",
	query: performanceQuery,
	answer: performanceAnswer,
	needs: NEEDS,
	ask: performanceOf,
});

async function performanceOf(asking: Asking, query: z.infer<typeof performanceQuery>): Promise<PerformanceAnswer> {
	const { asker, now, reach } = asking;
	const window = resolveWindow(query, { timeframes: ["30d"], defaultTimeframe: "30d", now });
	const sent = await asker.ask(signals(window.as_of));
	const scope: Scope = { start: window.start, end: window.end, newest: sent.newestPoint(), now, reach };
	const day = over(scope, scope.end - DAY_MS, scope.end);
	const [requests, apdex, availability, units, bottlenecks, trends, projected] = await Promise.all([
		kept(() => asker.ask(traffic(day))),
		kept(() => asker.ask(apdexCounts(day, query.apdex_t_ms))),
		availabilityOf(asking, day, sent, "breakdown.availability.value"),
		kept(() => asker.ask(utilizationByUnit(day))),
		kept(() => findBottlenecks(asker, scope, window)),
		kept(() => findTrends(asker, scope, window, sent)),
		kept(() => projections(asker, scope, window)),
	]);
	const total = totalOf(requests.value?.values() ?? []);
	const capacity = capacityAnalysis(units.value, projected.value, window);
	const { score, parts } = performanceScore({
		requests: total.requests,
		apdex: apdex.value ? apdexScore(apdex.value) : null,
		error_rate: errorRate(total),
		availability: availability.ratio,
		utilization: capacity.current_utilization,
	});
	const shown = ({ weight, value, score: points }: ScoredPart) => ({
		weight,
		value: ratio(value),
		score: ratio(points),
	});
	const answer = {
		performance_score: decimals(score, 1),
		breakdown: {
			latency: shown(parts.latency),
			errors: shown(parts.errors),
			availability: shown(parts.availability),
			saturation: shown(parts.saturation),
		},
		bottlenecks: bottlenecks.value ?? null,
		trends: trends.value ?? NO_TRENDS,
		capacity_analysis: capacity,
	};
	const meta = {
		window,
		data_through: sent.dataThrough("metric", "event"),
		methods: {
			performance_score: `weighted mean of the parts that are known, of the last 24 hours; rules, version ${RULES_VERSION}`,
			"breakdown.latency.value": apdex.reason ?? `Apdex of raw points, T = ${query.apdex_t_ms} ms`,
			bottlenecks:
				bottlenecks.reason ??
				"0.95 quantile in the quarter of hours with most requests, of means of a minute, over a week of five",
			trends: trends.reason ?? "two-sided Mann–Whitney test on hourly values",
			"capacity_analysis.current_utilization":
				units.reason ?? "0.95 quantile of means of a minute, the fullest resource",
			"capacity_analysis.projected_capacity_limit": projected.reason ?? "Theil–Sen on daily peaks of 90 days",
			...availability.methods,
		},
		source: (await kept(async () => planOf(day).main)).value,
	};
	return withMeta(answer, meta, { needs: NEEDS, sent });
}
