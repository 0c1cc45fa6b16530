/** How the system fares: resources, bottlenecks, databases, errors, network. */
import type { Meta } from "../../../schema/wire/index.ts";
import { databasesRead } from "../../monitoring/databases.ts";
import { errorAnalysisRead } from "../../monitoring/errors.ts";
import { metricsRead } from "../../monitoring/metrics.ts";
import { networkRead } from "../../monitoring/network.ts";
import { performanceRead } from "../../monitoring/performance.ts";
import { resourcesRead } from "../../monitoring/resources.ts";
import type { Section } from "../custom-document.ts";
import { chart, figure, figures, type Tell, table } from "./blocks.ts";

export const resources: Tell = async ({ asking, window, granularity }) => {
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

export const bottlenecks: Tell = async ({ asking, window }) => {
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

export const databases: Tell = async ({ asking, window }) => {
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

export const errors: Tell = async ({ asking, window }) => {
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

export const network: Tell = async ({ asking, window }) => {
	const found = await networkRead.answerTo(asking, window);
	const block = figures(
		figure("Mean latency between nodes", found.avg_latency, "ms"),
		figure("Packets lost", found.packet_loss_rate, "%"),
		figure("Bandwidth used", found.bandwidth_utilization, "%"),
	);
	return { section: { heading: "Network", blocks: [block] }, meta: found.meta };
};
