/** What a condition is about, as values of label sets at instants. */
import type { AlertAggregation, Kpi, Leaf } from "../../../schema/wire/index.ts";
import { parse } from "../../logs/parser.ts";
import { type Trailing, trailingBuckets } from "../../time/buckets.ts";
import type { Among } from "../among.ts";
import { customMetric, defaultAggregation, metricKinds } from "../custom.ts";
import { eventOccurrences, logOccurrences, type Occurrences } from "../occurrences.ts";
import type { Scope } from "../scope.ts";
import { signals } from "../signals.ts";
import { recordNamed } from "../sums.ts";
import { type AlertAsking, ConditionError, type Found, foundOf, type Point } from "./asking.ts";
import { counted, MEASURES } from "./catalogue.ts";

export type Measured = Pick<Leaf, "metric" | "aggregation" | "event" | "query" | "filter">;

const KPI = "kpi:";

/** The id that a metric like `kpi:kpi_x` names. */
export function kpiIdOf(metric: string): string | undefined {
	return metric.startsWith(KPI) ? metric.slice(KPI.length) : undefined;
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
		return foundOf(await kpiPoints(asking, scope, among, kpi));
	}
	const measure = MEASURES.get(metric);
	if (!measure) return foundOf(await metricPoints(asking, scope, among, metric, aggregation));
	if (span.count > (measure.atMost ?? span.count))
		throw new ConditionError(
			`${metric} is asked instant by instant: at most ${measure.atMost} at once, not ${span.count}`,
		);
	return foundOf(await measure.points(asking, scope, among, aggregation ?? measure.aggregations[0]!));
}

/** Log lines or events. None is 0 once the project has sent some: the question was then about which. */
async function counts(
	asking: AlertAsking,
	scope: Scope,
	signal: "log" | "event",
	{ event, aggregation = "count" }: Measured,
	question: Parameters<typeof asking.ask<Occurrences[]>>[0],
): Promise<Found> {
	const [found, sent] = await Promise.all([asking.ask(question), asking.ask(signals(scope.end))]);
	const first_ms = signal === "log" ? sent.firstOf("log") : (sent.get("event", event!)?.first_seen ?? null);
	const points = found.map(({ group, t, n }) => ({ group, t, value: counted(n, aggregation, scope) }));
	return foundOf(points, (t) => (first_ms !== null && first_ms < t * 1_000 ? 0 : null));
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
	const { length } = scope.buckets!.trailing!;
	const values = await asking.ask(
		customMetric(scope, {
			...{ metric, kinds, ...among, seconds: () => length },
			aggregation: aggregation === "per_minute" ? "rate" : aggregation,
		}),
	);
	const factor = aggregation === "per_minute" ? 60 : 1;
	return values.map(({ group, t, value }) => ({ group, t, value: value === null ? null : factor * value }));
}

/** Sum of the numerator by sum of the denominator, each over the same window. */
async function kpiPoints(asking: AlertAsking, scope: Scope, among: Among, { calculation }: Kpi): Promise<Point[]> {
	const sent = await asking.ask(signals(scope.end));
	const sums = async (name: string): Promise<readonly Point[]> => {
		const record = recordNamed(sent, name);
		if (record === null) return [];
		if (record === "metric") return metricPoints(asking, scope, among, name, "sum");
		const found = await asking.ask(eventOccurrences(scope, name, among));
		return found.map(({ group, t, n }) => ({ group, t, value: n }));
	};
	const [above, below] = await Promise.all([sums(calculation.numerator), sums(calculation.denominator)]);
	const key = ({ group, t }: Point) => JSON.stringify([group, t]);
	const numerators = new Map(above.map((point) => [key(point), point.value]));
	const isKnown = recordNamed(sent, calculation.numerator) !== null;
	return below.map((point) => ({
		...{ group: point.group, t: point.t },
		value: isKnown && point.value ? (numerators.get(key(point)) ?? 0) / point.value : null,
	}));
}
