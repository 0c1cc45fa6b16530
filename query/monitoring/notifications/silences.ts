/** `/v1/monitoring/silences`: which alerts nobody is told of for a while. What they do is in the history all the same. */
import { randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { badParameter, notFound } from "../../../http/errors.ts";
import type { RouteDoc } from "../../../http/openapi.ts";
import { base58 } from "../../../http/secret.ts";
import { parseBody, parseQuery } from "../../../http/validate.ts";
import type { AuditLog } from "../../../schema/audit.ts";
import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../../schema/definitions.ts";
import { silentUntil } from "../../../schema/silent-hours.ts";
import {
	type Silence,
	type SilenceAnswer,
	silenceAnswer,
	silenceBody,
	silencesAnswer,
	silencesQuery,
	storedSilence,
} from "../../../schema/wire/index.ts";
import { decodePlace, encodePlace } from "../../common/page.ts";
import { clickHouseError } from "../../run.ts";

const PATH = "/v1/monitoring/silences";
const noParameters = z.strictObject({});

export const SILENCE_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "post", path: PATH, tag: "Monitoring", role: "analytics_editor" },
		summary: "Silence alerts until a time, at certain hours only if wanted",
		description:
			"Nobody is told that a silenced alert fires; what was told before is still resolved, and what still burns at the end is told then.",
		body: silenceBody,
		answers: { 201: silenceAnswer },
	},
	{
		...{ method: "get", path: PATH, tag: "Monitoring", role: "analytics_viewer" },
		summary: "List silences and maintenance windows",
		query: silencesQuery,
		answers: { 200: silencesAnswer },
	},
	{
		...{ method: "delete", path: `${PATH}/{id}`, tag: "Monitoring", role: "analytics_editor" },
		summary: "End a silence",
		answers: { 204: null },
	},
];

export interface SilenceDeps {
	readonly client: ClickHouse;
	readonly audit: AuditLog;
	readonly requireRole: RequireRole;
	readonly now?: (() => number) | undefined;
}

/** Silences of the asking key's project; one of another project is not found, like one that never was. */
export function silenceRoutes({ client, audit, requireRole, now = Date.now }: SilenceDeps): Hono<AppEnv> {
	const silences = new Definitions(client, "silence", storedSilence, now);
	const viewer = requireRole("analytics_viewer");
	const editor = requireRole("analytics_editor");
	const projectOf = (c: Context<AppEnv>) => c.get("key").project;
	const record = (c: Context<AppEnv>, action: string, { id, project, body }: Definition<Silence>) =>
		stored(
			audit.append({
				...{ project, actor: c.get("key").key_id, action, target: id, request_id: c.get("requestId") },
				detail: { kind: body.kind, matchers: body.matchers, ends_at: body.ends_at, comment: body.comment },
			}),
		);
	return new Hono<AppEnv>()
		.post(PATH, editor, async (c) => {
			parseQuery(c, noParameters);
			const { starts_at = new Date(now()).toISOString(), ...body } = await parseBody(c, silenceBody);
			if (Date.parse(body.ends_at) <= now() || Date.parse(body.ends_at) <= Date.parse(starts_at)) {
				const reason = "a silence has to end later than now, and later than it starts";
				throw badParameter({ parameter: "ends_at", provided: body.ends_at, valid_options: [], reason });
			}
			const id = `silence_${base58(randomBytes(12))}`;
			const created_by = c.get("key").key_id;
			const silence = await stored(silences.put(projectOf(c), id, { ...body, starts_at, created_by }));
			await record(c, "silence.create", silence);
			return c.json(answer(silence, now()), 201);
		})
		.get(PATH, viewer, async (c) => {
			const { limit, cursor, state, kind } = parseQuery(c, silencesQuery);
			const [offset = 0] = decodePlace(cursor, 1) ?? [];
			const all = (await stored(silences.list(projectOf(c))))
				.filter(({ body }) => body.deleted_at === undefined)
				.map((silence) => answer(silence, now()))
				.filter((one) => (state ?? one.state) === one.state && (kind ?? one.kind) === one.kind);
			const next_cursor = offset + limit < all.length ? encodePlace([offset + limit]) : null;
			return c.json({ silences: all.slice(offset, offset + limit), total: all.length, next_cursor });
		})
		.delete(`${PATH}/:id`, editor, async (c) => {
			parseQuery(c, noParameters);
			const silence = await stored(silences.get(projectOf(c), c.req.param("id")));
			if (!silence || silence.body.deleted_at !== undefined) throw notFound("Silence");
			// It goes on to say what it held back until now: delays of what still burns count from here.
			const deleted_at = new Date(now()).toISOString();
			await stored(silences.put(silence.project, silence.id, { ...silence.body, deleted_at }));
			await record(c, "silence.delete", silence);
			return c.body(null, 204);
		});
}

function answer({ id, body, created_at }: Definition<Silence>, now: number): SilenceAnswer {
	const { starts_at, ends_at, recurrence = null, deleted_at: _, ...rest } = body;
	const [start, end] = [Date.parse(starts_at), Date.parse(ends_at)];
	return {
		...{ silence_id: id, ...rest, recurrence, created_at: created_at.toISOString() },
		...{ starts_at: new Date(start).toISOString(), ends_at: new Date(end).toISOString() },
		state: now < start ? "pending" : now < end ? "active" : "expired",
		silent_now: silentUntil(body, now) !== undefined,
	};
}

function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "definitions");
	});
}
