/** A report as data, for whoever runs it: what a worker is handed, since it does not read telemetry itself. */
import { setMaxListeners } from "node:events";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../schema/definitions.ts";
import type { ReportDocument } from "../../schema/report-document.ts";
import { type CustomReportData, type Kpi, kpiBody, type Meta, type StoredReport } from "../../schema/wire/index.ts";
import { kpiValue } from "../monitoring/kpi-value.ts";
import { type Asking, askingOf, type QueryDeps } from "../route.ts";
import { customReport } from "./custom.ts";
import type { Section } from "./custom-document.ts";
import type { WindowParameters } from "./sections/blocks.ts";
import { templateReport } from "./templates.ts";

export interface ComposedReport {
	/** Of a custom report; null of a template. */
	readonly data: CustomReportData | null;
	readonly meta: Meta;
	readonly document: ReportDocument;
}

export type ComposeReport = (
	report: Definition<StoredReport>,
	/** Milliseconds since the epoch. */
	as_of: number,
	signal: AbortSignal,
) => Promise<ComposedReport>;

export function reportComposer(deps: QueryDeps & { readonly client: ClickHouse }): ComposeReport {
	const kpis = new Definitions(deps.client, "kpi", kpiBody, deps.now);
	return async ({ project, body }, as_of, signal) => {
		setMaxListeners(MAX_QUERIES, signal);
		const asking = askingOf(deps, project, signal);
		const { content } = body;
		const { data, meta, document } =
			content.type === "custom"
				? await customReport(asking, body, content, as_of)
				: await templateReport(asking, body, content.template, as_of, (window) =>
						kpiSection(asking, kpis, project, content.kpis, window),
					);
		const described = body.description === "" ? {} : { subtitle: body.description };
		const head = { title: body.name, ...described, project, generated_at: new Date(asking.now).toISOString() };
		return { data, meta, document: { ...head, ...document } };
	};
}

/** Queries of one report, each of which listens for its end. */
const MAX_QUERIES = 500;

/** One that was deleted since is told as gone. */
async function kpiSection(
	asking: Asking,
	kpis: Definitions<Kpi>,
	project: string,
	ids: readonly string[],
	window: WindowParameters,
): Promise<Section | undefined> {
	if (ids.length === 0) return undefined;
	const items = await Promise.all(
		ids.map(async (id) => {
			const kpi = await kpis.get(project, id);
			if (!kpi) return { label: id, value: null, note: "this KPI does not exist any more" };
			const { value, display, target_value, status, change_percentage } = await kpiValue(asking, window, kpi);
			const note = `target ${target_value}, ${status.replace("_", " ")}`;
			return { label: kpi.body.name, value: display ?? value, change_percentage, note };
		}),
	);
	return { heading: "KPIs", blocks: [{ type: "figures", items }] };
}
