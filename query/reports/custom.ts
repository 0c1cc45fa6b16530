/** What a custom report counts: a summary, details and insights, by the measures that the routes ask. */
import { BEFORE_NAMES, periodBefore, type ReportPeriod, reportPeriod } from "../../schema/reports/period.ts";
import type { CustomReportData, StoredReport } from "../../schema/wire/index.ts";
import { type Signals, signals } from "../measures/signals.ts";
import { type Needs, withMeta } from "../meta.ts";
import type { Asking } from "../route.ts";
import { type Buckets, bucketsOver } from "../time/buckets.ts";
import { type Kind, REPORT_METRICS, type ReportMetric } from "./catalogue.ts";
import { type Composed, customDocument, labelOf, type Named } from "./custom-document.ts";
import { insightsOf, type Observed } from "./insights.ts";
import { FamilyParts, type Found, valueAt, valuesOf, wholeOf } from "./parts.ts";

export type CustomContent = Extract<StoredReport["content"], { type: "custom" }>;

/** @param as_of of the run, milliseconds since the epoch: it says which period; nothing at or after the end of that counts */
export async function customReport(
	asking: Asking,
	report: Pick<StoredReport, "timeframe" | "timezone" | "include_charts">,
	content: CustomContent,
	as_of: number,
): Promise<Composed> {
	const { timeframe, timezone } = report;
	const period = reportPeriod(timeframe, as_of, timezone);
	const previous = periodBefore(timeframe, period, timezone);
	const sent = await asking.asker.ask(signals(period.end));
	const metrics = metricsOf(content.metrics);
	const { models, user_segments } = content;
	const parts = new FamilyParts({ asking, as_of: period.end, timezone, sent, models, user_segments });
	const step = period.end - period.start > 2 * DAY_MS ? "1d" : "1h";
	const cut = (span: ReportPeriod, granularity: "1d" | "1h") =>
		bucketsOver(span.start, span.end, granularity, timezone);
	const steps = cut(period, step);
	const stepsBefore = cut(previous, step);
	const hours = cut(period, "1h");
	const kinds = content.groupby.filter((by): by is Kind => by !== "date");
	const told = metrics.filter(({ metric }) => kinds.every((kind) => metric.family.kinds.includes(kind)));
	const all = metrics.map(({ metric }) => metric);
	const [whole, before, byStep, byStepBefore, byHour, grouped] = await Promise.all([
		parts.of(all, period),
		parts.ifKept(all, previous),
		parts.of(all, period, { buckets: steps }),
		parts.ifKept(all, previous, { buckets: stepsBefore }),
		parts.of(
			all.filter(({ isCount }) => isCount),
			period,
			{ buckets: hours },
		),
		parts.of(
			told.map(({ metric }) => metric),
			period,
			{ buckets: content.groupby.includes("date") ? cut(period, "1d") : undefined, by: kinds },
		),
	]);
	const comparable = sent.reachesBackTo(previous.start);
	const observed = metrics.map(({ name, metric }): Observed => {
		const value = wholeOf(whole, metric, sent);
		const series = (found: Found, { starts }: Buckets) => starts.map((t) => valueAt(found, metric, t));
		return {
			...{ metric: name, member: metric.member, label: labelOf(metric), unit: metric.unit, better: metric.better },
			...{ value, before: comparable ? wholeOf(before, metric, sent) : null, bucket: step === "1d" ? "day" : "hour" },
			...{ buckets: series(byStep, steps), bucketsBefore: series(byStepBefore, stepsBefore) },
			...(metric.isCount && value !== null ? { hours: valuesOf(byHour, metric) } : {}),
		};
	});
	const insights = insightsOf(observed, { hours: hours.starts, timezone, before: BEFORE_NAMES[timeframe] });
	const summary = Object.fromEntries(
		metrics.map(({ metric }, i) => [metric.total ?? metric.member, metric.round(observed[i]!.value)]),
	);
	const data: CustomReportData = {
		summary: { timeframe: period.text, ...summary },
		details: content.groupby.length === 0 ? [] : detailsOf(grouped, told, content, timezone),
		insights: insights.map(({ text }) => text),
		insight_evidence: insights,
	};
	const untold = metrics.filter((one) => !told.includes(one)).map(({ metric }) => metric);
	const { meta } = withMeta(
		{ data },
		{
			window: { start: period.start, end: period.end, timezone },
			data_through: dataThrough(sent, period.end),
			methods: methodsOf(metrics, untold, content),
		},
		{ needs: needsOf(metrics), sent },
	);
	const document = customDocument({ report, period, steps, metrics, observed, insights, data, content, meta });
	return { data, meta, document };
}

const DAY_MS = 86_400_000;

function metricsOf(names: readonly string[]): Named[] {
	const found = names.flatMap((name) => {
		const metric = REPORT_METRICS.get(name);
		return metric ? [{ name, metric }] : [];
	});
	// Two names of one measure are told once.
	return found.filter(({ metric }, i) => found.findIndex((other) => other.metric === metric) === i);
}

function detailsOf(
	found: Found,
	metrics: readonly Named[],
	{ groupby }: CustomContent,
	timezone: string,
): CustomReportData["details"] {
	const date = dayFormat(timezone);
	const rows = new Map<string, Record<string, string | number | null>>();
	const nothing = Object.fromEntries(metrics.map(({ metric }) => [metric.member, null]));
	for (const { metric } of metrics) {
		for (const { t, kinds, value } of found.get(metric.family) ?? []) {
			const key = Object.fromEntries(
				groupby.map((by) => [by, by === "date" ? date.format(t * 1_000) : (kinds[by] ?? "unknown")]),
			);
			const id = JSON.stringify(Object.values(key));
			const row = rows.get(id) ?? { ...key, ...nothing };
			rows.set(id, { ...row, [metric.member]: metric.round(metric.value(value as never)) });
		}
	}
	return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function dayFormat(timezone: string) {
	return new Intl.DateTimeFormat("en-CA", { timeZone: timezone, year: "numeric", month: "2-digit", day: "2-digit" });
}

function dataThrough(sent: Signals, end: number): number | null {
	const through = sent.dataThrough("metric", "event");
	return through === null ? null : Math.min(through, end);
}

function methodsOf(
	metrics: readonly Named[],
	untold: readonly ReportMetric[],
	{ user_segments, models, groupby }: CustomContent,
): Record<string, string> {
	const filtered = user_segments !== null || models !== null;
	return {
		...Object.fromEntries(
			metrics.map(({ name, metric }) => [metric.total ?? metric.member, `${name}: ${metric.about}`]),
		),
		...Object.fromEntries(
			untold.map((metric) => [`details.${metric.member}`, `has no ${groupby.join(" and no ")}: only in the summary`]),
		),
		...(filtered
			? {
					filters: "models and user_segments choose calls of models; other metrics know neither, and are of everything",
				}
			: {}),
		...(user_segments !== null || groupby.includes("user_segment")
			? { user_segments: "of paying accounts: what their subscriptions say, else the plan of the largest" }
			: {}),
	};
}

function needsOf(metrics: readonly Named[]): Needs {
	const fields = metrics.map(({ metric }) => [`data.summary.${metric.total ?? metric.member}`, metric.family.needs]);
	return { ...Object.fromEntries(fields), ...(metrics[0] ? { "data.details": metrics[0].metric.family.needs } : {}) };
}
