/** Backups of the whole server and what was restored from one, as the jobs and audit rows of any project tell. */
import type { ClickHouse } from "./clickhouse.ts";

export interface BackupRun {
	readonly kind: "backup" | "restore";
	readonly id: string;
	/** When it was asked for, milliseconds since the epoch. */
	readonly at: number;
	readonly status: "completed" | "failed" | "open";
}

/** Oldest first. A backup holds all projects, so it is evidence for each of them; nothing but its id, time and outcome is told. */
export async function backupRuns(
	client: ClickHouse,
	{ start, end }: { readonly start: number; readonly end: number },
): Promise<BackupRun[]> {
	const result = await client.query({
		query: `SELECT kind, id, at, status FROM (
			SELECT kind, job_id AS id, toUnixTimestamp64Milli(minIf(recorded_at, fact = 'asked')) AS at,
				if(countIf(fact = 'over') = 0, 'open', JSONExtractString(argMinIf(body, version, fact = 'over'), 'status')) AS status
			FROM jobs WHERE kind IN ('backup', 'restore') AND recorded_at < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
			GROUP BY project, kind, job_id
			UNION ALL
			SELECT splitByChar('.', action)[1] AS kind, target AS id, toUnixTimestamp64Milli(audit_log.ts) AS at,
				if(JSONExtractString(detail, 'status') = 'failed', 'failed', 'completed') AS status
			FROM audit_log WHERE action IN ('backup.create', 'backup.restore', 'restore.create', 'restore.verify')
				AND actor = 'operator'
		) WHERE at >= {start:Int64} AND at < {end:Int64} ORDER BY at, id LIMIT 10000`,
		query_params: { start, end },
		format: "JSONEachRow",
	});
	const rows = await result.json<{ kind: string; id: string; at: string; status: string }>();
	return rows.map(({ kind, id, at, status }) => ({
		...{ id, at: Number(at), kind: kind === "backup" ? "backup" : "restore" },
		status: status === "completed" || status === "open" ? status : "failed",
	}));
}
