/** Dashboards of the monitoring document: what is stored of one, and how it is imported and exported. */
import { z } from "zod";
import { GRANULARITIES } from "../granularity.ts";
import { ALERT_AGGREGATIONS } from "./alert-conditions.ts";
import { timestamp, zone } from "./common.ts";
import { kpiBody } from "./kpis.ts";

export const MAX_WIDGETS = 50;
const MAX_QUERIES = 10;
const MAX_VARIABLES = 20;
const MAX_FILTERS = 10;
const MAX_VALUES = 500;

/** Rolling ones end at as_of; `1d` is `today`, and these and the rest are calendar periods to date. */
export const DASHBOARD_TIMEFRAMES = ["1h", "6h", "24h", "1d", "7d", "30d", "today", "week", "month", "year"] as const;
export type DashboardTimeframe = (typeof DASHBOARD_TIMEFRAMES)[number];

const name = z.string().trim().min(1).max(200);
const text = z.string().min(1).max(1_000);
const timeframe = z
	.enum(DASHBOARD_TIMEFRAMES)
	.describe("1h, 6h, 24h, 7d and 30d end now; 1d and today, week, month and year are the calendar's, to date.");

/** What is shown: the same names as in conditions of alerts. */
const source = {
	metric: z
		.string()
		.min(1)
		.max(220)
		.describe(
			"A measure (`response_time`, `health_score`, `requests_count`, `error_rate`, …), any ingested metric, also as `name:aggregation`, `logs`, `events`, or `kpi:<kpi_id>`.",
		),
	aggregation: z
		.enum(ALERT_AGGREGATIONS)
		.optional()
		.describe("Over each window. Default: increases are summed, everything else is averaged."),
	event: z.string().min(1).max(200).optional().describe("With the metric `events`: the name of the event."),
	query: z
		.string()
		.max(10_000)
		.optional()
		.describe("With the metric `logs`: which lines count, as in /logs. A term `$name` is a variable."),
	filter: z
		.record(z.string().min(1).max(200), z.union([text, z.array(text).min(1).max(100)]))
		.refine((filter) => Object.keys(filter).length <= MAX_FILTERS, `at most ${MAX_FILTERS} members`)
		.optional()
		.describe(
			"Only records with these tags (of metrics) or properties (of events). `$name` is a variable, `$$` a dollar.",
		),
};
const query = z.strictObject({ ...source, label: name.optional() });
export type WidgetQuery = z.infer<typeof query>;

const layout = z.strictObject({
	x: z.int().min(0).max(1_000),
	y: z.int().min(0).max(10_000),
	w: z.int().min(1).max(1_000),
	h: z.int().min(1).max(1_000),
});
const thresholds = z
	.array(z.strictObject({ value: z.number(), level: z.string().min(1).max(50) }))
	.max(10)
	.refine((all) => all.every(({ value }, i) => i === 0 || value > all[i - 1]!.value), "must rise")
	.describe("A value has the level of the last threshold that it reaches.");

const base = {
	widget_id: z
		.string()
		.regex(/^[A-Za-z0-9_-]{1,64}$/, "must be letters, digits, - and _, at most 64")
		.optional()
		.describe("Names the widget within its dashboard. Default: widget_1, widget_2, …"),
	title: z.string().max(200).default(""),
	description: z.string().max(2_000).optional(),
	layout: layout.optional().describe("Place and size on a grid; whoever draws decides what a unit is."),
	timeframe: timeframe.optional().describe("Default: that of the dashboard."),
	keep_timeframe: z.boolean().optional().describe("The window of a request does not replace that of this widget."),
};
const shown = {
	unit: z.string().max(50).optional().describe("Shown beside the numbers; default: that of the measure."),
	thresholds: thresholds.optional(),
};
const range = {
	min_value: z.number().optional(),
	max_value: z.number().optional(),
};
const groupBy = z
	.array(z.string().min(1).max(200))
	.max(3)
	.refine((tags) => new Set(tags).size === tags.length, "names a tag twice");
/** One `metric`, or several `queries`. */
const several = {
	...{ ...source, metric: source.metric.optional() },
	queries: z.array(query).min(1).max(MAX_QUERIES).optional(),
	group_by: groupBy.optional().describe("Tags, properties of events or members of logs to be told apart by."),
	limit: z.int().min(1).max(100).default(10).describe("At most so many groups, those with the largest values."),
};
const overTime = { granularity: z.enum([...GRANULARITIES, "auto"]).optional() };

