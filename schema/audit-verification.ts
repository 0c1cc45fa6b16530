/** Walks over audit chains whose outcomes are kept and signed, so that the next walk has to lead through where this one ended. */
import { auditRows, type BreakReason, walkChain } from "./audit-chain.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { ClickHouse } from "./clickhouse.ts";
import { clickHouseTime } from "./definitions.ts";
import type { Signature, Signer } from "./signer.ts";

/** What a walk found. One that found the chain whole is an anchor: the chain reached `last_seq` then, with `last_hash`. */
export interface Verification {
	readonly project: string;
	/** Milliseconds since the epoch. */
	readonly verified_at: number;
	readonly rows: number;
	readonly last_seq: number;
	readonly last_hash: string;
	/** The first `seq` at which the chain does not hold. */
	readonly broken_at: number | null;
	readonly reason: BreakReason | null;
}

export interface SignedVerification extends Verification {
	readonly signature: Signature;
}

export interface VerificationOptions {
	readonly client: ClickHouse;
	readonly signer: Signer;
	/** Milliseconds since the epoch. */
	readonly now: number;
}

/** Walks the chain of a project through its anchors. Stores nothing. */
export async function verifyChain(
	project: string,
	{ client, signer, now }: VerificationOptions,
): Promise<SignedVerification> {
	// Read before the rows: an anchor that is set meanwhile stands for rows that the walk may not see.
	const anchors = (await verifications(client, project)).filter(({ broken_at }) => broken_at === null);
	const forged = anchors.find((anchor) => signer.verify(signed(anchor), anchor.signature) === false);
	const walk = await walkChain(
		auditRows(client, project),
		new Map(anchors.filter((one) => one !== forged).map(({ last_seq, last_hash }) => [last_seq, last_hash])),
	);
	const isForged = walk.broken_at === null && forged !== undefined;
	const verification: Verification = {
		...{ project, verified_at: now, rows: walk.rows, last_seq: walk.head.seq, last_hash: walk.head.hash },
		broken_at: isForged ? forged.last_seq : walk.broken_at,
		reason: isForged ? "anchor changed" : walk.reason,
	};
	return { ...verification, signature: signer.sign(signed(verification)) };
}

export async function storeVerification(client: ClickHouse, found: SignedVerification): Promise<void> {
	await client.insert({
		table: "audit_verifications",
		values: [
			{
				...{ project: found.project, verified_at: clickHouseTime(new Date(found.verified_at)) },
				...{ row_count: found.rows, last_seq: found.last_seq, last_hash: found.last_hash },
				...{ broken_at: found.broken_at, reason: found.reason ?? "" },
				signature: `${found.signature.key_id}.${found.signature.signature}`,
			},
		],
		format: "JSONEachRow",
	});
}

/** All of a project, oldest first. */
export async function verifications(client: ClickHouse, project: string): Promise<SignedVerification[]> {
	const result = await client.query({
		query: `SELECT ${VERIFICATION_COLUMNS} FROM audit_verifications FINAL
			WHERE project = {project:String} ORDER BY audit_verifications.verified_at`,
		query_params: { project },
		format: "JSONEachRow",
	});
	return (await result.json<Record<string, unknown>>()).map(readVerification);
}

export const VERIFICATION_COLUMNS = `project, toUnixTimestamp64Milli(verified_at) AS verified_ms, row_count, last_seq,
	toString(last_hash) AS end_hash, broken_at, reason, signature`;

/** A row of `VERIFICATION_COLUMNS`. */
export function readVerification(row: Readonly<Record<string, unknown>>): SignedVerification {
	const [key_id = "", signature = ""] = String(row.signature).split(".");
	return {
		...{ project: String(row.project), verified_at: Number(row.verified_ms), rows: Number(row.row_count) },
		...{ last_seq: Number(row.last_seq), last_hash: String(row.end_hash) },
		broken_at: row.broken_at === null ? null : Number(row.broken_at),
		reason: row.reason === "" ? null : (row.reason as BreakReason),
		signature: { key_id, signature },
	};
}

/** Projects that have an audit log. */
export async function auditedProjects(client: ClickHouse): Promise<string[]> {
	// A chain of which all was taken away still has its anchors.
	const query = `SELECT DISTINCT project FROM (SELECT project FROM audit_log UNION ALL SELECT project FROM audit_verifications) ORDER BY project`;
	const result = await client.query({ query, format: "JSONEachRow" });
	return (await result.json<{ project: string }>()).map(({ project }) => project);
}

function signed({ project, verified_at, rows, last_seq, last_hash, broken_at, reason }: Verification): string {
	return canonicalJson({ project, verified_at, rows, last_seq, last_hash, broken_at, reason });
}
