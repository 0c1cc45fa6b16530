/** A heatmap: groups by time, or how the values of a metric are distributed over time. */
import { badParameter } from "../../../http/errors.ts";
import type { Widget, WidgetData } from "../../../schema/wire/index.ts";
import { MEASURES } from "../../measures/alerting/catalogue.ts";
import { kpiIdOf } from "../../measures/alerting/values.ts";
import { distribution } from "../../measures/distribution.ts";
import { framesOf } from "../../points.ts";
import type { Grid } from "../../time/window.ts";
import { type BoardAsking, type BoundQuery, byBucket, unitOf } from "./values.ts";

type HeatWidget = Extract<Widget, { type: "heatmap" }>;
type HeatData = NonNullable<Extract<WidgetData, { type: "heatmap" }>["data"]>;

/** Measures whose values are the response times of requests. */
const RESPONSE_TIMES = [...MEASURES].filter(([name]) => /(^|[._])response_time/.test(name) && !name.startsWith("ai."));

/** What the values of a metric are points of; undefined where it has none of its own: those need `group_by`. */
export function pointsBehind(metric: string): "requests" | "metric" | undefined {
	if (RESPONSE_TIMES.some(([name]) => name === metric)) return "requests";
	if (metric === "logs" || metric === "events" || kpiIdOf(metric) !== undefined || MEASURES.has(metric))
		return undefined;
	return "metric";
}

export async function heatData(
	asking: BoardAsking,
	widget: HeatWidget,
	query: BoundQuery,
	grid: Grid,
): Promise<HeatData> {
	const frames = framesOf(grid);
	const timestamps = frames.map(({ timestamp }) => timestamp);
	const tags = widget.group_by ?? [];
	if (tags.length > 0) {
		const [{ series }, unit] = await Promise.all([
			byBucket(asking, query, tags, grid),
			widget.unit ?? unitOf(asking, query),
		]);
		const size = (values: readonly (number | null)[]) => values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
		const ranked = series.sort((a, b) => size(b.values) - size(a.values) || (a.group[0]! < b.group[0]! ? -1 : 1));
		const rows = ranked.slice(0, widget.limit).map(({ group, values }) => ({
			...{ label: group.join(", "), group: Object.fromEntries(tags.map((tag, i) => [tag, group[i] ?? ""])) },
			values: [...values],
		}));
		return { timestamps, ...(unit === undefined ? {} : { unit }), rows, rows_total: series.length };
	}
	const behind = pointsBehind(query.metric);
	if (behind === undefined)
		throw badParameter({
			...{ parameter: "group_by", provided: [], valid_options: [] },
			reason: `${query.metric} has no points of its own to be distributed: group by a tag`,
		});
	const unit = widget.unit ?? (await unitOf(asking, { ...query, aggregation: undefined }));
	const scope = { ...grid, now: asking.now, reach: asking.reach };
	const source = behind === "requests" ? behind : query.metric;
	const ranges = await asking.ask(distribution(scope, source, query.filter ?? {}));
	const heard = new Set(ranges.flatMap(({ counts }) => [...counts.keys()]));
	const rows = ranges.map(({ lower, upper, counts }) => ({
		...{ label: `${lower} – ${upper}`, lower, upper },
		values: frames.map(({ t }) => counts.get(t) ?? (heard.has(t) ? 0 : null)),
	}));
	return { timestamps, ...(unit === undefined ? {} : { unit }), rows, rows_total: rows.length };
}
