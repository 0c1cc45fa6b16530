import type { RouteDoc } from "../../http/openapi.ts";
import { EXPORT_PATH } from "../../schema/reports/links.ts";
import {
	customReportAnswer,
	customReportBody,
	customReportCreated,
	reportAnswer,
	reportBody,
	reportRunAnswer,
	reportRunsAnswer,
	reportRunsQuery,
	reportsAnswer,
	reportsQuery,
} from "../../schema/wire/index.ts";
import { REPORT_METRICS } from "./catalogue.ts";
import { exportQuery } from "./export.ts";
import { CUSTOM_ANSWER_PATH, CUSTOM_PATH, REPORTS_PATH } from "./routes.ts";

const of = { tag: "Monitoring" } as const;
const CATALOGUE = [...REPORT_METRICS].map(([name, { about }]) => `\`${name}\` (${about})`).join(", ");

export const REPORT_DOCS: readonly RouteDoc[] = [
	{
		...{ ...of, method: "post", path: REPORTS_PATH, role: "analytics_editor" },
		summary: "Schedule a report, or define one to be run on demand",
		description:
			"Each section is the answer of a route over the period, so its numbers are those of the screens. A run that was missed while no worker ran is made up for once, by the newest instant that was missed.",
		body: reportBody,
		answers: { 201: reportAnswer },
	},
	{
		...{ ...of, method: "get", path: REPORTS_PATH, role: "analytics_viewer" },
		...{ summary: "List reports", query: reportsQuery, answers: { 200: reportsAnswer } },
	},
	{
		...{ ...of, method: "get", path: `${REPORTS_PATH}/{id}`, role: "analytics_viewer" },
		...{ summary: "A report, when it is next due, and its newest run", answers: { 200: reportAnswer } },
	},
	{
		...{ ...of, method: "delete", path: `${REPORTS_PATH}/{id}`, role: "analytics_editor" },
		...{ summary: "Delete a report; links to its files end", answers: { 204: null } },
	},
	{
		...{ ...of, method: "post", path: `${REPORTS_PATH}/{id}/run`, role: "analytics_editor" },
		...{ summary: "Run a report now", answers: { 202: reportRunAnswer } },
	},
	{
		...{ ...of, method: "get", path: `${REPORTS_PATH}/{id}/runs`, role: "analytics_viewer" },
		summary: "Runs of a report: progress, files, deliveries, and why one failed or was skipped",
		...{ query: reportRunsQuery, answers: { 200: reportRunsAnswer } },
	},
	{
		...{ method: "post", path: CUSTOM_PATH, tag: "Analytics", role: "analytics_editor" },
		summary: "Create a report of chosen metrics",
		description: `Metrics: ${CATALOGUE}. Without a schedule it runs at once.`,
		body: customReportBody,
		answers: { 201: customReportCreated },
	},
	{
		...{ method: "get", path: CUSTOM_ANSWER_PATH, tag: "Analytics", role: "analytics_viewer" },
		...{ summary: "Status and data of a custom report", answers: { 200: customReportAnswer } },
	},
	{
		...{ method: "get", path: `${EXPORT_PATH}/{file}`, tag: "Analytics", query: exportQuery },
		summary: "A file of a report, by a link that is signed and expires; it needs no key",
		answers: { 200: null },
	},
];
