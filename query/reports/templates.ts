/** What the templates tell: each section is the answer of a route over the period, and nothing besides. */
import type { BlockOf } from "../../schema/report-document.ts";
import { periodBefore, reportPeriod } from "../../schema/reports/period.ts";
import type { Meta, MetricsAnswer, ReportTemplate, StoredReport } from "../../schema/wire/index.ts";
import { aiConversationsRead } from "../analytics/ai-conversations.ts";
import { aiPerformanceRead } from "../analytics/ai-performance.ts";
import { businessCustomersRead } from "../analytics/business-customers.ts";
import { usageFeaturesRead } from "../analytics/usage-features.ts";
import { usageOverviewRead } from "../analytics/usage-overview.ts";
import { businessRead } from "../monitoring/business.ts";
import { databasesRead } from "../monitoring/databases.ts";
import { errorAnalysisRead } from "../monitoring/errors.ts";
import { metricsRead } from "../monitoring/metrics.ts";
import { networkRead } from "../monitoring/network.ts";
import { performanceRead } from "../monitoring/performance.ts";
import { resourcesRead } from "../monitoring/resources.ts";
import { revenueRead } from "../monitoring/revenue.ts";
import { usageRead } from "../monitoring/usage.ts";
import { RetentionError } from "../plan/plan.ts";
import type { Asking } from "../route.ts";
import { type Composed, insightSection, notesOf, type Section } from "./custom-document.ts";
import { insightsOf, type Observed } from "./insights.ts";

/** The window of a report as the parameters of routes. */
export interface WindowParameters {
	readonly start: string;
	readonly end: string;
	readonly as_of: string;
	readonly timezone: string;
}

interface Telling {
	readonly asking: Asking;
	readonly window: WindowParameters;
	/** Of the same length before. */
	readonly before: WindowParameters;
	readonly beforeName: string;
	/** Of charts. */
	readonly granularity: "5m" | "1h" | "1d";
}

/** A section with where its numbers come from. */
interface Told {
	readonly section: Section;
	readonly meta: Meta;
}

type Tell = (telling: Telling) => Promise<Told | Told[]>;
type Figures = BlockOf<"figures">["items"];
type Cell = string | number | boolean | null;

const figure = (label: string, value: number | string | null | undefined, unit?: string): Figures[number] => ({
	...{ label, value: value ?? null },
	...(unit === undefined ? {} : { unit }),
});
const figures = (...items: Figures): BlockOf<"figures"> => ({ type: "figures", items });

function table<R extends object>(
	title: string,
	rows: readonly R[],
	columns: readonly (readonly [label: string, of: (row: R) => unknown, unit?: string])[],
): BlockOf<"table">[] {
	if (rows.length === 0) return [];
	return [
		{
			...{ type: "table", title },
			columns: columns.map(([label, , unit], i) => ({ key: `c${i}`, label, ...(unit === undefined ? {} : { unit }) })),
			rows: rows.map((row) => Object.fromEntries(columns.map(([, of], i) => [`c${i}`, (of(row) ?? null) as Cell]))),
		},
	];
}

type Chart = BlockOf<"line_chart" | "bar_chart">;

/** Of members of buckets; those without any value are left out, and a chart without any is none. */
function chart(
	form: Pick<Chart, "type" | "title"> & { readonly unit?: string },
	points: readonly { readonly timestamp: string; readonly [member: string]: unknown }[],
	members: Readonly<Record<string, string>>,
): Chart[] {
	const series = Object.entries(members).map(([member, name]) => ({
		name,
		points: points.map((point): [string, number | null] => [
			point.timestamp,
			(point[member] as number | null | undefined) ?? null,
		]),
	}));
	const known = series.filter(({ points }) => points.some(([, value]) => value !== null));
	return known.length === 0 ? [] : [{ ...form, x: "time", series: known }];
}

