/** Requests, against the window before, with what the rules say of them. */
import type { MetricsAnswer } from "../../../schema/wire/index.ts";
import { signals } from "../../measures/signals.ts";
import { metricsRead } from "../../monitoring/metrics.ts";
import { RetentionError } from "../../plan/plan.ts";
import type { Section } from "../custom-document.ts";
import { insightSection } from "../custom-document.ts";
import { insightsOf, type Observed } from "../insights.ts";
import { chart, figure, figures, type Tell, type Telling, type WindowParameters } from "./blocks.ts";

export const requests: Tell = async ({ asking, window, before, beforeName, granularity }) => {
	const metrics = "api_requests,response_time_avg,response_time_p95,response_time_p99,error_rate";
	const ask = (span: WindowParameters, step: Telling["granularity"]) =>
		metricsRead.answerTo(asking, { ...span, granularity: step, metrics });
	const now = await ask(window, granularity);
	const sent = await asking.asker.ask(signals(Date.parse(window.as_of)));
	const isComparable = sent.reachesBackTo(Date.parse(before.start));
	const then = isComparable ? await ifKept(ask(before, granularity)) : undefined;
	const hourly = granularity === "1h" ? now : granularity === "1d" ? await ask(window, "1h") : undefined;
	const { summary } = now;
	const rate = errorRate(summary);
	const blocks: Section["blocks"] = [
		figures(
			{
				...figure("Requests", summary.total_requests),
				...changed(summary.total_requests, then?.summary.total_requests),
			},
			{
				...figure("Mean response time", summary.avg_response_time, "ms"),
				...changed(summary.avg_response_time, then?.summary.avg_response_time),
			},
			figure("Slowest response", summary.peak_response_time, "ms"),
			figure("Failed requests", summary.error_count),
			figure("Availability", summary.availability, "%"),
		),
		...chart({ type: "bar_chart", title: "Requests" }, now.data_points, { api_requests: "Requests" }),
		...chart({ type: "line_chart", title: "Response time", unit: "ms" }, now.data_points, {
			response_time_avg: "Mean",
			response_time_p95: "p95",
			response_time_p99: "p99",
		}),
		...chart({ type: "line_chart", title: "Error rate" }, now.data_points, { error_rate: "Failed of all" }),
	];
	const observed = [
		observe(now, then, "api_requests", [summary.total_requests, then?.summary.total_requests], {
			...{ label: "Requests", unit: "" as const },
			...(hourly ? { hours: hoursOf(hourly) } : {}),
		}),
		observe(now, then, "response_time_avg", [summary.avg_response_time, then?.summary.avg_response_time], {
			...{ label: "Response time", unit: "ms" as const, better: "lower" as const },
		}),
		observe(now, then, "error_rate", [rate, then ? errorRate(then.summary) : null], {
			...{ label: "Error rate", unit: "ratio" as const, better: "lower" as const },
		}),
	];
	const insights = insightsOf(observed, {
		...{ timezone: window.timezone, before: beforeName },
		hours: hourly ? hourly.data_points.map(({ timestamp }) => Date.parse(timestamp) / 1_000) : [],
	});
	return [
		{ section: { heading: "Requests", blocks }, meta: now.meta },
		...(insights.length === 0 ? [] : [{ section: insightSection(insights), meta: now.meta }]),
	];
};

const BUCKET = { "5m": "five minutes", "1h": "hour", "1d": "day" } as const;

function observe(
	now: MetricsAnswer,
	then: MetricsAnswer | undefined,
	member: string,
	[value, before]: readonly [number | null, number | null | undefined],
	of: Pick<Observed, "label" | "unit"> & Partial<Pick<Observed, "better" | "hours">>,
): Observed {
	const series = (answer: MetricsAnswer | undefined) =>
		(answer?.data_points ?? []).map((point) => (point[member] as number | null | undefined) ?? null);
	return {
		...{ ...of, metric: member, member, value, before: before ?? null },
		...{ buckets: series(now), bucketsBefore: series(then), bucket: BUCKET[now.granularity as keyof typeof BUCKET] },
	};
}

function hoursOf({ data_points }: MetricsAnswer): Map<number, number> {
	return new Map(
		data_points.flatMap(({ timestamp, api_requests }) =>
			typeof api_requests === "number" ? [[Date.parse(timestamp) / 1_000, api_requests] as const] : [],
		),
	);
}

function errorRate({ error_count, total_requests }: MetricsAnswer["summary"]): number | null {
	return error_count === null || !total_requests ? null : error_count / total_requests;
}

function changed(value: number | null, before: number | null | undefined): { change_percentage?: number | null } {
	if (value === null || !before) return {};
	return { change_percentage: Number(((100 * (value - before)) / before).toFixed(1)) };
}

function ifKept<T>(answer: Promise<T>): Promise<T | undefined> {
	return answer.catch((error: unknown) => {
		if (error instanceof RetentionError) return undefined;
		throw error;
	});
}