const chart = <const T extends string>(type: T) => ({
	...{ type: z.literal(type), ...base, ...several, ...overTime, ...shown, ...range },
});
const widgetShapes = z.discriminatedUnion("type", [
	z.strictObject(chart("line_chart")),
	z.strictObject({ ...chart("area_chart"), stacked: z.boolean().optional() }),
	z.strictObject({
		...chart("bar_chart"),
		over: z
			.enum(["time", "groups"])
			.optional()
			.describe("What the bars stand for. Default: the groups, where there are some."),
	}),
	z.strictObject({ type: z.literal("gauge"), ...base, ...source, ...shown, ...range }),
	z.strictObject({
		...{ type: z.literal("counter"), ...base, ...source, ...shown },
		compare: z
			.boolean()
			.default(true)
			.describe("With the window before: of the same length, or the calendar's to the same time."),
	}),
	z.strictObject({
		...{ type: z.literal("table"), ...base, ...several },
		sort_by: name.optional().describe("Label of a query. Default: the first."),
		order: z.enum(["desc", "asc"]).default("desc"),
	}),
	z.strictObject({
		...{ type: z.literal("log_list"), ...base },
		query: source.query,
		limit: z.int().min(1).max(100).default(20),
	}),
	z.strictObject({
		...{ type: z.literal("heatmap"), ...base, ...source, ...overTime },
		...{ unit: shown.unit, limit: several.limit },
		group_by: groupBy
			.max(1)
			.optional()
			.describe(
				"A row for each value. Without: a row for each range of the values themselves, which points of a metric have.",
			),
	}),
]);
export type Widget = z.infer<typeof widgetShapes>;
export type WidgetType = Widget["type"];

const widget = widgetShapes.superRefine((found, context) => {
	const refuse = (path: (string | number)[], message: string, valid_options: readonly string[] = []) =>
		context.addIssue({ code: "custom", message, path, params: { valid_options } });
	if ("queries" in found && found.queries !== undefined) {
		if (found.metric !== undefined) refuse(["queries"], "metric and queries say two things: send one of them");
		const labels = found.queries.map(labelOf);
		const twice = labels.findIndex((label, i) => labels.indexOf(label) !== i);
		if (twice >= 0) refuse(["queries", twice, "label"], `two queries are called ${labels[twice]}`);
	} else if ("metric" in found && found.metric === undefined) {
		refuse(["metric"], "must name what is shown", [
			"a measure",
			"an ingested metric",
			"logs",
			"events",
			"kpi:<kpi_id>",
		]);
	}
	for (const [path, one] of queriesOf(found)) {
		if (one.metric === "events" && one.event === undefined)
			refuse([...path, "event"], "the metric events needs the name of one");
		if (one.metric !== "events" && one.event !== undefined)
			refuse([...path, "event"], "only the metric events has one");
		if (one.metric !== "logs" && one.query !== undefined) refuse([...path, "query"], "only the metric logs has one");
	}
	if ("min_value" in found && found.min_value !== undefined && found.max_value !== undefined) {
		if (found.min_value >= found.max_value)
			refuse(["min_value"], `must be less than max_value, which is ${found.max_value}`);
	}
	if (found.type === "table" && found.sort_by !== undefined) {
		const labels = queriesOf(found).map(([, one]) => labelOf(one));
		if (!labels.includes(found.sort_by)) refuse(["sort_by"], "is the label of no query", labels);
	}
	if (found.type === "bar_chart" && found.over === "groups" && !found.group_by?.length)
		refuse(["group_by"], "bars that stand for groups need tags to group by");
});

/** The queries of a widget, each with its place within it; a list of logs has none. */
export function queriesOf(found: Widget): (readonly [readonly (string | number)[], WidgetQuery])[] {
	if (found.type === "log_list") return [];
	if ("queries" in found && found.queries !== undefined)
		return found.queries.map((one, i) => [["queries", i], one] as const);
	const { metric, aggregation, event, query: text, filter } = found;
	if (metric === undefined) return [];
	const one = { metric, aggregation, event, query: text, filter };
	return [[[], Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)) as WidgetQuery]];
}

/** What a query is called where it stands beside others. */
export function labelOf({ label, metric, event, aggregation }: WidgetQuery): string {
	return label ?? (event ?? metric) + (aggregation === undefined ? "" : `:${aggregation}`);
}

const variableBase = {
	name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, "must be a name: letters, digits and _"),
	label: z.string().max(200).optional(),
};
const choice = {
	multi: z.boolean().default(false).describe("Several values may be chosen."),
	include_all: z.boolean().default(true).describe("`*` chooses all: filters that use the variable fall away."),
	default: z
		.union([text, z.array(text).min(1).max(100)])
		.optional()
		.describe("Without one: all where that may be chosen, else the first value."),
};
const variable = z
	.discriminatedUnion("type", [
		z.strictObject({
			...variableBase,
			type: z.literal("values"),
			values: z.array(text).min(1).max(MAX_VALUES),
			...choice,
		}),
		z.strictObject({
			...{ ...variableBase, type: z.literal("tag"), ...choice },
			tag: z.string().min(1).max(200).describe("Its values are those that were ever sent."),
			metric: z.string().min(1).max(200).optional().describe("Only values of this metric or measure."),
		}),
		z.strictObject({
			...{ ...variableBase, type: z.literal("text") },
			default: z.string().max(1_000).default("").describe("Empty: filters that use the variable fall away."),
		}),
	])
	.superRefine((found, context) => {
		if (found.type === "text" || found.default === undefined) return;
		const given = [found.default].flat();
		const refuse = (message: string, valid_options: readonly string[]) =>
			context.addIssue({ code: "custom", message, path: ["default"], params: { valid_options } });
		if (given.length > 1 && !found.multi) refuse("is several values, of which one may be chosen", []);
		const isKnown = (value: string) =>
			(value === "*" && found.include_all) || found.type !== "values" || found.values.includes(value);
		if (!given.every(isKnown)) refuse("is none of the values", found.type === "values" ? found.values : []);
	});
