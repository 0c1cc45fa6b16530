import { type Context, Hono } from "hono";
import type { RequireRole } from "../../http/auth.ts";
import type { AppEnv } from "../../http/env.ts";
import { badParameter } from "../../http/errors.ts";
import type { RouteDoc } from "../../http/openapi.ts";
import type { Role } from "../../http/roles.ts";
import { parseQuery } from "../../http/validate.ts";
import type { LinkedRow } from "../../schema/audit-chain.ts";
import type { Verification } from "../../schema/audit-verification.ts";
import { type AuditLogAnswer, auditLogAnswer, auditLogQuery } from "../../schema/wire/index.ts";
import { decodePlace, encodePlace } from "../common/page.ts";
import { auditEntries, auditVerifications } from "../measures/audit.ts";
import type { Queries } from "../run.ts";
import { parseInstant } from "../time/instant.ts";

const PATH = "/v1/monitoring/audit-log";
const READERS: readonly Role[] = ["admin", "compliance_officer"];

export const AUDIT_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "get", path: PATH, tag: "Compliance", role: READERS },
		summary: "Who changed what, and who was not let in, newest first",
		description:
			"Each entry carries the hash of the one before it. `access.denied` says of a key that was revoked, expired or lacked a role how often it was refused.",
		query: auditLogQuery,
		answers: { 200: auditLogAnswer },
	},
];

export interface AuditRouteDeps {
	readonly queries: Queries;
	readonly requireRole: RequireRole;
	readonly now?: (() => number) | undefined;
}

/** The audit log of the asking key's project. */
export function auditRoutes({ queries, requireRole, now = Date.now }: AuditRouteDeps): Hono<AppEnv> {
	return new Hono<AppEnv>().get(PATH, requireRole(READERS), async (c: Context<AppEnv>) => {
		const { start, end, cursor, limit, ...filter } = parseQuery(c, auditLogQuery);
		const window = { start: instant("start", start), end: instant("end", end) };
		const [before] = decodePlace(cursor, 1) ?? [];
		const asker = queries.of(c.get("key").project, c.req.raw.signal);
		const [found, [last]] = await Promise.all([
			asker.ask(auditEntries({ ...filter, ...window, before, limit: limit + 1 })),
			// A walk of this very millisecond counts too.
			asker.ask(auditVerifications({ end: now() + 1 }, 1)),
		]);
		const page = found.slice(0, limit);
		return c.json({
			entries: page.map(entry),
			verification: last ? verificationAnswer(last) : null,
			next_cursor: found.length > limit ? encodePlace([page.at(-1)!.seq]) : null,
		} satisfies AuditLogAnswer);
	});
}

function entry({ seq, ts_ms, detail, request_id, project: _, ...row }: LinkedRow): AuditLogAnswer["entries"][number] {
	return {
		...{ seq, timestamp: new Date(ts_ms).toISOString(), ...row },
		detail: JSON.parse(detail) as Record<string, unknown>,
		request_id: request_id === "" ? null : request_id,
	};
}

export function verificationAnswer(found: Verification): NonNullable<AuditLogAnswer["verification"]> {
	const { verified_at, rows, last_seq, last_hash, broken_at, reason } = found;
	return { verified_at: new Date(verified_at).toISOString(), rows, last_seq, last_hash, broken_at, reason };
}

/** @throws ApiError 400 */
function instant(parameter: string, text: string | undefined): number | undefined {
	if (text === undefined) return undefined;
	const at = parseInstant(text, "UTC");
	if (at !== undefined) return at;
	throw badParameter({ parameter, provided: text, valid_options: ["RFC 3339, such as 2026-01-02T03:04:05Z"] });
}
