/** `/v1/monitoring/retention`: how long a project keeps its records. */
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../http/auth.ts";
import type { AppEnv } from "../../http/env.ts";
import { badParameter } from "../../http/errors.ts";
import type { RouteDoc } from "../../http/openapi.ts";
import { parseBody, parseQuery } from "../../http/validate.ts";
import type { AuditLog } from "../../schema/audit.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { JobStore } from "../../schema/jobs.ts";
import {
	type OwnRetention,
	type RetentionBook,
	type RetentionDays,
	serverRetention,
} from "../../schema/project-retention.ts";
import type { Retention } from "../../schema/retention.ts";
import { type RetentionAnswer, retentionAnswer, retentionBody } from "../../schema/wire/index.ts";
import { clickHouseError } from "../run.ts";

const PATH = "/v1/monitoring/retention";
const noParameters = z.strictObject({});
const NONE: OwnRetention = { metrics_days: null, rollups_days: null, logs_days: null, events_days: null };
const NAMES = ["metrics_days", "rollups_days", "logs_days", "events_days"] as const;

export const RETENTION_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "get", path: PATH, tag: "Monitoring", role: "admin" },
		summary: "How long records of the project are kept, and what was deleted last",
		answers: { 200: retentionAnswer },
	},
	{
		...{ method: "put", path: PATH, tag: "Monitoring", role: "admin" },
		summary: "Keep records of the project for less time than the server does",
		body: retentionBody,
		answers: { 200: retentionAnswer },
	},
];

export interface RetentionDeps {
	readonly client: ClickHouse;
	readonly audit: Pick<AuditLog, "append">;
	readonly requireRole: RequireRole;
	readonly retention: Retention;
	readonly book: RetentionBook;
}

export function retentionRoutes({ client, audit, requireRole, retention, book }: RetentionDeps): Hono<AppEnv> {
	const admin = requireRole("admin");
	const server = serverRetention(retention);
	const jobs = new JobStore(client);
	const answer = async (c: Context<AppEnv>, own: OwnRetention): Promise<RetentionAnswer> => {
		const runs = await stored(jobs.list(c.get("key").project, { kind: "retention", limit: 5 }));
		const done = runs.find(({ status }) => status === "completed");
		const enforced = done ? (done.state as { enforced: RetentionAnswer["enforced"] }).enforced : null;
		return { own, server, effective: effective(own, server), enforced };
	};
	return new Hono<AppEnv>()
		.get(PATH, admin, async (c) => {
			parseQuery(c, noParameters);
			await stored(book.refresh());
			return c.json(await answer(c, book.of(c.get("key").project) ?? NONE));
		})
		.put(PATH, admin, async (c) => {
			parseQuery(c, noParameters);
			const own = await parseBody(c, retentionBody);
			for (const name of NAMES) {
				if ((own[name] ?? 0) > server[name])
					throw outside(name, own[name], 1, server[name], "the server keeps no more");
			}
			const kept = effective(own, server);
			if (kept.rollups_days < kept.metrics_days) {
				throw outside(
					"rollups_days",
					own.rollups_days,
					kept.metrics_days,
					server.rollups_days,
					"raw points would outlive what they add up to",
				);
			}
			const { project, key_id } = c.get("key");
			await stored(book.refresh());
			const before = book.of(project) ?? NONE;
			await stored(book.put(project, own));
			await stored(
				audit.append({
					...{ project, actor: key_id, action: "retention.update", target: "retention" },
					...{ detail: { before, after: own }, request_id: c.get("requestId") },
				}),
			);
			return c.json(await answer(c, own));
		});
}

function effective(own: OwnRetention, server: RetentionDays): RetentionAnswer["effective"] {
	const least = (name: (typeof NAMES)[number]) => Math.min(own[name] ?? Number.POSITIVE_INFINITY, server[name]);
	return {
		metrics_days: least("metrics_days"),
		rollups_days: least("rollups_days"),
		logs_days: least("logs_days"),
		events_days: least("events_days"),
	};
}

function outside(parameter: string, provided: unknown, from: number, to: number, reason: string) {
	return badParameter({ parameter, provided, valid_options: [`${from} to ${to}`, null], reason });
}

function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "retention");
	});
}
