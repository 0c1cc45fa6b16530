import { afterAll, beforeAll, expect, test } from "vitest";
import { reachOf } from "../../query/measures/scope.ts";
import { signals } from "../../query/measures/signals.ts";
import { plan, RetentionError } from "../../query/plan/plan.ts";
import { Queries } from "../../query/run.ts";
import { AuditLog } from "../../schema/audit.ts";
import { JobStore } from "../../schema/jobs.ts";
import { type OwnRetention, RetentionBook, shorterDays } from "../../schema/project-retention.ts";
import { DEFAULT_RETENTION } from "../../schema/retention.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { insertErrors, insertEvents, insertLogs, insertSeries } from "../../tests/support/records.ts";
import { askForRetention, retentionJob } from "./retention.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 15, 12);
/** Days ago. */
const AGES = [1, 6.9, 7.6, 29.9, 30.6, 89, 200];
let db: TestDatabase;

beforeAll(async () => {
	db = await startDatabase(NO_EXPIRY);
	for (const project of ["short", "long"]) {
		const at = AGES.map((age) => NOW - age * DAY);
		await insertEvents(
			db.client,
			project,
			at.map((ts) => ({ event: "a", ts, user_id: "u", session_id: "s" })),
		);
		await insertLogs(
			db.client,
			project,
			at.map((ts) => ({ ts, message: "m" })),
		);
		await insertErrors(
			db.client,
			project,
			at.map((ts) => ({ ts, error_type: "E" })),
		);
		await insertSeries(db.client, project, [{ name: "cpu", points: at.map((ts) => [ts, 1] as const) }]);
	}
});
afterAll(() => db.stop());

async function count(table: string, project: string): Promise<number> {
	const result = await db.client.query({
		query: `SELECT toUInt32(count()) AS n FROM ${table} WHERE project = {project:String}`,
		query_params: { project },
		format: "JSONEachRow",
	});
	return (await result.json<{ n: number }>())[0]!.n;
}

const OWN: OwnRetention = { metrics_days: 7, rollups_days: 30, logs_days: 30, events_days: null };

test("a project's older records go by signal, counted and told to the audit log, also when the run dies; no others go", async () => {
	const book = new RetentionBook(db.client, () => NOW);
	await book.put("short", OWN);
	const jobs = new JobStore(db.client, () => NOW);
	await askForRetention(book, jobs, NOW);
	await askForRetention(book, jobs, NOW + 3_600_000);
	const asked = await jobs.list("short", { kind: "retention" });
	expect(asked.map(({ job_id }) => job_id)).toEqual(["retention 2026-06-15"]);
	expect(await jobs.list("long", { kind: "retention" })).toEqual([]);

	const place = { client: db.client, database: "tidemark" };
	const job = retentionJob({ ...place, retention: NO_EXPIRY, audit: new AuditLog(db.client), now: () => NOW });
	let state: unknown;
	const run = (dies: number) => {
		let checkpoints = 0;
		return job.run({
			...{ project: "short", job_id: asked[0]!.job_id, input: asked[0]!.input, state, attempt: 1 },
			...{ signal: new AbortController().signal, progress: () => undefined },
			async checkpoint(reached) {
				state = reached;
				if (++checkpoints === dies) throw new Error("killed");
			},
		});
	};
	// Each attempt notes a table and dies before its rows go.
	await expect(run(2)).rejects.toThrow("killed");
	await expect(run(1)).rejects.toThrow("killed");
	const { enforced } = (await run(0)) as { enforced: { rows: number; tables: { table: string; rows: number }[] } };
	await run(0);

	const left = async (project: string) =>
		Promise.all(
			["points", "rollup_1m", "rollup_1d", "logs", "log_counts_1m", "errors", "events"].map((t) => count(t, project)),
		);
	expect(await left("long")).toEqual([7, 7, 7, 7, 7, 7, 7]);
	// Of 7 days 3 points are younger, of 30 days 4 of each: those of 7.6 and 30.6 days are gone.
	expect(await left("short")).toEqual([2, 4, 4, 4, 4, 4, 7]);
	expect(Object.fromEntries(enforced.tables.map(({ table, rows }) => [table, rows]))).toMatchObject({
		...{ points: 5, rollup_1m: 3, rollup_1d: 3, logs: 3, errors: 3 },
	});
	const audited = await db.client.query({
		query: "SELECT detail FROM audit_log WHERE project = 'short' AND action = 'retention.enforce'",
		format: "JSONEachRow",
	});
	const [row, ...more] = await audited.json<{ detail: string }>();
	expect(more).toEqual([]);
	expect(JSON.parse(row!.detail)).toMatchObject({ days: { metrics: 7, logs: 30 }, rows: enforced.rows });
});

test("what is not kept is refused, not answered in part, and nothing is compared with it", async () => {
	const own = shorterDays({ ...OWN, events_days: 500 }, DEFAULT_RETENTION);
	expect(own).toMatchObject({ metrics: 7, logs: 30, rollup_1d: 30 });
	expect(own.events).toBeUndefined();
	const reach = reachOf(DEFAULT_RETENTION, own);
	const ask = (days: number, rawOnly: boolean) => () =>
		plan({ start: NOW - days * DAY, end: NOW, now: NOW, reach, rawOnly });
	expect(ask(7, true)).not.toThrow();
	expect(ask(8, true)).toThrow(RetentionError);
	expect(ask(8, false)).not.toThrow();
	expect(ask(31, false)).toThrow(RetentionError);
	expect(reach.logs_days).toBe(30);
	expect(reachOf(DEFAULT_RETENTION).whole_days).toBeUndefined();
	const asker = new Queries({ client: db.client, secondLock: false }).of("long");
	expect((await asker.ask(signals(NOW))).comparableFrom()).toBe(NOW - 200 * DAY);
	asker.keptFrom = NOW - reach.whole_days! * DAY;
	expect((await asker.ask(signals(NOW))).comparableFrom()).toBe(NOW - 30 * DAY);
});
