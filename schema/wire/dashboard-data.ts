/** What a dashboard shows: a member of the answer for each widget, each with its own evidence or its own error. */
import { z } from "zod";
import { explanation, logEntry, meta, percent, timestamp, windowParameters } from "./common.ts";
import { DASHBOARD_TIMEFRAMES } from "./dashboards.ts";

const { start, end, as_of, explain } = windowParameters;

export const dashboardDataQuery = z.strictObject({
	refresh_interval: z.coerce
		.number()
		.int()
		.min(0)
		.max(3_600)
		.default(0)
		.describe(
			"Seconds. What was computed at most so long ago may be answered again. Default: everything is computed now.",
		),
	timeframe: z.enum(DASHBOARD_TIMEFRAMES).optional().describe("Instead of those of the widgets."),
	...{ start, end, as_of, explain },
	timezone: z
		.string()
		.optional()
		.describe("IANA zone in which days and buckets begin. Default: that of the dashboard."),
});
/** Besides these, `var-<name>` chooses values of a variable. */
export type DashboardDataQuery = z.input<typeof dashboardDataQuery> & {
	readonly variables?: Readonly<Record<string, string | readonly string[]>>;
};

const value = z.number().nullable();
const unit = z.string().optional().describe("Of the values; absent where it is not known.");
const group = z.record(z.string(), z.string()).describe("Values of the tags of `group_by`.");
const level = z.string().nullable().describe("Of the last threshold that the value reaches.");

const point = z.object({
	timestamp,
	value,
	partial: z.literal(true).optional().describe("The window ends or starts inside this bucket."),
});
const series = z.object({
	label: z.string(),
	metric: z.string(),
	group,
	unit,
	target_value: z.number().optional(),
	points: z.array(point),
});
const timeData = z.object({
	series: z.array(series),
	series_total: z.int().describe("How many there are, those beyond the limit too."),
});
const barData = z.object({
	bars: z.array(z.object({ label: z.string(), metric: z.string(), group, unit, value })).describe("Largest first."),
	bars_total: z.int(),
});
const kpi = z.object({
	kpi_id: z.string(),
	target_value: z.number(),
	attainment: value,
	status: z.enum(["on_target", "off_target", "no_data"]),
	trend: z.enum(["improving", "declining", "stable"]).nullable(),
	display: z.string().nullable(),
});
const gaugeData = z.object({
	value,
	unit,
	min_value: z.number().optional(),
	max_value: z.number().optional(),
	percentage: percent.describe("Of the way from min_value to max_value.").optional(),
	level: level.optional(),
	kpi: kpi.optional(),
});
const counterData = z.object({
	value,
	unit,
	previous: value.describe("Of the window before.").optional(),
	change_percentage: percent.describe("Change of the value to the window before, percent.").optional(),
	level: level.optional(),
	kpi: kpi.optional(),
});
const tableData = z.object({
	columns: z.array(z.object({ name: z.string(), kind: z.enum(["group", "value"]), unit })),
	rows: z.array(z.array(z.union([z.string(), z.number(), z.null()]))),
	rows_total: z.int(),
});
const logData = z.object({
	logs: z.array(logEntry).describe("Newest first."),
	total: z.int(),
	total_is_lower_bound: z.boolean(),
});
const heatData = z.object({
	timestamps: z.array(timestamp),
	unit,
	rows: z
		.array(
			z.object({
				label: z.string(),
				group: group.optional(),
				lower: z.number().optional().describe("Values from here on,"),
				upper: z.number().optional().describe("up to but without this one."),
				values: z.array(value).describe("By timestamp: how many values, or the value of the group."),
			}),
		)
		.describe("Ranges rise."),
	rows_total: z.int(),
});

const common = {
	widget_id: z.string(),
	title: z.string(),
	status: z.enum(["ok", "no_data", "error"]),
	timeframe: z.string(),
	window: z.object({ start: timestamp, end: timestamp, timezone: z.string() }).optional(),
	granularity: z.string().optional(),
	generated_at: timestamp.describe("When it was computed."),
	data_through: timestamp.nullable().describe("Event time up to which there are records of what is shown."),
	stale: z.boolean().describe("What is shown is older than it should be: see stale_reason."),
	stale_reason: z
		.enum(["unreachable", "behind"])
		.optional()
		.describe(
			"unreachable: ClickHouse does not answer, and this is what it last did. behind: records that were received are not stored yet.",
		),
	missing: z.array(z.object({ field: z.string(), needs: z.string() })),
	error: z
		.object({ code: z.int(), message: z.string() })
		.catchall(z.unknown())
		.optional()
		.describe("Why there is no data; the others are not concerned."),
};
const of = <const T extends string, S extends z.ZodType>(type: T, data: S) =>
	z.object({ type: z.literal(type), ...common, data: data.nullable() });
export const widgetData = z.discriminatedUnion("type", [
	of("line_chart", timeData),
	of("area_chart", timeData),
	of("bar_chart", z.union([timeData, barData])),
	of("gauge", gaugeData),
	of("counter", counterData),
	of("table", tableData),
	of("log_list", logData),
	of("heatmap", heatData),
]);
export type WidgetData = z.infer<typeof widgetData>;

export const dashboardDataAnswer = z.object({
	dashboard_id: z.string(),
	name: z.string(),
	generated_at: timestamp,
	refresh_interval: z.int().describe("Seconds, as asked for."),
	stale: z.boolean().describe("Whether any widget is."),
	data_through: timestamp.nullable().describe("Of the newest record behind any widget."),
	variables: z.array(
		z.object({
			name: z.string(),
			type: z.enum(["values", "tag", "text"]),
			values: z.array(z.string()).describe("What is chosen; `*` stands for all."),
			options: z.array(z.string()).optional().describe("What could be chosen, at most 1,000."),
		}),
	),
	widgets: z.array(widgetData).describe("In the order of the dashboard."),
	meta,
	explain: explanation.optional(),
});
export type DashboardDataAnswer = z.infer<typeof dashboardDataAnswer>;
