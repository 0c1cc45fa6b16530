/** Walks over every project's audit chain, once an hour where it has grown and twice a day where it has not, as jobs. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { z } from "zod";
import { storeVerification, verifyChain } from "../../schema/audit-verification.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { JobStore } from "../../schema/jobs.ts";
import type { Signer } from "../../schema/signer.ts";
import { defineJob, type JobKind } from "../jobs/job.ts";

export const AUDIT_VERIFY = "audit_verify";
const HOUR_MS = 3_600_000;
const MIN_INTERVAL_MS = 12 * HOUR_MS;
const TICK_MS = 10_000;

const outcome = z.object({
	rows: z.number(),
	last_seq: z.number(),
	last_hash: z.string(),
	broken_at: z.number().nullable(),
	reason: z.string().nullable(),
});

export interface VerifyJobOptions {
	readonly clickhouse: ClickHouse;
	readonly signer: Signer;
	readonly logger: Logger;
	/** Takes a metric about the program itself. */
	readonly ownMetric: (record: object) => void;
	/** Milliseconds since the epoch. */
	readonly now?: () => number;
}

export function auditVerifyJob({ clickhouse, signer, logger, ownMetric, now = Date.now }: VerifyJobOptions): JobKind {
	return defineJob({
		...{ kind: AUDIT_VERIFY, attempts: 5, concurrency: 1, input: z.object({}), state: outcome },
		async run({ project }) {
			const found = await verifyChain(project, { client: clickhouse, signer, now: now() });
			await storeVerification(clickhouse, found);
			const { rows, last_seq, last_hash, broken_at, reason } = found;
			const metric = (name: string, value: number, unit: string) =>
				ownMetric({ name: `tidemark.audit.${name}`, kind: "gauge", value, unit, tags: { project } });
			metric("rows", rows, "{row}");
			metric("broken", broken_at === null ? 0 : 1, "1");
			// In the log as well: whoever rewrites the tables does not reach where the log is collected.
			if (broken_at === null) logger.info({ project, seq: last_seq, hash: last_hash }, "the audit log is whole");
			else logger.error({ project, broken_at, reason }, "the audit log was changed behind the program's back");
			return { rows, last_seq, last_hash, broken_at, reason };
		},
	});
}

/** Asks for the walks that are due. @param now milliseconds since the epoch */
export async function askForVerifications(clickhouse: ClickHouse, now: number): Promise<string[]> {
	const hour = Math.floor(now / HOUR_MS) * HOUR_MS;
	const rows = await clickhouse.answers.rows<{ project: string }>(
		`SELECT project FROM (
			SELECT project, max(seq) AS head, 0 AS seen, 0 AS at FROM audit_log GROUP BY project
			UNION ALL
			SELECT project, 0 AS head, argMax(last_seq, verified_at) AS seen, toUnixTimestamp64Milli(max(verified_at)) AS at
			FROM audit_verifications GROUP BY project
		) GROUP BY project
		HAVING max(at) < {old:Int64} OR (max(head) != max(seen) AND max(at) < {hour:Int64}) ORDER BY project`,
		{ old: now - MIN_INTERVAL_MS, hour },
	);
	const due = rows.map(({ project }) => project);
	const jobs = new JobStore(clickhouse, () => now);
	// One for each hour, however many workers ask.
	const job_id = `hour-${new Date(hour).toISOString().slice(0, 13)}`;
	for (const project of due) await jobs.create({ project, kind: AUDIT_VERIFY, job_id, input: {} });
	return due;
}

/** @returns what ends it */
export function scheduleVerifications({ clickhouse, logger }: Pick<VerifyJobOptions, "clickhouse" | "logger">): {
	close(): Promise<void>;
} {
	const stopping = new AbortController();
	const running = (async () => {
		while (!stopping.signal.aborted) {
			await askForVerifications(clickhouse, Date.now()).catch((err) =>
				logger.warn({ err }, "verifications of the audit log could not be asked for"),
			);
			await sleep(TICK_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
		}
	})();
	return {
		async close() {
			stopping.abort();
			await running;
		},
	};
}
