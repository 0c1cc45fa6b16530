import { Hono } from "hono";
import { z } from "zod";
import type { AuditLog } from "../schema/audit.ts";
import type { RequireRole } from "./auth.ts";
import type { AppEnv } from "./env.ts";
import type { KeyInfo, KeyStore } from "./keys.ts";
import type { RouteDoc } from "./openapi.ts";
import { ROLES } from "./roles.ts";
import { parseBody } from "./validate.ts";

const DEFAULT_GRACE_SECONDS = 86_400;

const time = z.iso.datetime({ offset: true });
const newKey = z.strictObject({
	name: z.string().min(1).max(200),
	roles: z.array(z.enum(ROLES)).min(1),
	read_limit: z.int().min(1).max(1e9).optional().describe("Reads an hour."),
	expires_at: time.nullable().optional(),
});
const rotation = z.strictObject({
	grace_seconds: z
		.int()
		.min(0)
		.max(30 * 86_400)
		.default(DEFAULT_GRACE_SECONDS)
		.describe("How long the old text still holds."),
});
const keyAnswer = z.object({
	key_id: z.string(),
	name: z.string(),
	roles: z.array(z.enum(ROLES)),
	read_limit: z.number(),
	created_at: time,
	expires_at: time.nullable(),
	revoked_at: time.nullable(),
	last_used_at: time.nullable(),
});
const keyWithSecret = keyAnswer.extend({ api_key: z.string().describe("Shown this once.") });

export const KEY_DOCS: readonly RouteDoc[] = [
	{
		method: "post",
		path: "/v1/keys",
		summary: "Create a key",
		tag: "Keys",
		role: "admin",
		body: newKey,
		answers: { 201: keyWithSecret },
	},
	{
		method: "get",
		path: "/v1/keys",
		summary: "List keys",
		tag: "Keys",
		role: "admin",
		answers: { 200: z.object({ keys: z.array(keyAnswer) }) },
	},
	{
		method: "post",
		path: "/v1/keys/{id}/rotate",
		summary: "Give a key a new text",
		tag: "Keys",
		role: "admin",
		body: rotation,
		answers: { 200: keyWithSecret },
	},
	{
		method: "delete",
		path: "/v1/keys/{id}",
		summary: "Revoke a key",
		tag: "Keys",
		role: "admin",
		answers: { 204: null },
	},
];

/** Administration of the keys of the asking key's project. */
export function keyRoutes(deps: { keys: KeyStore; audit: AuditLog; requireRole: RequireRole }): Hono<AppEnv> {
	const { keys, audit } = deps;
	const admin = deps.requireRole("admin");
	return new Hono<AppEnv>()
		.post("/v1/keys", admin, async (c) => {
			const body = await parseBody(c, newKey);
			const { key_id: actor, project } = c.get("key");
			const { key, secret } = await keys.create({
				project,
				name: body.name,
				roles: [...new Set(body.roles)],
				read_limit: body.read_limit,
				expires_at: body.expires_at ? Date.parse(body.expires_at) : null,
			});
			await audit.append({
				project,
				actor,
				action: "key.create",
				target: key.key_id,
				detail: { name: key.name, roles: key.roles },
				request_id: c.get("requestId"),
			});
			return c.json({ ...answer(key), api_key: secret }, 201);
		})
		.get("/v1/keys", admin, async (c) => c.json({ keys: (await keys.list(c.get("key").project)).map(answer) }))
		.post("/v1/keys/:id/rotate", admin, async (c) => {
			const { grace_seconds } = await parseBody(c, rotation);
			const { key_id: actor, project } = c.get("key");
			const { key, secret } = await keys.rotate(project, c.req.param("id"), grace_seconds);
			await audit.append({
				project,
				actor,
				action: "key.rotate",
				target: key.key_id,
				detail: { grace_seconds },
				request_id: c.get("requestId"),
			});
			return c.json({ ...answer(key), api_key: secret });
		})
		.delete("/v1/keys/:id", admin, async (c) => {
			const { key_id: actor, project } = c.get("key");
			await keys.revoke(project, c.req.param("id"));
			await audit.append({
				project,
				actor,
				action: "key.revoke",
				target: c.req.param("id"),
				request_id: c.get("requestId"),
			});
			return c.body(null, 204);
		});
}

function answer(key: KeyInfo) {
	return {
		key_id: key.key_id,
		name: key.name,
		roles: key.roles,
		read_limit: key.read_limit,
		created_at: rfc3339(key.created_at),
		expires_at: rfc3339(key.expires_at),
		revoked_at: rfc3339(key.revoked_at),
		last_used_at: rfc3339(key.last_used_at),
	};
}

function rfc3339(at: number | null): string | null {
	return at === null ? null : new Date(at).toISOString();
}
