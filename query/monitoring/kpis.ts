import { randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../http/auth.ts";
import type { AppEnv } from "../../http/env.ts";
import { notFound } from "../../http/errors.ts";
import type { RouteDoc } from "../../http/openapi.ts";
import { base58 } from "../../http/secret.ts";
import { parseBody, parseQuery } from "../../http/validate.ts";
import type { AuditLog } from "../../schema/audit.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../schema/definitions.ts";
import {
	type Kpi,
	type KpiAnswer,
	kpiAnswer,
	kpiBody,
	kpiHistoryAnswer,
	kpiHistoryQuery,
	kpiPatch,
	kpisAnswer,
	kpisQuery,
	kpiValueAnswer,
	kpiValueQuery,
} from "../../schema/wire/index.ts";
import { untilUnchanged } from "../common/changes.ts";
import { decodePlace, encodePlace } from "../common/page.ts";
import { type QueryDeps, reading } from "../route.ts";
import { clickHouseError } from "../run.ts";
import { kpiHistory, kpiValue } from "./kpi-value.ts";

const PATH = "/v1/monitoring/kpis";
const noParameters = z.strictObject({});

export const KPI_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "post", path: PATH, tag: "Monitoring", role: "analytics_editor" },
		summary: "Define a KPI: the ratio of two records, with a target",
		body: kpiBody,
		answers: { 201: kpiAnswer },
	},
	{
		...{ method: "get", path: PATH, tag: "Monitoring", role: "analytics_viewer" },
		summary: "List KPIs",
		query: kpisQuery,
		answers: { 200: kpisAnswer },
	},
	{
		...{ method: "get", path: `${PATH}/{id}`, tag: "Monitoring", role: "analytics_viewer" },
		summary: "How a KPI is defined",
		answers: { 200: kpiAnswer },
	},
	{
		...{ method: "patch", path: `${PATH}/{id}`, tag: "Monitoring", role: "analytics_editor" },
		summary: "Change members of a KPI",
		description:
			"What is not named stays; a calculation is replaced as a whole. Rules and dashboards go on with the KPI as it is then.",
		body: kpiPatch,
		answers: { 200: kpiAnswer },
	},
	{
		...{ method: "delete", path: `${PATH}/{id}`, tag: "Monitoring", role: "analytics_editor" },
		summary: "Delete a KPI",
		answers: { 204: null },
	},
	{
		...{ method: "get", path: `${PATH}/{id}/value`, tag: "Monitoring", role: "analytics_viewer" },
		summary: "The value of a KPI over a window, against its target and the window before",
		query: kpiValueQuery,
		answers: { 200: kpiValueAnswer },
	},
	{
		...{ method: "get", path: `${PATH}/{id}/history`, tag: "Monitoring", role: "analytics_viewer" },
		summary: "The values of a KPI over time, each against its target",
		query: kpiHistoryQuery,
		answers: { 200: kpiHistoryAnswer },
	},
];

export interface KpiDeps extends QueryDeps {
	readonly client: ClickHouse;
	readonly audit: AuditLog;
	readonly requireRole: RequireRole;
}

/** KPIs of the asking key's project; one of another project is not found, like one that never was. */
export function kpiRoutes(deps: KpiDeps): Hono<AppEnv> {
	const { audit } = deps;
	const kpis = new Definitions(deps.client, "kpi", kpiBody, deps.now);
	const viewer = deps.requireRole("analytics_viewer");
	const editor = deps.requireRole("analytics_editor");
	const find = async (c: Context<AppEnv>): Promise<Definition<Kpi>> => {
		const kpi = await stored(kpis.get(c.get("key").project, c.req.param("id") ?? ""));
		if (!kpi) throw notFound("KPI");
		return kpi;
	};
	const record = (c: Context<AppEnv>, action: string, { id, project, body }: Definition<Kpi>, detail: object = {}) =>
		stored(
			audit.append({
				...{ project, actor: c.get("key").key_id, action, target: id, request_id: c.get("requestId") },
				detail: { name: body.name, ...detail },
			}),
		);
	return new Hono<AppEnv>()
		.post(PATH, editor, async (c) => {
			parseQuery(c, noParameters);
			const body = await parseBody(c, kpiBody);
			const id = `kpi_${base58(randomBytes(12))}`;
			const kpi = await stored(kpis.put(c.get("key").project, id, body));
			await record(c, "kpi.create", kpi);
			return c.json(answer(kpi), 201);
		})
		.get(PATH, viewer, async (c) => {
			const { limit, cursor } = parseQuery(c, kpisQuery);
			const [offset = 0] = decodePlace(cursor, 1) ?? [];
			const all = await stored(kpis.list(c.get("key").project));
			const next_cursor = offset + limit < all.length ? encodePlace([offset + limit]) : null;
			return c.json({ kpis: all.slice(offset, offset + limit).map(answer), total: all.length, next_cursor });
		})
		.get(`${PATH}/:id`, viewer, async (c) => {
			parseQuery(c, noParameters);
			return c.json(answer(await find(c)));
		})
		.patch(`${PATH}/:id`, editor, async (c) => {
			parseQuery(c, noParameters);
			const patch = await parseBody(c, kpiPatch);
			const kpi = await untilUnchanged(async () => {
				const { project, id, version, body } = await find(c);
				return stored(kpis.put(project, id, { ...body, ...patch } as Kpi, { expected: version }));
			});
			await record(c, "kpi.update", kpi, { changed: Object.keys(patch) });
			return c.json(answer(kpi));
		})
		.delete(`${PATH}/:id`, editor, async (c) => {
			parseQuery(c, noParameters);
			const kpi = await find(c);
			await stored(kpis.delete(kpi.project, kpi.id));
			await record(c, "kpi.delete", kpi);
			return c.body(null, 204);
		})
		.get(`${PATH}/:id/value`, viewer, (c) =>
			reading(deps, kpiValueQuery, async (asking, query) => kpiValue(asking, query, await find(c)))(c),
		)
		.get(`${PATH}/:id/history`, viewer, (c) =>
			reading(deps, kpiHistoryQuery, async (asking, query) => kpiHistory(asking, query, await find(c)))(c),
		);
}

/** Definitions are not read through `Queries`: a database that is away must be a 503 here as well. */
function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "definitions");
	});
}

function answer({ id, body, created_at, updated_at }: Definition<Kpi>): KpiAnswer {
	return { kpi_id: id, ...body, created_at: created_at.toISOString(), updated_at: updated_at.toISOString() };
}
