/** The numbers of a custom report as pages tell them. Pure. */
import type { ReportDocument } from "../../schema/report-document.ts";
import type { ReportPeriod } from "../../schema/reports/period.ts";
import type { CustomReportData, Meta, ReportInsight, StoredReport } from "../../schema/wire/index.ts";
import { percentOf } from "../rounding.ts";
import type { Buckets } from "../time/buckets.ts";
import type { ReportMetric } from "./catalogue.ts";
import type { CustomContent } from "./custom.ts";
import type { Observed } from "./insights.ts";

export interface Composed {
	/** Of a custom report. */
	readonly data: CustomReportData | null;
	readonly meta: Meta;
	readonly document: Omit<ReportDocument, "project" | "title" | "subtitle" | "generated_at">;
}

/** A metric under the name that it was asked by. */
export interface Named {
	readonly name: string;
	readonly metric: ReportMetric;
}

export type Section = ReportDocument["sections"][number];
type Row = Record<string, string | number | null>;

/** A name as it begins a sentence. */
export function labelOf(metric: ReportMetric): string {
	const words = LABELS[metric.member] ?? metric.member.replaceAll("_", " ");
	return words[0]!.toUpperCase() + words.slice(1);
}

const LABELS: Readonly<Record<string, string>> = {
	requests: "AI requests",
	avg_response_time: "AI response time",
	success_rate: "success rate",
	timeout_rate: "timeout rate",
	total_tokens: "tokens",
	api_requests: "requests",
	api_response_time: "response time",
	api_response_time_p95: "response time p95",
	api_response_time_p99: "response time p99",
	error_rate: "error rate",
	cpu_usage: "processor usage",
	memory_usage: "memory usage",
	active_users: "active users",
};

interface Told {
	readonly report: Pick<StoredReport, "timezone" | "include_charts">;
	readonly period: ReportPeriod;
	readonly steps: Buckets;
	readonly metrics: readonly Named[];
	readonly observed: readonly Observed[];
	readonly insights: readonly ReportInsight[];
	readonly data: CustomReportData;
	readonly content: CustomContent;
	readonly meta: Meta;
}

/** The same numbers, as pages tell them. */
export function customDocument(told: Told): Composed["document"] {
	const { report, period, steps, metrics, observed, insights, data, content, meta } = told;
	const figures = metrics.map(({ metric }, i) => {
		const { value, before } = observed[i]!;
		const change = value === null || before === null || before === 0 ? null : (value - before) / Math.abs(before);
		return {
			label: labelOf(metric),
			value: metric.round(value),
			...unitOf(metric),
			change_percentage: percentOf(change),
			note: metric.about,
		};
	});
	const charts = metrics.flatMap(({ metric }, i) => {
		const points = steps.starts.map((t, at): [string, number | null] => [
			new Date(t * 1_000).toISOString(),
			metric.round(observed[i]!.buckets[at]!),
		]);
		if (points.every(([, value]) => value === null)) return [];
		const type = metric.isCount ? ("bar_chart" as const) : ("line_chart" as const);
		return [
			{
				type,
				title: labelOf(metric),
				...unitOf(metric),
				x: "time" as const,
				series: [{ name: labelOf(metric), points }],
			},
		];
	});
	const members = [...new Set(data.details.flatMap((row) => Object.keys(row)))];
	const columns = members.map((key) => {
		const metric = metrics.find(({ metric }) => metric.member === key)?.metric;
		const label = metric ? labelOf(metric) : key.replaceAll("_", " ");
		return { key, label: label[0]!.toUpperCase() + label.slice(1), ...(metric ? unitOf(metric) : {}) };
	});
	const sections: Section[] = [{ heading: "Summary", blocks: [{ type: "figures", items: figures }] }];
	if (insights.length > 0) sections.push(insightSection(insights));
	if (report.include_charts && charts.length > 0) sections.push({ heading: "Over time", blocks: charts });
	if (data.details.length > 0) {
		const title = `By ${content.groupby.join(", ")}`;
		sections.push({ heading: "Details", blocks: [{ type: "table", title, columns, rows: data.details as Row[] }] });
	}
	return {
		period: { start: isoOf(period.start), end: isoOf(period.end), timezone: report.timezone },
		data_through: meta.data_through,
		sections,
		notes: notesOf(meta),
	};
}

export function insightSection(insights: readonly ReportInsight[]): Section {
	const items = insights.map(({ text, evidence }) => ({
		text,
		evidence: Object.entries(evidence).map(([label, value]) => ({ label, value })),
	}));
	return { heading: "Insights", blocks: [{ type: "insights", items }] };
}

/** What is missing, and what would fill it; how numbers that have filters or approximations came about. */
export function notesOf({ missing, methods, approximations }: Meta): string[] {
	return [
		...missing.map(({ field, needs }) => `${field} is not known: send ${needs}.`),
		...Object.entries(methods).map(([field, method]) => `${field}: ${method}.`),
		...Object.entries(approximations).map(([field, error]) => `${field} is exact to ${100 * error} %.`),
	];
}

const isoOf = (ms: number) => new Date(ms).toISOString();
const unitOf = ({ unit }: ReportMetric) => (unit === "ms" || unit === "%" ? { unit } : {});
