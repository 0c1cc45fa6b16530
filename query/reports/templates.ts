/** What the templates tell: each section is the answer of a route over the period, and nothing besides. */
import { BEFORE_NAMES, periodBefore, reportPeriod } from "../../schema/reports/period.ts";
import type { Meta, ReportTemplate, StoredReport } from "../../schema/wire/index.ts";
import type { Asking } from "../route.ts";
import { type Composed, notesOf, type Section } from "./custom-document.ts";
import type { Tell, Telling, Told, WindowParameters } from "./sections/blocks.ts";
import { accounts, business, revenue } from "./sections/business.ts";
import { requests } from "./sections/requests.ts";
import { bottlenecks, databases, errors, network, resources } from "./sections/system.ts";
import { calls, conversations, features, models, use } from "./sections/use.ts";

const SECTIONS: Readonly<Record<ReportTemplate, readonly Tell[]>> = {
	performance_summary: [requests, bottlenecks, resources, databases],
	usage_summary: [use, calls, features],
	ai_summary: [models, conversations],
	business_summary: [business, revenue, accounts],
	reliability_summary: [requests, errors, network],
};
const GRANULARITY = { "1h": "5m", "24h": "1h", "7d": "1d", "30d": "1d" } as const;

/** @param as_of of the run, milliseconds since the epoch: it says which period; nothing at or after the end of that counts */
export async function templateReport(
	asking: Asking,
	report: Pick<StoredReport, "timeframe" | "timezone" | "include_charts">,
	template: ReportTemplate,
	as_of: number,
	/** Of KPIs, over the window. */
	more: (window: WindowParameters) => Promise<Section | undefined>,
): Promise<Composed> {
	const { timeframe, timezone } = report;
	const period = reportPeriod(timeframe, as_of, timezone);
	const previous = periodBefore(timeframe, period, timezone);
	const asWindow = (span: { readonly start: number; readonly end: number }): WindowParameters => ({
		...{ start: isoOf(span.start), end: isoOf(span.end), as_of: isoOf(span.end), timezone },
	});
	const window = asWindow(period);
	const telling: Telling = {
		...{ asking, window, before: asWindow(previous), beforeName: BEFORE_NAMES[timeframe] },
		granularity: GRANULARITY[timeframe],
	};
	const told: Told[] = [];
	// One after the other: a report can wait, and whoever looks at a screen meanwhile should not.
	for (const tell of SECTIONS[template]) told.push(...[await tell(telling)].flat());
	const kpis = await more(window);
	const metas = told.map(({ meta }) => meta);
	const meta = together(metas);
	const sections = [...told.map(({ section }) => section), ...(kpis ? [kpis] : [])];
	const document: Composed["document"] = {
		period: { start: window.start, end: window.end, timezone },
		data_through: meta.data_through,
		sections: report.include_charts ? sections : sections.map(withoutCharts),
		notes: notesOf(meta),
	};
	return { data: null, meta, document };
}

const isoOf = (ms: number) => new Date(ms).toISOString();

function withoutCharts(section: Section): Section {
	return { ...section, blocks: section.blocks.filter(({ type }) => type !== "line_chart" && type !== "bar_chart") };
}

/** What is known of the numbers of several answers over one window. */
function together(metas: readonly Meta[]): Meta {
	const [first] = metas as [Meta];
	const through = metas.flatMap(({ data_through }) => data_through ?? []).sort();
	const missing = new Map(metas.flatMap((meta) => meta.missing).map((one) => [`${one.field} ${one.needs}`, one]));
	return {
		...first,
		...{ coverage: null, tier: null, data_through: through.at(-1) ?? null, missing: [...missing.values()] },
		methods: Object.assign({}, ...metas.map(({ methods }) => methods)),
		approximations: Object.assign({}, ...metas.map(({ approximations }) => approximations)),
	};
}
