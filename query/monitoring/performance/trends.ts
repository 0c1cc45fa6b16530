/** This week against the week before. */
import type { PerformanceAnswer } from "../../../schema/wire/index.ts";
import type { Scope } from "../../measures/scope.ts";
import type { Signals } from "../../measures/signals.ts";
import { HTTP_NAMES, meanLatency_ms, type Traffic, totalOf, traffic } from "../../measures/traffic.ts";
import { type Change, changeOf, TREND_RULES, type Week } from "../../measures/trends.ts";
import { framesOf } from "../../points.ts";
import { decimals, significant } from "../../rounding.ts";
import type { Asker } from "../../run.ts";
import { bucketsOver } from "../../time/buckets.ts";
import type { Grid, Window } from "../../time/window.ts";

const DAY_MS = 86_400_000;

/** @throws RetentionError */
export async function findTrends(
	asker: Asker,
	scope: Scope,
	window: Window,
	sent: Signals,
): Promise<PerformanceAnswer["trends"]> {
	const length = TREND_RULES.days * DAY_MS;
	const gridOf = (end: number): Grid => {
		const start = end - length;
		return { ...window, start, end, buckets: bucketsOver(start, end, "1h", window.timezone) };
	};
	const [grid, gridBefore] = [gridOf(window.end), gridOf(window.end - length)];
	const first = Math.min(...HTTP_NAMES.map((name) => sent.get("metric", name)?.first_seen ?? Number.POSITIVE_INFINITY));
	// A week that was not seen whole is nothing to compare with.
	if (first > gridBefore.start) return { response_time: shown(null), throughput: shown(null) };
	const ask = ({ start, end, buckets }: Grid) => asker.ask(traffic({ ...scope, start, end, buckets }));
	const [now, before] = await Promise.all([ask(grid), ask(gridBefore)]);
	return {
		response_time: shown(changeOf("response_time", latencyOf(before), latencyOf(now))),
		throughput: shown(changeOf("throughput", throughputOf(before, gridBefore), throughputOf(now, grid))),
	};
}

/** Weighted mean of the week; hours without a request have none. */
function latencyOf(hours: ReadonlyMap<number, Traffic>): Week {
	const total = totalOf(hours.values());
	return {
		requests: total.requests,
		value: meanLatency_ms(total),
		hourly: [...hours.values()].map((hour) => meanLatency_ms(hour)).filter((mean) => mean !== null),
	};
}

/** Requests a second; an hour without a request is 0. */
function throughputOf(hours: ReadonlyMap<number, Traffic>, grid: Grid): Week {
	const { requests } = totalOf(hours.values());
	return {
		requests,
		value: (1_000 * requests) / (grid.end - grid.start),
		hourly: framesOf(grid).map(({ t, seconds }) => (hours.get(t)?.requests ?? 0) / seconds),
	};
}

function shown(change: Change | null): PerformanceAnswer["trends"]["response_time"] {
	return {
		direction: change?.direction ?? null,
		change_percentage: decimals(change?.change_percentage, 1),
		period: `${TREND_RULES.days}d`,
		p_value: significant(change?.p_value),
	};
}

/** Of a project whose hours are no longer kept. */
export const NO_TRENDS: PerformanceAnswer["trends"] = { response_time: shown(null), throughput: shown(null) };
