import { z } from "zod";
import type { RouteDoc } from "../../../http/openapi.ts";
import {
	dataRequestAnswer,
	dataRequestBody,
	dataRequestsAnswer,
	dataRequestsQuery,
} from "../../../schema/wire/index.ts";

export const PATH = "/v1/monitoring/data-requests";
export const LINES = "application/x-ndjson";

export const DATA_REQUEST_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "post", path: PATH, tag: "Monitoring", role: "admin" },
		summary: "Have one person's data erased from every table, or handed out",
		description:
			"Done by a worker once everything that was received before is stored. Rows of the person are deleted, rows of others that name the person " +
			"stay without it, sums that the rows were part of are made smaller. What has no id stays: figures of models, distributions of metrics, how many users " +
			"an issue had. Files that were exported and backups that were made before are not searched.",
		body: dataRequestBody,
		answers: { 202: dataRequestAnswer },
	},
	{
		...{ method: "get", path: PATH, tag: "Monitoring", role: "admin" },
		summary: "List requests about people's data, newest first",
		query: dataRequestsQuery,
		answers: { 200: dataRequestsAnswer },
	},
	{
		...{ method: "get", path: `${PATH}/{id}`, tag: "Monitoring", role: "admin" },
		summary: "How far a request is, and its certificate when it is done",
		answers: { 200: dataRequestAnswer },
	},
	{
		...{ method: "get", path: `${PATH}/{id}/download`, tag: "Monitoring", role: "admin" },
		summary: "The rows of an export, a line each, with its table in `_table`",
		description: "Read from the tables when it is asked for, for seven days: no copy of a person's data is kept.",
		answers: { 200: z.looseObject({ _table: z.string() }) },
		answerType: LINES,
	},
];
