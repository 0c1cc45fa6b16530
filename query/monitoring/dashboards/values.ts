/** The numbers of a query of a widget: over its window, or by bucket; rounded, and with what silence stands for. */
import type { Kpi, WidgetQuery } from "../../../schema/wire/index.ts";
import { type AlertAsking, ConditionError } from "../../measures/alerting/asking.ts";
import { MEASURES, type Unit } from "../../measures/alerting/catalogue.ts";
import { kpiIdOf, type Measured, pointsOf } from "../../measures/alerting/values.ts";
import { AGGREGATIONS, metricUnit } from "../../measures/custom.ts";
import { recordsNamed, roundedKpi } from "../../measures/kpi.ts";
import type { Scope } from "../../measures/scope.ts";
import type { Signals } from "../../measures/signals.ts";
import type { NeededRecords } from "../../meta.ts";
import { type Frame, framesOf } from "../../points.ts";
import { decimals, milliseconds, ratio, significant, whole } from "../../rounding.ts";
import type { Grid, Window } from "../../time/window.ts";
import { silenceOf } from "./silence.ts";

/** What widgets of one project are asked with. */
export interface BoardAsking extends AlertAsking {
	/** Everything sent before `as_of`. */
	readonly sent: Signals;
}

/** A query with its variables in place and its name taken apart. */
export interface BoundQuery extends Measured {
	readonly label: string;
}

/** `name:aggregation` of an ingested metric is taken apart, unless a metric has that very name. */
export function namedAggregation<Q extends Pick<WidgetQuery, "metric" | "aggregation">>(query: Q, sent: Signals): Q {
	const { metric } = query;
	const colon = metric.lastIndexOf(":");
	if (colon <= 0 || kpiIdOf(metric) !== undefined || sent.hasMetric(metric)) return query;
	const name = metric.slice(0, colon);
	const aggregation = AGGREGATIONS.find((suffix) => suffix === metric.slice(colon + 1));
	return aggregation === undefined || MEASURES.has(name) ? query : { ...query, metric: name, aggregation };
}

/** One value for each group of a window. */
export interface GroupValue {
	readonly group: readonly string[];
	readonly value: number | null;
}

/** Values for each group, one a bucket. */
export interface GroupSeries {
	readonly group: readonly string[];
	readonly values: readonly (number | null)[];
}

export async function overWindow(
	asking: BoardAsking,
	query: BoundQuery,
	groupBy: readonly string[],
	window: Pick<Window, "start" | "end" | "as_of">,
): Promise<GroupValue[]> {
	const scope = scopeOf(asking, window);
	const round = await roundingOf(asking, query);
	const found = await pointsOf(asking, query, groupBy, scope);
	const silence = await silenceOf(asking, query, groupBy, scope, found);
	const frame = { t: 0, end_ms: window.end, over: true };
	if (groupBy.length === 0) return [{ group: [], value: round(found.points[0]?.value ?? silence(frame)) }];
	return found.points.map(({ group, value }) => ({ group, value: round(value) }));
}

export async function byBucket(
	asking: BoardAsking,
	query: BoundQuery,
	groupBy: readonly string[],
	grid: Grid,
): Promise<{ readonly frames: readonly Frame[]; readonly series: GroupSeries[] }> {
	const scope: Scope = { ...scopeOf(asking, grid), buckets: grid.buckets };
	const frames = framesOf(grid);
	const round = await roundingOf(asking, query);
	const found = await pointsOf(asking, query, groupBy, scope);
	const silence = await silenceOf(asking, query, groupBy, scope, found, frames);
	const groups = new Map<string, Map<number, number | null>>(groupBy.length === 0 ? [["[]", new Map()]] : []);
	for (const { group, t, value } of found.points) {
		const key = JSON.stringify(group);
		groups.set(key, (groups.get(key) ?? new Map<number, number | null>()).set(t, value));
	}
	const series = [...groups].map(([key, values]) => ({
		group: JSON.parse(key) as string[],
		values: frames.map((frame) => round(values.get(frame.t) ?? silence(frame))),
	}));
	return { frames, series };
}

function scopeOf({ now, reach }: BoardAsking, { start, end, as_of }: Pick<Window, "start" | "end" | "as_of">): Scope {
	return { start, end, as_of, now, reach };
}

const ROUNDED: Readonly<Record<Unit, (value: number | null) => number | null>> = {
	ms: milliseconds,
	ratio,
	percent: (value) => decimals(value, 1),
	count: whole,
	"Mbit/s": significant,
	score: (value) => decimals(value, 1),
};
const PER: Readonly<Record<string, string>> = { rate: "/s", per_minute: "/min" };

/** As the routes round the same: at the edge only. */
async function roundingOf(asking: BoardAsking, query: BoundQuery): Promise<(value: number | null) => number | null> {
	const kpi = await kpiOf(asking, query);
	if (kpi) return (value) => roundedKpi(value, kpi.calculation.format);
	const unit = MEASURES.get(query.metric)?.unit ?? (isCount(query) ? "count" : undefined);
	if (unit === undefined) return (value) => (value !== null && Number.isFinite(value) ? value : null);
	return unit === "count" && (query.aggregation ?? "") in PER ? significant : ROUNDED[unit];
}

/** Of the values; undefined where nobody said it. */
export async function unitOf(asking: BoardAsking, query: BoundQuery): Promise<string | undefined> {
	const per = PER[query.aggregation ?? ""] ?? "";
	const unit = MEASURES.get(query.metric)?.unit ?? (isCount(query) ? "count" : undefined);
	if (unit !== undefined) return unit === "count" ? unit + per : unit;
	if (kpiIdOf(query.metric) !== undefined) return undefined;
	if (query.aggregation === "count") return "count";
	const sentWith = await asking.ask(metricUnit(query.metric));
	return sentWith === undefined ? undefined : sentWith + per;
}

function isCount({ metric }: BoundQuery): boolean {
	return metric === "logs" || metric === "events";
}

/** The KPI that a query shows, if it shows one. @throws ConditionError when it is gone */
export async function kpiOf(asking: AlertAsking, query: Pick<BoundQuery, "metric">): Promise<Kpi | undefined> {
	const id = kpiIdOf(query.metric);
	if (id === undefined) return undefined;
	const kpi = await asking.kpi(id);
	if (!kpi) throw new ConditionError(`the KPI ${id} does not exist any more`);
	return kpi;
}

const ANY_RECORD = ["metric", "event", "log", "error"];
/** Records that say more than their names. */
const MARKED: Readonly<Record<string, NeededRecords>> = {
	"event with user_id": { any: ["event"], with: "user_id" },
	"anything with a component": { any: ANY_RECORD, with: "component" },
};

/** What has to be sent for there to be anything to show. */
export async function needOf(asking: AlertAsking, query: BoundQuery): Promise<NeededRecords> {
	if (query.metric === "logs") return "log";
	if (query.metric === "events") return `event ${query.event!}`;
	const kpi = await kpiOf(asking, query);
	if (kpi) return { all: [recordsNamed(kpi.calculation.numerator), recordsNamed(kpi.calculation.denominator)] };
	const measure = MEASURES.get(query.metric);
	if (!measure) return `metric ${query.metric}`;
	const [first] = measure.sources;
	return (first !== undefined && MARKED[first]) || measure.sources;
}