const requests: Tell = async ({ asking, window, before, beforeName, granularity }) => {
	const metrics = "api_requests,response_time_avg,response_time_p95,response_time_p99,error_rate";
	const ask = (span: WindowParameters, step: Telling["granularity"]) =>
		metricsRead.answerTo(asking, { ...span, granularity: step, metrics });
	const now = await ask(window, granularity);
	const then = await ifKept(ask(before, granularity));
	const hourly = granularity === "1h" ? now : granularity === "1d" ? await ask(window, "1h") : undefined;
	const { summary } = now;
	const rate = errorRate(summary);
	const blocks: Section["blocks"] = [
		figures(
			{
				...figure("Requests", summary.total_requests),
				...changed(summary.total_requests, then?.summary.total_requests),
			},
			{
				...figure("Mean response time", summary.avg_response_time, "ms"),
				...changed(summary.avg_response_time, then?.summary.avg_response_time),
			},
			figure("Slowest response", summary.peak_response_time, "ms"),
			figure("Failed requests", summary.error_count),
			figure("Availability", summary.availability, "%"),
		),
		...chart({ type: "bar_chart", title: "Requests" }, now.data_points, { api_requests: "Requests" }),
		...chart({ type: "line_chart", title: "Response time", unit: "ms" }, now.data_points, {
			response_time_avg: "Mean",
			response_time_p95: "p95",
			response_time_p99: "p99",
		}),
		...chart({ type: "line_chart", title: "Error rate" }, now.data_points, { error_rate: "Failed of all" }),
	];
	const observed = [
		observe(now, then, "api_requests", [summary.total_requests, then?.summary.total_requests], {
			...{ label: "Requests", unit: "" as const },
			...(hourly ? { hours: hoursOf(hourly) } : {}),
		}),
		observe(now, then, "response_time_avg", [summary.avg_response_time, then?.summary.avg_response_time], {
			...{ label: "Response time", unit: "ms" as const, better: "lower" as const },
		}),
		observe(now, then, "error_rate", [rate, then ? errorRate(then.summary) : null], {
			...{ label: "Error rate", unit: "ratio" as const, better: "lower" as const },
		}),
	];
	const insights = insightsOf(observed, {
		...{ timezone: window.timezone, before: beforeName },
		hours: hourly ? hourly.data_points.map(({ timestamp }) => Date.parse(timestamp) / 1_000) : [],
	});
	return [
		{ section: { heading: "Requests", blocks }, meta: now.meta },
		...(insights.length === 0 ? [] : [{ section: insightSection(insights), meta: now.meta }]),
	];
};

const BUCKET = { "5m": "five minutes", "1h": "hour", "1d": "day" } as const;

function observe(
	now: MetricsAnswer,
	then: MetricsAnswer | undefined,
	member: string,
	[value, before]: readonly [number | null, number | null | undefined],
	of: Pick<Observed, "label" | "unit"> & Partial<Pick<Observed, "better" | "hours">>,
): Observed {
	const series = (answer: MetricsAnswer | undefined) =>
		(answer?.data_points ?? []).map((point) => (point[member] as number | null | undefined) ?? null);
	return {
		...{ ...of, metric: member, member, value, before: before ?? null },
		...{ buckets: series(now), bucketsBefore: series(then), bucket: BUCKET[now.granularity as keyof typeof BUCKET] },
	};
}

function hoursOf({ data_points }: MetricsAnswer): Map<number, number> {
	return new Map(
		data_points.flatMap(({ timestamp, api_requests }) =>
			typeof api_requests === "number" ? [[Date.parse(timestamp) / 1_000, api_requests] as const] : [],
		),
	);
}

function errorRate({ error_count, total_requests }: MetricsAnswer["summary"]): number | null {
	return error_count === null || !total_requests ? null : error_count / total_requests;
}

function changed(value: number | null, before: number | null | undefined): { change_percentage?: number | null } {
	if (value === null || !before) return {};
	return { change_percentage: Number(((100 * (value - before)) / before).toFixed(1)) };
}

