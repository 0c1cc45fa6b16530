/** `/v1/monitoring/destinations`: buckets that exports may be written to. Their keys go in, and do not come out. */
import { type Context, Hono } from "hono";
import { z } from "zod";
import type { RequireRole } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { badParameter, notFound } from "../../../http/errors.ts";
import type { RouteDoc } from "../../../http/openapi.ts";
import { parseBody, parseQuery } from "../../../http/validate.ts";
import type { AuditLog } from "../../../schema/audit.ts";
import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../../schema/definitions.ts";
import { DESTINATION_KIND } from "../../../schema/export-job.ts";
import { mapDestinationSecrets, openDestination, sealDestination } from "../../../schema/sealed-destinations.ts";
import type { SecretBox } from "../../../schema/secret-box.ts";
import {
	type Destination,
	type DestinationAnswer,
	destinationAnswer,
	destinationBody,
	destinationsAnswer,
	MASK,
} from "../../../schema/wire/index.ts";
import { clickHouseError } from "../../run.ts";

const PATH = "/v1/monitoring/destinations";
const noParameters = z.strictObject({});
const NAME = /^[\w.-]{1,100}$/;
const admin = { tag: "Monitoring", role: "admin" } as const;

export const DESTINATION_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "put", path: `${PATH}/{name}`, ...admin },
		summary: "Add or replace a bucket that exports may be written to, with the keys to it",
		description: "The secrets are kept sealed and answered masked; one that is sent back masked stays what it was.",
		body: destinationBody,
		answers: { 200: destinationAnswer },
	},
	{
		...{ method: "get", path: PATH, ...admin },
		summary: "List destinations, without their secrets",
		answers: { 200: destinationsAnswer },
	},
	{
		...{ method: "get", path: `${PATH}/{name}`, ...admin },
		summary: "A destination, without its secrets",
		answers: { 200: destinationAnswer },
	},
	{
		...{ method: "delete", path: `${PATH}/{name}`, ...admin },
		summary: "Forget a destination; exports that still run to it fail",
		answers: { 204: null },
	},
];

export interface DestinationDeps {
	readonly client: ClickHouse;
	readonly audit: AuditLog;
	readonly requireRole: RequireRole;
	readonly box: SecretBox;
	readonly now?: () => number;
}

export function destinationRoutes({ client, audit, requireRole, box, now }: DestinationDeps): Hono<AppEnv> {
	const destinations = new Definitions(client, DESTINATION_KIND, destinationBody, now);
	const admins = requireRole("admin");
	const find = async (c: Context<AppEnv>): Promise<Definition<Destination>> => {
		const found = await stored(destinations.get(c.get("key").project, c.req.param("name") ?? ""));
		if (!found) throw notFound("Destination");
		return found;
	};
	const record = (c: Context<AppEnv>, action: string, { project, id, body }: Definition<Destination>) =>
		stored(
			audit.append({
				...{ project, actor: c.get("key").key_id, action, target: id, request_id: c.get("requestId") },
				detail: { bucket: body.bucket, prefix: body.prefix, endpoint: body.endpoint ?? null },
			}),
		);
	return new Hono<AppEnv>()
		.put(`${PATH}/:name`, admins, async (c) => {
			parseQuery(c, noParameters);
			const name = c.req.param("name");
			if (!NAME.test(name)) {
				throw badParameter({ parameter: "name", provided: name, valid_options: ["letters, digits, ., _ and -"] });
			}
			const { project } = c.get("key");
			const body = await parseBody(c, destinationBody);
			const before = await stored(destinations.get(project, name));
			const whole = kept(body, before && openDestination(before.body, box, project));
			const saved = await stored(destinations.put(project, name, sealDestination(whole, box, project)));
			await record(c, "destination.put", saved);
			return c.json(answer(saved));
		})
		.get(PATH, admins, async (c) => {
			parseQuery(c, noParameters);
			const all = await stored(destinations.list(c.get("key").project));
			return c.json({ destinations: all.map(answer) });
		})
		.get(`${PATH}/:name`, admins, async (c) => {
			parseQuery(c, noParameters);
			return c.json(answer(await find(c)));
		})
		.delete(`${PATH}/:name`, admins, async (c) => {
			parseQuery(c, noParameters);
			const found = await find(c);
			await stored(destinations.delete(found.project, found.id));
			await record(c, "destination.delete", found);
			return c.body(null, 204);
		});
}

/** @throws ApiError 400 when nothing is stored that a mask could stand for */
function kept(body: Destination, before: Destination | undefined): Destination {
	// Whoever could lead an address elsewhere and keep the secret would be sent what it signs.
	const same = before?.endpoint === body.endpoint && before?.access_key_id === body.access_key_id;
	return mapDestinationSecrets(body, (text, member) => {
		if (text !== MASK) return text;
		const secret = same ? before?.[member] : undefined;
		if (secret !== undefined) return secret;
		const reason = "is masked, and no secret is stored for this endpoint and access key: send the secret itself";
		throw badParameter({ parameter: member, provided: MASK, valid_options: [], reason });
	});
}

function answer({ id, body, created_at, updated_at }: Definition<Destination>): DestinationAnswer {
	return {
		...{ name: id, ...mapDestinationSecrets(body, () => MASK) },
		...{ created_at: created_at.toISOString(), updated_at: updated_at.toISOString() },
	};
}

function stored<T>(work: Promise<T>): Promise<T> {
	return work.catch((error: unknown) => {
		throw clickHouseError(error, "definitions");
	});
}
