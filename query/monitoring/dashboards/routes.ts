/** `/v1/monitoring/dashboards`: what is stored of them, what they show, and how they travel. */
import { randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { ApiError, badParameter, forbidden, notFound } from "../../../http/errors.ts";
import { allows } from "../../../http/roles.ts";
import { base58 } from "../../../http/secret.ts";
import { parseBody, parseQuery } from "../../../http/validate.ts";
import type { AuditLog } from "../../../schema/audit.ts";
import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../../schema/definitions.ts";
import {
	type Dashboard,
	type DashboardAnswer,
	dashboardBody,
	dashboardDataQuery,
	dashboardFile,
	dashboardPatch,
	dashboardsQuery,
	type ImportDashboardAnswer,
	importDashboardQuery,
	kpiBody,
} from "../../../schema/wire/index.ts";
import { untilUnchanged } from "../../common/changes.ts";
import { decodePlace, encodePlace } from "../../common/page.ts";
import { signals } from "../../measures/signals.ts";
import { clickHouseError } from "../../run.ts";
import { checkDashboard } from "./check.ts";
import { type BoardDeps, Boards } from "./data.ts";
import { DASHBOARDS_PATH as PATH } from "./docs.ts";
import { MAIN_DASHBOARD, MAIN_DASHBOARD_ID } from "./main-dashboard.ts";
import { fileOf, plannedKpis, renamedKpis } from "./transfer.ts";
import { givenVariables } from "./variables.ts";

export interface DashboardDeps extends Omit<BoardDeps, "kpis"> {
	readonly client: ClickHouse;
	readonly audit: AuditLog;
	readonly requireRole: RequireRole;
}

const noParameters = z.strictObject({});
const NEVER = new Date(0);
/** Definitions that were read last, for when ClickHouse does not answer. */
const MAX_REMEMBERED = 500;

type Stored = Definition<Dashboard>;

/** Dashboards of the asking key's project; one of another project is not found, like one that never was. */
export function dashboardRoutes(deps: DashboardDeps): Hono<AppEnv> {
	const now = deps.now ?? Date.now;
	const boards = new Definitions(deps.client, "dashboard", dashboardBody, deps.now);
	const kpis = new Definitions(deps.client, "kpi", kpiBody, deps.now);
	const shown = new Boards({ ...deps, kpis });
	const lastRead = new Map<string, Stored>();
	const viewer = deps.requireRole("analytics_viewer");
	const editor = deps.requireRole("analytics_editor");
	const projectOf = (c: Context<AppEnv>) => c.get("key").project;

	const get = async (project: string, id: string): Promise<Stored | undefined> =>
		(await stored(boards.get(project, id))) ?? (id === MAIN_DASHBOARD_ID ? builtIn(project) : undefined);
	const find = async (c: Context<AppEnv>): Promise<Stored> => {
		const found = await get(projectOf(c), c.req.param("id") ?? "");
		if (!found) throw notFound("Dashboard");
		return found;
	};
	/** As it was last read, where ClickHouse does not answer. */
	const findToShow = async (c: Context<AppEnv>): Promise<Stored> => {
		const key = `${projectOf(c)} ${c.req.param("id")}`;
		try {
			const found = await find(c);
			lastRead.delete(key);
			lastRead.set(key, found);
			if (lastRead.size > MAX_REMEMBERED) lastRead.delete(lastRead.keys().next().value!);
			return found;
		} catch (error) {
			const before = error instanceof ApiError && error.status === 503 ? lastRead.get(key) : undefined;
			if (!before) throw error;
			return before;
		}
	};
	const check = async (c: Context<AppEnv>, body: Dashboard, before?: Dashboard) => {
		const asker = deps.queries.of(projectOf(c), c.req.raw.signal);
		const [sent, known] = await Promise.all([asker.ask(signals(now())), stored(kpis.list(projectOf(c)))]);
		checkDashboard(body, { sent, kpis: known.map(({ id }) => id) }, now(), before);
	};
	const record = (c: Context<AppEnv>, action: string, target: string, detail: object) =>
		stored(
			deps.audit.append({
				...{ project: projectOf(c), actor: c.get("key").key_id, action, target, request_id: c.get("requestId") },
				detail: { ...detail },
			}),
		);

	return new Hono<AppEnv>()
		.post(PATH, editor, async (c) => {
			parseQuery(c, noParameters);
			const body = withIds(await parseBody(c, dashboardBody));
			await check(c, body);
			const board = await stored(boards.put(projectOf(c), newId("dash"), body));
			await record(c, "dashboard.create", board.id, { name: body.name });
			return c.json(answer(board), 201);
		})
		.get(PATH, viewer, async (c) => {
			const { limit, cursor } = parseQuery(c, dashboardsQuery);
			const [offset = 0] = decodePlace(cursor, 1) ?? [];
			const found = await stored(boards.list(projectOf(c)));
			const main = found.find(({ id }) => id === MAIN_DASHBOARD_ID) ?? builtIn(projectOf(c));
			const all = [main, ...found.filter(({ id }) => id !== MAIN_DASHBOARD_ID)];
			const dashboards = all.slice(offset, offset + limit).map((board) => {
				const { widgets, variables: _variables, allow_unknown: _allow, ...listed } = answer(board);
				return { ...listed, widget_count: widgets.length };
			});
			const next_cursor = offset + limit < all.length ? encodePlace([offset + limit]) : null;
			return c.json({ dashboards, total: all.length, next_cursor });
		})
		.post(`${PATH}/import`, editor, async (c) => {
			const { ids, replace } = parseQuery(c, importDashboardQuery);
			const file = await parseBody(c, dashboardFile);
			const project = projectOf(c);
			const { dashboard_id, ...given } = file.dashboard;
			if (ids === "keep" && dashboard_id === undefined)
				throw badParameter({ parameter: "dashboard.dashboard_id", provided: null, valid_options: ["the id to keep"] });
			const id = ids === "keep" ? dashboard_id! : newId("dash");
			const before = ids === "keep" ? await stored(boards.get(project, id)) : undefined;
			if (before && replace === "false")
				throw new ApiError(409, `There is a dashboard ${id}: import with ids=new, or with replace=true`);
			const known = await stored(kpis.list(project));
			const planned = plannedKpis(file, known).map((kpi) => ({ ...kpi, id: kpi.kpi_id ?? newId("kpi") }));
			const renamed = new Map(planned.map((kpi) => [kpi.from, kpi.id]));
			const body = withIds({ ...given, widgets: renamedKpis(given.widgets, renamed) });
			const all = [...known.map((kpi) => kpi.id), ...planned.map((kpi) => kpi.id)];
			const sent = await deps.queries.of(project, c.req.raw.signal).ask(signals(now()));
			// Everything but names is held against the rules: who imports into a new project has not sent anything yet.
			checkDashboard({ ...body, allow_unknown: true }, { sent, kpis: all }, now());
			for (const kpi of planned) {
				if (kpi.kpi_id !== undefined) continue;
				await stored(kpis.put(project, kpi.id, kpi.body));
				await record(c, "kpi.create", kpi.id, { name: kpi.body.name, imported_with: id });
			}
			const board = await stored(boards.put(project, id, body));
			await record(c, "dashboard.import", id, { name: body.name, replaced: before !== undefined });
			const made = planned.map(({ from, id: kpi_id, kpi_id: there }) => ({
				from,
				kpi_id,
				created: there === undefined,
			}));
			return c.json({ ...answer(board), kpis: made } satisfies ImportDashboardAnswer, 201);
		})
		.get(`${PATH}/:id`, viewer, async (c) => {
			parseQuery(c, noParameters);
			const board = await find(c);
			c.header("ETag", etagOf(board));
			return c.json(answer(board));
		})
		.patch(`${PATH}/:id`, editor, async (c) => {
			parseQuery(c, noParameters);
			const patch = await parseBody(c, dashboardPatch);
			const wanted = c.req.header("if-match");
			const board = await untilUnchanged(async () => {
				const before = await find(c);
				if (wanted !== undefined && wanted !== "*" && wanted.replace(/^"|"$/g, "") !== String(before.version)) {
					throw new ApiError(412, "Somebody else changed the dashboard since", { extra: { version: before.version } });
				}
				const body = withIds({ ...before.body, ...patch } as Dashboard);
				await check(c, body, before.body);
				return stored(boards.put(before.project, before.id, body, { expected: before.version }));
			});
			await record(c, "dashboard.update", board.id, { name: board.body.name, changed: Object.keys(patch) });
			c.header("ETag", etagOf(board));
			return c.json(answer(board));
		})
		.delete(`${PATH}/:id`, editor, async (c) => {
			parseQuery(c, noParameters);
			const { project, id, body } = await find(c);
			if (id === MAIN_DASHBOARD_ID)
				throw new ApiError(409, `${id} is built in: POST ${PATH}/${id}/reset makes it as it was`);
			await stored(boards.delete(project, id));
			await record(c, "dashboard.delete", id, { name: body.name });
			return c.body(null, 204);
		})
		.post(`${PATH}/:id/reset`, editor, async (c) => {
			parseQuery(c, noParameters);
			const { project, id, body } = await find(c);
			if (id !== MAIN_DASHBOARD_ID) throw new ApiError(409, `${id} is not built in: there is nothing to reset it to`);
			await stored(boards.delete(project, id));
			await record(c, "dashboard.reset", id, { name: body.name });
			return c.json(answer(builtIn(project)));
		})
		.get(`${PATH}/:id/export`, viewer, async (c) => {
			parseQuery(c, noParameters);
			const { project, id, body } = await find(c);
			return c.json(fileOf(id, body, await stored(kpis.list(project))));
		})
		.get(`${PATH}/:id/data`, viewer, async (c) => {
			const parameters = c.req.queries();
			const given = givenVariables(parameters);
			const query = parseQuery(
				c,
				dashboardDataQuery,
				Object.keys(parameters).filter((name) => name.startsWith("var-")),
			);
			const { refresh_interval, explain, timezone, ...asked } = query;
			const key = c.get("key");
			if (explain === "true" && !allows(key.roles, "analytics_editor")) throw forbidden("analytics_editor", key.roles);
			const board = await findToShow(c);
			const request = { refresh_interval, asked: { ...asked, timezone }, given, signal: c.req.raw.signal };
			const { answer: data, explained } = await shown.show(board.project, board, request);
			return c.json(explain === "true" ? { ...data, explain: { queries: explained } } : data);
		});
}

function newId(kind: string): string {
	return `${kind}_${base58(randomBytes(12))}`;
}

/** What every project has, as long as nobody changed it. */
function builtIn(project: string): Stored {
	return {
		...{ project, id: MAIN_DASHBOARD_ID, version: 0, body: MAIN_DASHBOARD },
		...{ created_at: NEVER, updated_at: NEVER },
	};
}

/** Every widget has an id of its own: answers and changes name them by it. */
function withIds(body: Dashboard): Dashboard {
	const taken = new Set(body.widgets.map(({ widget_id }) => widget_id));
	let next = 0;
	const free = () => {
		do next++;
		while (taken.has(`widget_${next}`));
		return `widget_${next}`;
	};
	return {
		...body,
		widgets: body.widgets.map((widget) => (widget.widget_id ? widget : { ...widget, widget_id: free() })),
	};
}

function etagOf({ version }: Stored): string {
	return `"${version}"`;
}

/** Definitions are not read through `Queries`: a database that is away must be a 503 here as well. */
function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "definitions");
	});
}

function answer({ id, version, body, created_at, updated_at }: Stored): DashboardAnswer {
	const time = (at: Date) => (version === 0 ? null : at.toISOString());
	return {
		...{ dashboard_id: id, ...body, built_in: id === MAIN_DASHBOARD_ID, version },
		...{ created_at: time(created_at), updated_at: time(updated_at) },
	};
}
