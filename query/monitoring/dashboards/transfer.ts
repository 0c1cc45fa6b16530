/** A dashboard as a file: with the KPIs that it shows, since those are a project's own. */
import { badParameter } from "../../../http/errors.ts";
import type { Definition } from "../../../schema/definitions.ts";
import {
	DASHBOARD_FORMAT,
	type Dashboard,
	type DashboardFile,
	type Kpi,
	queriesOf,
	type Widget,
} from "../../../schema/wire/index.ts";
import { kpiIdOf } from "../../measures/alerting/values.ts";

/** Ids of the KPIs that widgets name. */
export function kpisNamed(widgets: readonly Widget[]): string[] {
	const named = widgets.flatMap(queriesOf).map(([, { metric }]) => kpiIdOf(metric));
	return [...new Set(named.filter((id) => id !== undefined))];
}

/** KPIs that are gone are left out: who imports the file is told. */
export function fileOf(dashboard_id: string, dashboard: Dashboard, kpis: readonly Definition<Kpi>[]): DashboardFile {
	const named = kpisNamed(dashboard.widgets);
	return {
		format: DASHBOARD_FORMAT,
		version: 1,
		dashboard: { dashboard_id, ...dashboard },
		kpis: Object.fromEntries(kpis.filter(({ id }) => named.includes(id)).map(({ id, body }) => [id, body])),
	};
}

export interface PlannedKpi {
	/** As the file names it. */
	readonly from: string;
	/** Of the project: one that is defined alike; undefined where it has to be made. */
	readonly kpi_id: string | undefined;
	readonly body: Kpi;
}

/**
 * What becomes of the KPIs of a file: a KPI of the project that is defined alike is taken, the one of that id before others.
 * @throws ApiError 400 where a widget names one that neither the file nor the project has
 */
export function plannedKpis(file: DashboardFile, known: readonly Definition<Kpi>[]): PlannedKpi[] {
	const gone = kpisNamed(file.dashboard.widgets).find(
		(id) => !(id in file.kpis) && !known.some((kpi) => kpi.id === id),
	);
	if (gone !== undefined) {
		const reason = "Widgets name this KPI; the file must define it";
		throw badParameter({ parameter: `kpis.${gone}`, provided: null, valid_options: known.map(({ id }) => id), reason });
	}
	return Object.entries(file.kpis).map(([from, body]) => {
		const alike = known.filter((kpi) => sameKpi(kpi.body, body));
		return { from, body, kpi_id: (alike.find(({ id }) => id === from) ?? alike[0])?.id };
	});
}

function sameKpi(a: Kpi, b: Kpi): boolean {
	const parts = ({
		name,
		description,
		calculation: { numerator, denominator, format },
		target_value,
		trend_direction,
	}: Kpi) => JSON.stringify([name, description, numerator, denominator, format, target_value, trend_direction]);
	return parts(a) === parts(b);
}

/** The widgets with other ids of KPIs. */
export function renamedKpis(widgets: readonly Widget[], ids: ReadonlyMap<string, string>): Widget[] {
	const renamed = <Q extends { readonly metric?: string | undefined }>(query: Q): Q => {
		const id = query.metric === undefined ? undefined : kpiIdOf(query.metric);
		return id !== undefined && ids.has(id) ? { ...query, metric: `kpi:${ids.get(id)}` } : query;
	};
	return widgets.map((widget) => {
		if (widget.type === "log_list") return widget;
		if ("queries" in widget && widget.queries) return { ...widget, queries: widget.queries.map(renamed) };
		return renamed(widget);
	});
}