const resources: Tell = async ({ asking, window, granularity }) => {
	const [used, over] = await Promise.all([
		resourcesRead.answerTo(asking, window),
		metricsRead.answerTo(asking, { ...window, granularity, metrics: "cpu_utilization,memory_utilization" }),
	]);
	const blocks: Section["blocks"] = [
		figures(
			figure("Processors, mean", used.cpu?.avg_utilization, "%"),
			figure("Memory, mean", used.memory?.avg_utilization, "%"),
			figure("Storage", used.storage?.utilization, "%"),
			figure("Network", used.network?.utilization, "%"),
		),
		...chart({ type: "line_chart", title: "Utilization, 0 to 1" }, over.data_points, {
			cpu_utilization: "Processors",
			memory_utilization: "Memory",
		}),
	];
	return { section: { heading: "Resources", blocks }, meta: used.meta };
};

const bottlenecks: Tell = async ({ asking, window }) => {
	const found = await performanceRead.answerTo(asking, window);
	const blocks: Section["blocks"] = [
		figures(figure("Performance score at the end, 0 to 100", found.performance_score)),
		...table("Bottlenecks", found.bottlenecks ?? [], [
			["Component", ({ component }) => component],
			["Severity", ({ severity }) => severity],
			["What was seen", ({ description }) => description],
			["What helps", ({ recommendation }) => recommendation],
		]),
	];
	return { section: { heading: "Performance", blocks }, meta: found.meta };
};

const databases: Tell = async ({ asking, window }) => {
	const { meta, ...found } = (await databasesRead.answerTo(asking, window)) as Readonly<Record<string, object>>;
	const rows = Object.entries(found).map(([name, values]) => ({ name, ...(values as Record<string, unknown>) }));
	const blocks = table<Record<string, unknown>>("Databases", rows, [
		["Database", ({ name }) => name],
		["Queries", ({ queries }) => queries],
		["Mean time", ({ avg_query_time }) => avg_query_time, "ms"],
		["p95", ({ p95_query_time }) => p95_query_time, "ms"],
		["Slow queries", ({ slow_query_count }) => slow_query_count],
	]);
	return blocks.length === 0 ? [] : { section: { heading: "Databases", blocks }, meta: meta as Meta };
};

const errors: Tell = async ({ asking, window }) => {
	const found = await errorAnalysisRead.answerTo(asking, { ...window, limit: 20 });
	const blocks: Section["blocks"] = [
		figures(figure("Errors", found.total_errors), figure("Users who met one", found.affected_users)),
		...table("Most frequent errors", found.groups, [
			["Error", ({ error_type }) => error_type],
			["Count", ({ count }) => count],
			["Share", ({ percentage }) => percentage, "%"],
			["Users", ({ affected_users }) => affected_users],
			["Change", ({ trend_percentage }) => trend_percentage, "%"],
		]),
	];
	return { section: { heading: "Errors", blocks }, meta: found.meta };
};

const network: Tell = async ({ asking, window }) => {
	const found = await networkRead.answerTo(asking, window);
	const block = figures(
		figure("Mean latency between nodes", found.avg_latency, "ms"),
		figure("Packets lost", found.packet_loss_rate, "%"),
		figure("Bandwidth used", found.bandwidth_utilization, "%"),
	);
	return { section: { heading: "Network", blocks: [block] }, meta: found.meta };
};

const use: Tell = async ({ asking, window, granularity }) => {
	const [overview, over] = await Promise.all([
		usageOverviewRead.answerTo(asking, window),
		metricsRead.answerTo(asking, { ...window, granularity, metrics: "active_users" }),
	]);
	const { totals, growth } = overview;
	const grown = (label: string, value: number | null, change_percentage: number | null) => ({
		...{ label, value, change_percentage },
	});
	const blocks: Section["blocks"] = [
		figures(
			grown("Users", totals.unique_users, growth.users_growth),
			grown("Sessions", totals.total_sessions, growth.sessions_growth),
			grown("Messages", totals.chat_messages, growth.messages_growth),
			figure("AI requests", totals.ai_requests),
			figure("Documents", totals.documents_created),
			figure("Voice sessions", totals.voice_sessions),
		),
		...chart({ type: "line_chart", title: "Active users" }, over.data_points, { active_users: "Users" }),
	];
	return { section: { heading: "Use", blocks }, meta: overview.meta };
};

