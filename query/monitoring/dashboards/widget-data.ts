/** What each type of widget makes of its queries. */
import type { Widget, WidgetData, WidgetType } from "../../../schema/wire/index.ts";
import { labelOf, queriesOf } from "../../../schema/wire/index.ts";
import { countOf, isPartlyGone, parseLogQuery } from "../../common/logs.ts";
import { growth } from "../../growth.ts";
import { kpiIdOf } from "../../measures/alerting/values.ts";
import { displayOfKpi, kpiStanding, roundedKpi } from "../../measures/kpi.ts";
import { logPage } from "../../measures/logs.ts";
import { RetentionError } from "../../plan/plan.ts";
import { percentOf, ratio } from "../../rounding.ts";
import type { Asker } from "../../run.ts";
import type { Span } from "../../time/period.ts";
import type { Window } from "../../time/window.ts";
import { heatData } from "./heatmap.ts";
import { type BoardAsking, type BoundQuery, byBucket, kpiOf, namedAggregation, overWindow, unitOf } from "./values.ts";
import { boundFilter, boundQuery, type Chosen } from "./variables.ts";
import { type AskedWindow, widgetGrid, widgetWindow } from "./windows.ts";

export interface WidgetAsking extends BoardAsking {
	readonly asker: Asker;
	readonly chosen: Chosen;
	readonly asked: AskedWindow;
}

type Of<T extends WidgetType> = Extract<Widget, { type: T }>;
type DataOf<T extends WidgetType> = NonNullable<Extract<WidgetData, { type: T }>["data"]>;
/** What is shown, and of when. */
export interface Shown<Data = DataOf<WidgetType>> {
	readonly data: Data;
	readonly window: Window;
	readonly granularity?: string;
}
type Chart = Of<"line_chart" | "area_chart" | "bar_chart">;

/** @throws ApiError, ConditionError, RetentionError: of this widget only */
export async function widgetShown(asking: WidgetAsking, widget: Widget): Promise<Shown> {
	switch (widget.type) {
		case "line_chart":
		case "area_chart":
			return timeChart(asking, widget);
		case "bar_chart":
			return (widget.over ?? (widget.group_by?.length ? "groups" : "time")) === "time"
				? timeChart(asking, widget)
				: barChart(asking, widget);
		case "gauge":
			return gauge(asking, widget);
		case "counter":
			return counter(asking, widget);
		case "table":
			return table(asking, widget);
		case "log_list":
			return logList(asking, widget);
		case "heatmap": {
			const grid = widgetGrid(asking.asked, widget.granularity, asking.now);
			const [query] = boundQueries(asking, widget);
			return {
				data: await heatData(asking, widget, query!, grid),
				window: grid,
				granularity: grid.buckets.granularity,
			};
		}
	}
}

/** Queries with the chosen values in place of variables. */
export function boundQueries({ sent, chosen }: Pick<WidgetAsking, "sent" | "chosen">, widget: Widget): BoundQuery[] {
	return queriesOf(widget).map(([, query]) => {
		const { metric, aggregation, event, query: text, filter } = namedAggregation(query, sent);
		return {
			...{ label: labelOf(query), metric, aggregation, event },
			...{ filter: boundFilter(filter, chosen), query: text === undefined ? undefined : boundQuery(text, chosen) },
		};
	});
}

function groupOf(tags: readonly string[], values: readonly string[]): Record<string, string> {
	return Object.fromEntries(tags.map((tag, i) => [tag, values[i] ?? ""]));
}

/** Of a group among those of several queries. */
function labelled(query: BoundQuery, queries: number, group: readonly string[]): string {
	const values = group.join(", ");
	if (group.length === 0) return query.label;
	return queries > 1 ? `${query.label}: ${values}` : values;
}

function weight(values: readonly (number | null)[]): number {
	return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}

function byText(a: readonly string[], b: readonly string[]): number {
	const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
	return left < right ? -1 : left > right ? 1 : 0;
}

