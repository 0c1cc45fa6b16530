/** What a condition is about, as values of label sets at instants. */
import type { AlertAggregation, Leaf } from "../../../schema/wire/index.ts";
import { parse } from "../../logs/parser.ts";
import { quotient } from "../../quotient.ts";
import { type Trailing, trailingBuckets } from "../../time/buckets.ts";
import type { Among, Filter } from "../among.ts";
import { customMetric, defaultAggregation, metricKinds } from "../custom.ts";
import { wholeOfEvents, wholeOfLogs } from "../kept.ts";
import { kpiParts } from "../kpi.ts";
import { eventOccurrences, logOccurrences, type Occurrences } from "../occurrences.ts";
import { type Scope, secondsOf } from "../scope.ts";
import { signals } from "../signals.ts";
import { type AlertAsking, ConditionError, type Found, foundOf, type Point } from "./asking.ts";
import { counted, MEASURES } from "./catalogue.ts";

export interface Measured extends Pick<Leaf, "metric" | "aggregation" | "event" | "query"> {
	readonly filter?: Filter | undefined;
}

const KPI = "kpi:";

/** The id that a metric like `kpi:kpi_x` names. */
export function kpiIdOf(metric: string): string | undefined {
	return metric.startsWith(KPI) ? metric.slice(KPI.length) : undefined;
}

export interface MeasuredPoints {
	readonly points: readonly Point[];
	/** What a label set without a value stands for in a window that ends at `t`, epoch seconds. */
	readonly missing?: Found["missing"];
}

/**
 * Values over the windows of a span, for each combination of `groupBy`.
 * @throws ConditionError, RetentionError, and as `ask`
 */
export async function valuesOf(
	asking: AlertAsking,
	measured: Measured,
	groupBy: readonly string[],
	span: Trailing,
): Promise<Found> {
	const end = (span.first + (span.count - 1) * span.step) * 1_000;
	const scope: Scope = {
		...{ start: (span.first - span.length) * 1_000, end, buckets: trailingBuckets(span) },
		...{ now: asking.now, reach: asking.reach },
	};
	const { points, missing } = await pointsOf(asking, measured, groupBy, scope);
	return foundOf(points, missing);
}

/**
 * Values over the windows of a scope, whichever it has, for each combination of `groupBy`.
 * @throws ConditionError, RetentionError, and as `ask`
 */
export async function pointsOf(
	asking: AlertAsking,
	measured: Measured,
	groupBy: readonly string[],
	scope: Scope,
): Promise<MeasuredPoints> {
	const among: Among = { groupBy, filter: measured.filter ?? {} };
	const { metric, aggregation } = measured;
	if (metric === "logs")
		return counts(asking, scope, "log", measured, logOccurrences(scope, parse(measured.query ?? ""), among));
	if (metric === "events")
		return counts(asking, scope, "event", measured, eventOccurrences(scope, measured.event!, among));
	const kpiId = kpiIdOf(metric);
	if (kpiId !== undefined) {
		const kpi = await asking.kpi(kpiId);
		if (!kpi) throw new ConditionError(`the KPI ${kpiId} does not exist any more`);
		const sent = await asking.ask(signals(scope.as_of ?? scope.end));
		const parts = await kpiParts(asking, scope, among, sent, kpi);
		return {
			points: parts.map(({ group, t, numerator, denominator }) => ({
				group,
				t,
				value: quotient(numerator, denominator),
			})),
		};
	}
	const measure = MEASURES.get(metric);
	if (!measure) return { points: await metricPoints(asking, scope, among, metric, aggregation) };
	const count = scope.buckets?.trailing?.count ?? scope.buckets?.starts.length ?? 1;
	if (count > (measure.atMost ?? count))
		throw new ConditionError(`${metric} is asked instant by instant: at most ${measure.atMost} at once, not ${count}`);
	const isWhole = measure.sources.some((source) => source.startsWith("event ")) ? wholeOfEvents(scope) : () => true;
	const points = await measure.points(asking, scope, among, aggregation ?? measure.aggregations[0]!);
	return { points: points.filter(({ t }) => isWhole(t)) };
}

/** Log lines or events. None is 0 once the project has sent some: the question was then about which. */
async function counts(
	asking: AlertAsking,
	scope: Scope,
	signal: "log" | "event",
	{ event, aggregation = "count" }: Measured,
	question: Parameters<typeof asking.ask<Occurrences[]>>[0],
): Promise<MeasuredPoints> {
	const [found, sent] = await Promise.all([asking.ask(question), asking.ask(signals(scope.end))]);
	const first_ms = signal === "log" ? sent.firstOf("log") : (sent.get("event", event!)?.first_seen ?? null);
	const isWhole = signal === "log" ? wholeOfLogs(scope, first_ms) : wholeOfEvents(scope);
	const seconds = secondsOf(scope);
	const points = found
		.filter(({ t }) => isWhole(t))
		.map(({ group, t, n }) => ({ group, t, value: counted(n, aggregation, seconds(t)) }));
	return { points, missing: (t) => (first_ms !== null && first_ms < t * 1_000 && isWhole(t) ? 0 : null) };
}

async function metricPoints(
	asking: AlertAsking,
	scope: Scope,
	among: Among,
	metric: string,
	asked: AlertAggregation | undefined,
): Promise<Point[]> {
	const kinds = (await asking.ask(metricKinds([metric]))).get(metric) ?? [];
	const aggregation = asked ?? defaultAggregation(kinds);
	const values = await asking.ask(
		customMetric(scope, {
			...{ metric, kinds, ...among, seconds: secondsOf(scope) },
			aggregation: aggregation === "per_minute" ? "rate" : aggregation,
		}),
	);
	const factor = aggregation === "per_minute" ? 60 : 1;
	return values.map(({ group, t, value }) => ({ group, t, value: value === null ? null : factor * value }));
}