export type DashboardVariable = z.infer<typeof variable>;

const fields = {
	name,
	description: z.string().max(5_000),
	timeframe,
	timezone: zone.describe("IANA zone in which days and buckets begin."),
	variables: z
		.array(variable)
		.max(MAX_VARIABLES)
		.superRefine((all, context) => {
			const twice = all.findIndex(({ name: own }, i) => all.findIndex((one) => one.name === own) < i);
			if (twice >= 0)
				context.addIssue({ code: "custom", message: "two variables have this name", path: [twice, "name"] });
		}),
	widgets: z
		.array(widget)
		.max(MAX_WIDGETS, `at most ${MAX_WIDGETS} widgets`)
		.superRefine((all, context) => {
			const ids = all.map((one) => one.widget_id);
			const twice = ids.findIndex((id, i) => id !== undefined && ids.indexOf(id) < i);
			if (twice >= 0)
				context.addIssue({ code: "custom", message: "two widgets have this id", path: [twice, "widget_id"] });
		}),
	allow_unknown: z.boolean().describe("Accepts a metric or an event that nobody has sent yet."),
};

/** What is stored of a dashboard, and what creating one takes. */
export const dashboardBody = z.strictObject({
	...fields,
	description: fields.description.default(""),
	timeframe: fields.timeframe.default("24h"),
	timezone: fields.timezone.default("UTC"),
	variables: fields.variables.default([]),
	widgets: fields.widgets.default([]),
	allow_unknown: fields.allow_unknown.default(false),
});
export type Dashboard = z.infer<typeof dashboardBody>;
export type NewDashboard = z.input<typeof dashboardBody>;
export type NewWidget = NonNullable<NewDashboard["widgets"]>[number];

/** Changes of a dashboard: what is not named stays; lists are replaced as a whole. */
export const dashboardPatch = z.strictObject(fields).partial();
export type DashboardPatch = z.input<typeof dashboardPatch>;

export const dashboardAnswer = dashboardBody.extend({
	dashboard_id: z.string(),
	built_in: z.boolean().describe("There from the start: it may be changed and reset, not deleted."),
	version: z.int().describe("Grows with every change; `If-Match` of a change may ask for it. 0: as it was built in."),
	created_at: timestamp.nullable().describe("Null while a built-in one is as it was."),
	updated_at: timestamp.nullable(),
});
export type DashboardAnswer = z.infer<typeof dashboardAnswer>;

export const dashboardsQuery = z.strictObject({
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
	cursor: z.string().max(200).optional().describe("`next_cursor` of the page before."),
});
export const dashboardsAnswer = z.object({
	dashboards: z
		.array(
			dashboardAnswer
				.omit({ widgets: true, variables: true, allow_unknown: true })
				.extend({ widget_count: z.int().describe("How many widgets it has.") }),
		)
		.describe("Built-in ones first, then in the order they were created."),
	total: z.int().describe("How many."),
	next_cursor: z.string().nullable(),
});
export type DashboardsQuery = z.input<typeof dashboardsQuery>;
export type DashboardsAnswer = z.infer<typeof dashboardsAnswer>;

export const DASHBOARD_FORMAT = "tidemark.dashboard";
/** A dashboard on its way between projects and files, with the KPIs that it shows. */
export const dashboardFile = z.strictObject({
	format: z.literal(DASHBOARD_FORMAT),
	version: z.literal(1).describe("Of this shape."),
	dashboard: dashboardBody.extend({ dashboard_id: z.string().min(1).max(100).optional() }),
	kpis: z
		.record(z.string().min(1).max(100), kpiBody)
		.default({})
		.describe("Definitions of the KPIs that widgets name, by the id by which they name them."),
});
export type DashboardFile = z.infer<typeof dashboardFile>;
export type NewDashboardFile = z.input<typeof dashboardFile>;

export const importDashboardQuery = z.strictObject({
	ids: z
		.enum(["new", "keep"])
		.default("new")
		.describe("The dashboard gets an id of its own, or has the one of the file: 409 where that is taken."),
	replace: z
		.enum(["true", "false"])
		.default("false")
		.describe("With ids=keep: takes the place of the one that has the id."),
});
export const importDashboardAnswer = dashboardAnswer.extend({
	kpis: z
		.array(z.object({ from: z.string(), kpi_id: z.string(), created: z.boolean() }))
		.describe("KPIs of the file: by which id each is known here, and whether it had to be made."),
});
export type ImportDashboardAnswer = z.infer<typeof importDashboardAnswer>;