async function timeChart(asking: WidgetAsking, widget: Chart): Promise<Shown<DataOf<"line_chart">>> {
	const grid = widgetGrid(asking.asked, widget.granularity, asking.now);
	const queries = boundQueries(asking, widget);
	const tags = widget.group_by ?? [];
	const found = await Promise.all(
		queries.map(async (query) => {
			const [{ frames, series }, unit, kpi] = await Promise.all([
				byBucket(asking, query, tags, grid),
				widget.unit ?? unitOf(asking, query),
				kpiOf(asking, query),
			]);
			const ranked = series.sort((a, b) => weight(b.values) - weight(a.values) || byText(a.group, b.group));
			const shown = ranked.slice(0, widget.limit).map(({ group, values }) => ({
				label: labelled(query, queries.length, group),
				...{ metric: query.metric, group: groupOf(tags, group) },
				...(unit === undefined ? {} : { unit }),
				...(kpi === undefined ? {} : { target_value: kpi.target_value }),
				points: frames.map(({ timestamp, partial }, i) => ({
					...{ timestamp, value: values[i]! },
					...(partial ? { partial: true as const } : {}),
				})),
			}));
			return { shown, total: series.length };
		}),
	);
	const data = {
		series: found.flatMap(({ shown }) => shown),
		series_total: found.reduce((sum, { total }) => sum + total, 0),
	};
	return { data, window: grid, granularity: grid.buckets.granularity };
}

async function barChart(asking: WidgetAsking, widget: Of<"bar_chart">): Promise<Shown<DataOf<"bar_chart">>> {
	const window = widgetWindow(asking.asked, asking.now);
	const queries = boundQueries(asking, widget);
	const tags = widget.group_by ?? [];
	const found = await Promise.all(
		queries.map(async (query) => {
			const [values, unit] = await Promise.all([
				overWindow(asking, query, tags, window),
				widget.unit ?? unitOf(asking, query),
			]);
			const ranked = values.sort(byValue("desc"));
			const shown = ranked.slice(0, widget.limit).map(({ group, value }) => ({
				label: labelled(query, queries.length, group),
				...{ metric: query.metric, group: groupOf(tags, group) },
				...(unit === undefined ? {} : { unit }),
				value,
			}));
			return { shown, total: values.length };
		}),
	);
	const data = {
		bars: found.flatMap(({ shown }) => shown),
		bars_total: found.reduce((sum, { total }) => sum + total, 0),
	};
	return { data, window };
}

/** What is not known comes last, in either order. */
function byValue(order: "asc" | "desc") {
	const sign = order === "asc" ? 1 : -1;
	return (
		a: { readonly group: readonly string[]; readonly value: number | null },
		b: { readonly group: readonly string[]; readonly value: number | null },
	): number => {
		if (a.value === null || b.value === null)
			return Number(a.value === null) - Number(b.value === null) || byText(a.group, b.group);
		return sign * (a.value - b.value) || byText(a.group, b.group);
	};
}

interface Single {
	readonly value: number | null;
	readonly previous: number | null;
	/** A ratio. */
	readonly change: number | null;
	readonly kpi?: DataOf<"counter">["kpi"];
}

async function single(
	asking: WidgetAsking,
	query: BoundQuery,
	window: Window & { previous: Span },
	compare: boolean,
): Promise<Single> {
	const kpi = await kpiOf(asking, query);
	if (kpi) {
		const { start, end } = window;
		const scope = { start, end, now: asking.now, reach: asking.reach };
		// A part of a KPI, by a filter, has no standing of its own.
		if (Object.keys(query.filter ?? {}).length === 0) {
			const found = await kpiStanding(asking, scope, asking.sent, kpi, window.previous);
			const { format } = kpi.calculation;
			return {
				...{
					value: roundedKpi(found.value, format),
					previous: roundedKpi(found.previous, format),
					change: found.change,
				},
				kpi: {
					...{ kpi_id: kpiIdOf(query.metric)!, target_value: kpi.target_value, attainment: ratio(found.attainment) },
					...{ status: found.status, trend: found.trend, display: displayOfKpi(found.value, format) },
				},
			};
		}
	}
	const valueOver = async (span: Span) =>
		(await overWindow(asking, query, [], { ...span, as_of: window.as_of }))[0]!.value;
	const first = asking.sent.comparableFrom();
	const isCovered = compare && first !== null && first <= window.previous.start;
	const [value, previous] = await Promise.all([
		valueOver(window),
		isCovered ? ifKept(valueOver(window.previous)) : null,
	]);
	return {
		value,
		previous,
		change: growth(value, previous, { sent: asking.sent, previousStart: window.previous.start }),
	};
}