const features: Tell = async ({ asking, window }) => {
	const found = await usageFeaturesRead.answerTo(asking, window);
	const blocks = table("Features", found.features.slice(0, 50), [
		["Feature", ({ name }) => name],
		["Uses", ({ usage_count }) => usage_count],
		["Users", ({ unique_users }) => unique_users],
		["Adoption, 0 to 1", ({ adoption_rate }) => adoption_rate],
		["Satisfaction, 1 to 5", ({ satisfaction_score }) => satisfaction_score],
	]);
	return blocks.length === 0 ? [] : { section: { heading: "Features", blocks }, meta: found.meta };
};

const calls: Tell = async ({ asking, window }) => {
	const found = await usageRead.answerTo(asking, { ...window, breakdown_by: "user_type,model,region" });
	const blocks: Section["blocks"] = [
		figures(
			figure("API calls", found.total_api_calls),
			figure("Users", found.unique_users),
			figure("Mean session", found.avg_session_duration, "s"),
		),
		...Object.entries(found.breakdown ?? {}).flatMap(([dimension, values]) =>
			table(`By ${dimension.replaceAll("_", " ")}`, values.slice(0, 20), [
				["Value", ({ value }) => value],
				["API calls", ({ api_calls }) => api_calls],
				["Users", ({ unique_users }) => unique_users],
				["Share, 0 to 1", ({ share }) => share],
			]),
		),
	];
	return { section: { heading: "API calls", blocks }, meta: found.meta };
};

const models: Tell = async ({ asking, window }) => {
	const found = await aiPerformanceRead.answerTo(asking, window);
	// Days have no instant of their own in the answer: they are names here.
	const daily = (title: string, unit: string | undefined, points: readonly [string, number | null][]): Chart[] =>
		points.length === 0
			? []
			: [
					{
						...{ type: "bar_chart", title, x: "category" },
						...(unit ? { unit } : {}),
						series: [{ name: title, points: [...points] }],
					},
				];
	const { request_volume, response_times } = found.trends;
	const blocks: Section["blocks"] = [
		...daily(
			"Requests a day",
			undefined,
			request_volume.map(({ date, count }) => [date, count]),
		),
		...daily(
			"Mean response time",
			"ms",
			response_times.map(({ date, avg_ms }) => [date, avg_ms]),
		),
		...table("Models", found.models, [
			["Model", ({ name }) => name],
			["Requests", ({ requests }) => requests],
			["Success, 0 to 1", ({ success_rate }) => success_rate],
			["Mean time", ({ avg_response_time }) => avg_response_time, "ms"],
			["p95", ({ p95_response_time }) => p95_response_time, "ms"],
			["Tokens", ({ resource_usage }) => resource_usage.total_tokens_processed],
			["Satisfaction, 1 to 5", ({ quality_metrics }) => quality_metrics.user_satisfaction],
		]),
	];
	if (blocks.length === 0) blocks.push(figures(figure("AI requests", null)));
	return { section: { heading: "Models", blocks }, meta: found.meta };
};

const conversations: Tell = async ({ asking, window }) => {
	const found = await aiConversationsRead.answerTo(asking, window);
	const { conversation_metrics: of, sentiment_analysis: sentiment } = found;
	const blocks: Section["blocks"] = [
		figures(
			figure("Conversations", of.total_conversations),
			figure("Messages each", of.avg_length),
			figure("Completed, 0 to 1", of.completion_rate),
			figure("Positive, 0 to 1", sentiment.positive),
			figure("Negative, 0 to 1", sentiment.negative),
		),
		...table("Topics", found.topic_analysis.slice(0, 20), [
			["Topic", ({ topic }) => topic],
			["Conversations", ({ count }) => count],
			["Share", ({ percentage }) => percentage, "%"],
			["Satisfaction, 1 to 5", ({ avg_satisfaction }) => avg_satisfaction],
		]),
	];
	return { section: { heading: "Conversations", blocks }, meta: found.meta };
};

