import type { RouteDoc } from "../../../http/openapi.ts";
import {
	runTestAnswer,
	runTestQuery,
	syntheticResultsAnswer,
	syntheticResultsQuery,
	syntheticTestAnswer,
	syntheticTestBody,
	syntheticTestPatch,
	syntheticTestsAnswer,
	syntheticTestsQuery,
} from "../../../schema/wire/index.ts";

export const SYNTHETICS_PATH = "/v1/monitoring/synthetic-tests";
const one = `${SYNTHETICS_PATH}/{id}`;
const viewer = { tag: "Monitoring", role: "analytics_viewer" } as const;
const editor = { tag: "Monitoring", role: "analytics_editor" } as const;

export const SYNTHETIC_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "post", path: SYNTHETICS_PATH, ...editor },
		summary: "Create a synthetic test: http, tcp, dns, or a heartbeat that must come",
		description:
			"Workers run it at their location and send each run as the event `check.completed`, so that it counts in health and availability, and alerts can watch it. A run is ok when it was answered, all assertions hold (without one about the status code: the status is below 400) and it took no longer than `failed_ms`.",
		body: syntheticTestBody,
		answers: { 201: syntheticTestAnswer },
	},
	{
		...{ method: "get", path: SYNTHETICS_PATH, ...viewer },
		summary: "List synthetic tests",
		query: syntheticTestsQuery,
		answers: { 200: syntheticTestsAnswer },
	},
	{
		...{ method: "get", path: one, ...viewer },
		summary: "How a synthetic test is defined",
		answers: { 200: syntheticTestAnswer },
	},
	{
		...{ method: "patch", path: one, ...editor },
		summary: "Change members of a synthetic test",
		body: syntheticTestPatch,
		answers: { 200: syntheticTestAnswer },
	},
	{
		...{ method: "delete", path: one, ...editor },
		summary: "Delete a synthetic test; its results stay",
		answers: { 204: null },
	},
	{
		...{ method: "get", path: `${one}/results`, ...viewer },
		summary: "What a synthetic test found: uptime, response times by phase, the last run of each location, failures",
		query: syntheticResultsQuery,
		answers: { 200: syntheticResultsAnswer },
	},
	{
		...{ method: "post", path: `${one}/run`, ...editor },
		summary: "Run a synthetic test now; 503 when no worker of its locations answers",
		query: runTestQuery,
		answers: { 200: runTestAnswer },
	},
];
