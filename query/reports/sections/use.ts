/** How the product is used: people, calls, features, models, conversations. */
import { aiConversationsRead } from "../../analytics/ai-conversations.ts";
import { aiPerformanceRead } from "../../analytics/ai-performance.ts";
import { usageFeaturesRead } from "../../analytics/usage-features.ts";
import { usageOverviewRead } from "../../analytics/usage-overview.ts";
import { metricsRead } from "../../monitoring/metrics.ts";
import { usageRead } from "../../monitoring/usage.ts";
import type { Section } from "../custom-document.ts";
import { type Chart, chart, figure, figures, type Tell, table } from "./blocks.ts";

export const use: Tell = async ({ asking, window, granularity }) => {
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

export const features: Tell = async ({ asking, window }) => {
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

export const calls: Tell = async ({ asking, window }) => {
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

export const models: Tell = async ({ asking, window }) => {
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

export const conversations: Tell = async ({ asking, window }) => {
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