/** A window to compare with may reach further back than what is kept. */
function ifKept(value: Promise<number | null>): Promise<number | null> {
	return value.catch((error: unknown) => {
		if (error instanceof RetentionError) return null;
		throw error;
	});
}

function levelOf(value: number | null, thresholds: readonly { value: number; level: string }[]): string | null {
	return value === null ? null : (thresholds.findLast((threshold) => value >= threshold.value)?.level ?? null);
}

async function gauge(asking: WidgetAsking, widget: Of<"gauge">): Promise<Shown<DataOf<"gauge">>> {
	const window = widgetWindow(asking.asked, asking.now);
	const [query] = boundQueries(asking, widget);
	const [{ value, kpi }, unit] = await Promise.all([
		single(asking, query!, window, false),
		widget.unit ?? unitOf(asking, query!),
	]);
	const { min_value, max_value, thresholds } = widget;
	const [low, high] = [min_value ?? 0, max_value];
	const data = {
		value,
		...(unit === undefined ? {} : { unit }),
		...(min_value === undefined ? {} : { min_value }),
		...(max_value === undefined ? {} : { max_value }),
		...(high === undefined || high <= low
			? {}
			: { percentage: value === null ? null : percentOf((value - low) / (high - low)) }),
		...(thresholds ? { level: levelOf(value, thresholds) } : {}),
		...(kpi ? { kpi } : {}),
	};
	return { data, window };
}

async function counter(asking: WidgetAsking, widget: Of<"counter">): Promise<Shown<DataOf<"counter">>> {
	const window = widgetWindow(asking.asked, asking.now);
	const [query] = boundQueries(asking, widget);
	const [{ value, previous, change, kpi }, unit] = await Promise.all([
		single(asking, query!, window, widget.compare),
		widget.unit ?? unitOf(asking, query!),
	]);
	const data = {
		value,
		...(unit === undefined ? {} : { unit }),
		...(widget.compare ? { previous, change_percentage: percentOf(change) } : {}),
		...(widget.thresholds ? { level: levelOf(value, widget.thresholds) } : {}),
		...(kpi ? { kpi } : {}),
	};
	return { data, window };
}

async function table(asking: WidgetAsking, widget: Of<"table">): Promise<Shown<DataOf<"table">>> {
	const window = widgetWindow(asking.asked, asking.now);
	const queries = boundQueries(asking, widget);
	const tags = widget.group_by ?? [];
	const [columns, units] = await Promise.all([
		Promise.all(queries.map((query) => overWindow(asking, query, tags, window))),
		Promise.all(queries.map((query) => unitOf(asking, query))),
	]);
	const byGroup = columns.map((values) => new Map(values.map(({ group, value }) => [JSON.stringify(group), value])));
	const sorted = Math.max(
		0,
		queries.findIndex(({ label }) => label === widget.sort_by),
	);
	const groups = [...new Set(byGroup.flatMap((values) => [...values.keys()]))]
		.map((key) => ({ key, group: JSON.parse(key) as string[], value: byGroup[sorted]?.get(key) ?? null }))
		.sort(byValue(widget.order));
	const data = {
		columns: [
			...tags.map((name) => ({ name, kind: "group" as const })),
			...queries.map(({ label }, i) => ({
				...{ name: label, kind: "value" as const },
				...(units[i] === undefined ? {} : { unit: units[i] }),
			})),
		],
		rows: groups
			.slice(0, widget.limit)
			.map(({ key, group }) => [...group, ...byGroup.map((values) => values.get(key) ?? null)]),
		rows_total: groups.length,
	};
	return { data, window };
}

async function logList(asking: WidgetAsking, widget: Of<"log_list">): Promise<Shown<DataOf<"log_list">>> {
	const window = widgetWindow(asking.asked, asking.now);
	const filter = parseLogQuery(boundQuery(widget.query ?? "", asking.chosen));
	const page = await asking.asker.ask(logPage(window, filter, { limit: widget.limit, order: "desc" }));
	const count =
		page.next === undefined
			? { total: page.logs.length, isLowerBound: false }
			: await countOf(asking.asker, window, filter, page.logs.length);
	const total_is_lower_bound = count.isLowerBound || isPartlyGone(window, asking.sent, asking);
	const data = { logs: [...page.logs], total: count.total, total_is_lower_bound };
	return { data, window };
}
