/** The kind of job `retention`: deletes what a project wants to keep no longer, once a day. */
import { z } from "zod";
import type { AuditLog } from "../../schema/audit.ts";
import type { JobStore } from "../../schema/jobs.ts";
import { migrations } from "../../schema/migrate.ts";
import { RETENTION_ID, RetentionBook, shorterDays } from "../../schema/project-retention.ts";
import type { Retention } from "../../schema/retention.ts";
import { agingTables } from "../../schema/ttl.ts";
import { EVERYWHERE, mutate, type Place } from "../data-rights/mutations.ts";
import { defineJob, type JobKind } from "../jobs/job.ts";

export interface RetentionJobOptions extends Place {
	readonly retention: Retention;
	readonly audit: Pick<AuditLog, "append">;
	readonly now?: () => number;
}

const KIND = "retention";
const DAY_MS = 86_400_000;
/** While it deletes, rows that are too old may come. */
const ROUNDS = 3;
const table = z.strictObject({ table: z.string(), before: z.string(), rows: z.int() });
const state = z.strictObject({
	enforced: z.strictObject({ at: z.string(), rows: z.int(), tables: z.array(table) }),
});

/** Asks for the runs of the day, of all projects that want something of their own. Asking twice is asking once. */
export async function askForRetention(book: RetentionBook, jobs: JobStore, now: number): Promise<void> {
	const day = new Date(now).toISOString().slice(0, 10);
	for (const { project } of await book.definitions.list()) {
		await jobs.create({ project, kind: KIND, job_id: `retention ${day}`, of: RETENTION_ID, input: { day } });
	}
}

export function retentionJob(options: RetentionJobOptions): JobKind {
	const { client, now = Date.now } = options;
	const { definitions } = new RetentionBook(client, now);
	// What is defined, and what is known of jobs, is not telemetry.
	const aging = agingTables(migrations().map(({ text }) => text)).filter((one) => !EVERYWHERE.has(one.table));
	return defineJob({
		kind: KIND,
		...{ input: z.strictObject({ day: z.string() }), state, attempts: 10, concurrency: 1 },
		async run({ project, job_id, input, state: reached, signal, checkpoint, progress }) {
			const own = await definitions.get(project, RETENTION_ID);
			const days = own ? shorterDays(own.body, options.retention) : {};
			const tables = [...(reached?.enforced.tables ?? [])];
			const enforced = () => ({
				...{ at: new Date(now()).toISOString(), rows: tables.reduce((sum, { rows }) => sum + rows, 0), tables },
			});
			const due = aging.filter((one) => days[one.days] !== undefined);
			for (const [i, one] of due.entries()) {
				if (tables.some((done) => done.table === one.table)) continue;
				// The start of a day: nothing is gone that a window of so many days may still ask for.
				const before = new Date(Date.parse(input.day) - days[one.days]! * DAY_MS);
				const where = `project = '${project}' AND ${one.from} < toDateTime(${before.getTime() / 1_000}, 'UTC')`;
				const rows = await count(options, one.table, where);
				if (rows > 0) {
					// Noted before they are gone: begun again, it would find none.
					tables.push({ table: one.table, before: before.toISOString(), rows });
					await checkpoint({ enforced: enforced() });
					await mutate(options, one.table, "DELETE", where, signal);
				}
				progress((i + 1) / due.length);
			}
			// Whatever was noted and is there all the same: deaths left it over, or it came meanwhile.
			for (const { table: name, before } of tables) {
				const { from } = aging.find((one) => one.table === name)!;
				const where = `project = '${project}' AND ${from} < toDateTime(${Date.parse(before) / 1_000}, 'UTC')`;
				for (let round = 1; (await count(options, name, where)) > 0; round++) {
					if (round > ROUNDS) throw new Error(`rows of ${name} are left that are older than ${before}`);
					await mutate(options, name, "DELETE", where, signal);
				}
			}
			const end = { enforced: enforced() };
			if (!(await isRecorded(options, project, job_id))) {
				await options.audit.append({
					...{ project, actor: "system", action: "retention.enforce", target: job_id },
					detail: { days, rows: end.enforced.rows, tables },
				});
			}
			return end;
		},
	});
}

async function count({ client }: Place, name: string, where: string): Promise<number> {
	const result = await client.query({
		query: `SELECT toUInt64(count()) FROM ${name} WHERE ${where}`,
		format: "JSONCompactEachRow",
	});
	return Number((await result.json<[string]>())[0]![0]);
}

async function isRecorded({ client }: Place, project: string, target: string): Promise<boolean> {
	const result = await client.query({
		query: `SELECT 1 FROM audit_log WHERE project = {project:String} AND action = 'retention.enforce' AND target = {target:String} LIMIT 1`,
		query_params: { project, target },
		format: "JSONCompactEachRow",
	});
	return (await result.json()).length > 0;
}
