/** What the audit log says, and what says whether it is whole. */
import { AUDIT_COLUMNS, type LinkedRow, readRow } from "../../schema/audit-chain.ts";
import { readVerification, type SignedVerification, VERIFICATION_COLUMNS } from "../../schema/audit-verification.ts";
import { at } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";

export interface AuditFilter {
	/** Milliseconds since the epoch. */
	readonly start?: number | undefined;
	/** Not included. */
	readonly end?: number | undefined;
	readonly actor?: string | undefined;
	/** With `*` at its end all that begin so. */
	readonly action?: string | undefined;
	readonly target?: string | undefined;
	/** Only rows before this place in the chain. */
	readonly before?: number | undefined;
	readonly limit: number;
}

type Stored = Parameters<typeof readRow>[0];

/** Rows of the audit log, the newest first. */
export function auditEntries({ start, end, actor, action, target, before, limit }: AuditFilter): Question<LinkedRow[]> {
	const params = new Params();
	const is = (column: string, text: string | undefined) =>
		text === undefined ? [] : [`${column} = ${params.add("String", text)}`];
	const where = [
		...(start === undefined ? [] : [`ts >= ${at(params, start)}`]),
		...(end === undefined ? [] : [`ts < ${at(params, end)}`]),
		...(before === undefined ? [] : [`seq < ${params.add("UInt64", before)}`]),
		...is("actor", actor),
		...is("target", target),
		...(action?.endsWith("*")
			? [`startsWith(action, ${params.add("String", action.slice(0, -1))})`]
			: is("action", action)),
	];
	return {
		name: "audit_entries",
		params,
		sql: `SELECT ${AUDIT_COLUMNS} ${from("audit_log", where.join(" AND ") || "1")} ORDER BY seq DESC LIMIT ${params.add("UInt32", limit)}`,
		read: (rows) => rows.map((row) => readRow(row as unknown as Stored)),
	};
}

/** What walks over the chain found in a window, the newest first. Times in milliseconds since the epoch. */
export function auditVerifications(
	{ start = 0, end }: { readonly start?: number; readonly end: number },
	limit: number,
): Question<SignedVerification[]> {
	const params = new Params();
	const within = `verified_at >= ${at(params, start)} AND verified_at < ${at(params, end)}`;
	return {
		name: "audit_verifications_of",
		params,
		sql: `SELECT ${VERIFICATION_COLUMNS} ${from("audit_verifications", within)}
ORDER BY verified_ms DESC LIMIT 1 BY verified_ms LIMIT ${params.add("UInt32", limit)}`,
		read: (rows) => rows.map(readVerification),
	};
}

/** When a chain was walked for the first time, milliseconds since the epoch; null for never. */
export function firstVerification(): Question<number | null> {
	return {
		name: "first_verification",
		params: new Params(),
		sql: `SELECT count() AS n, toUnixTimestamp64Milli(min(verified_at)) AS first ${from("audit_verifications")}`,
		read: ([row]) => (Number(row?.n ?? 0) === 0 ? null : Number(row!.first)),
	};
}

export interface CallsAudited {
	/** Requests that changed something. */
	readonly calls: number;
	/** Those of them that the audit log does not have, the first ones by name. */
	readonly unaudited: number;
	readonly first: readonly { readonly request_id: string; readonly route: string; readonly at: number }[];
}
const MAX_NAMED = 100;

/**
 * Requests that changed something, beside the rows of the audit log that name them. Clients may send one request id several
 * times: then there must be as many rows. A row is written before its request is answered, so there are never too few by chance.
 */
export function callsAudited({ start, end }: { readonly start: number; readonly end: number }): Question<CallsAudited> {
	const params = new Params();
	const [since, until] = [at(params, start), at(params, end)];
	return {
		name: "calls_audited",
		params,
		sql: `SELECT sum(n) AS calls, sum(greatest(0, toInt64(n) - toInt64(found))) AS lacking,
	arraySlice(arraySort(x -> (x.3, x.1), groupArrayIf((request_id, route, first_ms), n > found)), 1, ${MAX_NAMED}) AS named
FROM (
	SELECT request_id, any(called) AS route, count() AS n, toUnixTimestamp64Milli(min(answered_at)) AS first_ms FROM (
		SELECT request_id, concat(method, ' ', route) AS called, answered_at
		${from("changing_calls", `answered_at >= ${since} AND answered_at < ${until}`)}
	) GROUP BY request_id
) AS answered
LEFT JOIN (
	SELECT request_id, count() AS found ${from("audit_log", "action != 'access.denied' AND request_id != ''")} GROUP BY request_id
) AS written USING (request_id)`,
		read: ([row]) => ({
			calls: Number(row?.calls ?? 0),
			unaudited: Number(row?.lacking ?? 0),
			first: ((row?.named ?? []) as [string, string, number][]).map(([request_id, route, ms]) => ({
				...{ request_id, route, at: Number(ms) },
			})),
		}),
	};
}
