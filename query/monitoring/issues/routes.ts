/** One issue, and what people make of it. */
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { notFound } from "../../../http/errors.ts";
import type { RouteDoc } from "../../../http/openapi.ts";
import { parseBody, parseQuery } from "../../../http/validate.ts";
import type { AuditLog } from "../../../schema/audit.ts";
import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { Definitions } from "../../../schema/definitions.ts";
import {
	type IssueBody,
	type IssueChange,
	issueAnswer,
	issueBody,
	issueQuery,
	issueUpdate,
} from "../../../schema/wire/index.ts";
import { untilUnchanged } from "../../common/changes.ts";
import { issuesEver, stateOf } from "../../measures/issues.ts";
import { type QueryDeps, reading } from "../../route.ts";
import { clickHouseError } from "../../run.ts";
import { isIssueId, oneIssue } from "./one.ts";

const PATH = "/v1/monitoring/issues";
/** Older changes of a status are forgotten. */
const CHANGES = 1_000;
const noParameters = z.strictObject({});

export const ISSUE_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "get", path: `${PATH}/{id}`, tag: "Monitoring", role: "analytics_viewer" },
		summary:
			"One issue: its errors over a window, the latest of them, their chain of causes, and what people made of it",
		query: issueQuery,
		answers: { 200: issueAnswer },
	},
	{
		...{ method: "patch", path: `${PATH}/{id}`, tag: "Monitoring", role: "analytics_editor" },
		summary: "Resolve, ignore or open an issue; answers the issue over the last 24 h",
		description: "An error that happens after an issue was resolved makes it regressed, until it is resolved again.",
		body: issueUpdate,
		answers: { 200: issueAnswer },
	},
];

export interface IssueDeps extends QueryDeps {
	readonly client: ClickHouse;
	readonly audit: AuditLog;
	readonly requireRole: RequireRole;
}

/** Issues of the asking key's project; one of another project is not found, like one that never was. */
export function issueRoutes(deps: IssueDeps): Hono<AppEnv> {
	const { audit, now = Date.now } = deps;
	const definitions = new Definitions<IssueBody>(deps.client, "issue", issueBody, now);
	const id = (c: Context<AppEnv>) => c.req.param("id") ?? "";
	const change = async (c: Context<AppEnv>, added: Omit<IssueChange, "at" | "by">) => {
		const { project, key_id } = c.get("key");
		const { changes } = await untilUnchanged(async () => {
			const before = await stored(definitions.get(project, id(c)));
			const all = [...(before?.body.changes ?? []), { ...added, at: new Date(now()).toISOString(), by: key_id }];
			const expected = before?.version ?? 0;
			return (await stored(definitions.put(project, id(c), { changes: all.slice(-CHANGES) }, { expected }))).body;
		});
		const { status, note } = added;
		const request_id = c.get("requestId");
		const detail = note === null ? { status } : { status, note };
		await stored(audit.append({ project, actor: key_id, action: "issue.update", target: id(c), detail, request_id }));
		return changes;
	};
	return new Hono<AppEnv>()
		.get(`${PATH}/:id`, deps.requireRole("analytics_viewer"), (c) =>
			reading(deps, issueQuery, (asking, query) => oneIssue(asking, query, id(c)))(c),
		)
		.patch(`${PATH}/:id`, deps.requireRole("analytics_editor"), async (c) => {
			parseQuery(c, noParameters);
			const { status, note = null } = await parseBody(c, issueUpdate);
			const { project } = c.get("key");
			const known = isIssueId(id(c)) && (await deps.queries.of(project).ask(issuesEver([id(c)]))).size > 0;
			if (!known) throw notFound("Issue");
			const changes = await change(c, { status, note });
			return reading(deps, noParameters, (asking) =>
				oneIssue(asking, issueQuery.parse({}), id(c), stateOf(changes, asking.now)),
			)(c);
		});
}

/** Definitions are not read through `Queries`: a database that is away must be a 503 here as well. */
function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "definitions");
	});
}
