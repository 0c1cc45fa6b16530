/** Whether a dashboard can be shown: its names are those of something, and what widgets ask of them can be answered. */
import { ApiError, badParameter } from "../../../http/errors.ts";
import { type Dashboard, type DashboardVariable, queriesOf, type Widget } from "../../../schema/wire/index.ts";
import { parseLogQuery } from "../../common/logs.ts";
import { checkMeasured, type Known } from "../alerts/check.ts";
import { pointsBehind } from "./heatmap.ts";
import { namedAggregation } from "./values.ts";
import { checkReferences, referencesIn } from "./variables.ts";
import { widgetGrid } from "./windows.ts";

type Checked = Pick<Dashboard, "widgets" | "variables" | "timeframe" | "timezone" | "allow_unknown">;

/**
 * @param before what is changed: what it shows already may stay, though its KPI or its records are gone
 * @throws ApiError 400 that names the member
 */
export function checkDashboard(dashboard: Checked, known: Known, now: number, before?: Checked): void {
	const isSame = <T>(a: T, b: T) => JSON.stringify(a) === JSON.stringify(b);
	const hasNewVariables = !before || !isSame(before.variables, dashboard.variables);
	const hasNewWindow = before?.timeframe !== dashboard.timeframe || before.timezone !== dashboard.timezone;
	for (const [i, widget] of dashboard.widgets.entries()) {
		const path = `widgets.${i}`;
		const isNew = hasNewVariables || !before.widgets.some((one) => isSame(one, widget));
		if (isNew) checkNames(path, widget, dashboard, known);
		if (isNew || hasNewWindow) checkGranularity(path, widget, dashboard, now);
	}
}

function checkNames(path: string, widget: Widget, { variables, allow_unknown }: Checked, known: Known): void {
	for (const [place, query] of queriesOf(widget)) {
		const at = [path, ...place].join(".");
		const groupBy = "group_by" in widget ? (widget.group_by ?? []) : [];
		checkMeasured(
			at,
			namedAggregation(query, known.sent),
			{ groupBy, groupPath: `${path}.group_by`, allow_unknown },
			known,
		);
		checkVariables(at, query, variables);
	}
	if (widget.type === "log_list") {
		parseLogQuery(widget.query, `${path}.query`);
		checkVariables(path, widget, variables);
	}
	if (widget.type === "heatmap" && !widget.group_by?.length && pointsBehind(widget.metric) === undefined) {
		const reason = `${widget.metric} has no points of its own to be distributed: group by a tag`;
		throw badParameter({ parameter: `${path}.group_by`, provided: null, valid_options: [], reason });
	}
}

function checkVariables(
	path: string,
	query: Parameters<typeof referencesIn>[0],
	variables: readonly DashboardVariable[],
): void {
	checkReferences(`${path}.filter`, referencesIn({ filter: query.filter }), variables);
	checkReferences(`${path}.query`, referencesIn({ query: query.query }), variables);
}

/** A pair of timeframe and granularity with too many points would be refused at every look. */
function checkGranularity(path: string, widget: Widget, { timeframe, timezone }: Checked, now: number): void {
	if (!("granularity" in widget) || widget.granularity === undefined) return;
	try {
		widgetGrid({ timeframe: widget.timeframe ?? timeframe, timezone }, widget.granularity, now);
	} catch (error) {
		const details = error instanceof ApiError ? (error.extra.details as Parameters<typeof badParameter>[0]) : undefined;
		throw details ? badParameter({ ...details, parameter: `${path}.${details.parameter}` }) : error;
	}
}