const business: Tell = async ({ asking, window }) => {
	const { meta, ...found } = await businessRead.answerTo(asking, window);
	const compared = (label: string, of: { value: number | null; change_percentage: number | null } | undefined) => ({
		...{ label, value: of?.value ?? null, change_percentage: of?.change_percentage ?? null },
	});
	const block = figures(
		compared("Users in 30 days", found.monthly_active_users),
		compared("Revenue a user", found.revenue_per_user),
		compared("Churn, 0 to 1", found.churn_rate),
		compared("Feature adoption, 0 to 1", found.feature_adoption_rate),
		compared("Support tickets", found.support_ticket_volume),
	);
	return { section: { heading: "Business", blocks: [block] }, meta };
};

const revenue: Tell = async ({ asking, window }) => {
	const found = await revenueRead.answerTo(asking, window);
	const { currency } = found;
	const blocks: Section["blocks"] = [
		figures(
			figure("Recurring revenue a month", found.mrr, currency),
			figure("A year", found.arr, currency),
			figure("Lifetime value", found.ltv, currency),
			figure("Cost of a new customer", found.cac, currency),
			figure("Churn, 0 to 1", found.churn_rate),
		),
		...table(
			"How recurring revenue changed",
			[
				{ what: "New", amount: found.new_mrr },
				{ what: "Expansion", amount: found.expansion_mrr },
				{ what: "Contraction", amount: found.contraction_mrr },
				{ what: "Churned", amount: found.churned_mrr },
				{ what: "Reactivated", amount: found.reactivation_mrr },
			],
			[
				["Movement", ({ what }) => what],
				["A month", ({ amount }) => amount, currency],
			],
		),
	];
	return { section: { heading: "Revenue", blocks }, meta: found.meta };
};

const accounts: Tell = async ({ asking, window }) => {
	const found = await businessCustomersRead.answerTo(asking, window);
	const blocks: Section["blocks"] = [
		figures(
			figure("Healthy, 0 to 1", found.customer_health.healthy),
			figure("At risk, 0 to 1", found.customer_health.at_risk),
			figure("Leaving, 0 to 1", found.customer_health.churning),
			figure("First response", found.support_metrics.avg_response_time_hours, "h"),
		),
		...table("Segments", found.customer_segments, [
			["Segment", ({ segment }) => segment],
			["Customers", ({ count }) => count],
			["Of revenue", ({ revenue_percentage }) => revenue_percentage, "%"],
			["Each a month", ({ avg_monthly_value }) => avg_monthly_value, found.currency],
			["Churn, 0 to 1", ({ churn_rate }) => churn_rate],
		]),
	];
	return { section: { heading: "Customers", blocks }, meta: found.meta };
};

const SECTIONS: Readonly<Record<ReportTemplate, readonly Tell[]>> = {
	performance_summary: [requests, bottlenecks, resources, databases],
	usage_summary: [use, calls, features],
	ai_summary: [models, conversations],
	business_summary: [business, revenue, accounts],
	reliability_summary: [requests, errors, network],
};
const GRANULARITY = { "1h": "5m", "24h": "1h", "7d": "1d", "30d": "1d" } as const;
const BEFORE = { "1h": "hour before", "24h": "day before", "7d": "week before", "30d": "30 days before" } as const;

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
		...{ asking, window, before: asWindow(previous), beforeName: BEFORE[timeframe] },
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

function ifKept<T>(answer: Promise<T>): Promise<T | undefined> {
	return answer.catch((error: unknown) => {
		if (error instanceof RetentionError) return undefined;
		throw error;
	});
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
