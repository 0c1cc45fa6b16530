import { afterAll, beforeAll, expect, test } from "vitest";
import { JobStore } from "../schema/jobs.ts";
import { until } from "../tests/server.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../tests/support/database.ts";
import { ingested, startIngest } from "../tests/support/ingested.ts";

const NOW = Date.UTC(2026, 2, 1);
let db: TestDatabase;
beforeAll(async () => {
	db = await startDatabase(NO_EXPIRY);
});
afterAll(() => db?.stop());

test("a series that an erasure of another process took away is announced again, and only then", async () => {
	const ingest = await startIngest(db, NOW);
	const send = (value: number) =>
		ingested(ingest, "p", "metric", [{ name: "cart.size", value, tags: { "user.id": "u1" }, timestamp: NOW }]);
	const rows = async (sql: string) => (await db.client.query({ query: sql, format: "JSONEachRow" })).json();
	const announced = () => rows("SELECT tags FROM series WHERE project = 'p'");
	await send(1);
	await db.client.command({
		query: "ALTER TABLE series DELETE WHERE project = 'p'",
		clickhouse_settings: { mutations_sync: "1" },
	});
	await send(2);
	expect(await announced()).toEqual([]);

	// A worker whose clock is behind that of the one before it.
	for (const [job_id, clock] of [
		["dr_1", NOW],
		["dr_2", NOW - 3_600_000],
	] as const) {
		const jobs = new JobStore(db.client, () => clock);
		const job = await jobs.create({ project: "p", kind: "erasure", job_id, input: {} });
		await jobs.finish(job, 1, { status: "completed" });
		await until(
			async () => {
				await send(3);
				return (await announced()).length > 0;
			},
			{ what: "the series to be announced again" },
		);
		expect(await announced()).toEqual([{ tags: { "user.id": "u1" } }]);
		await db.client.command({
			query: "ALTER TABLE series DELETE WHERE project = 'p'",
			clickhouse_settings: { mutations_sync: "1" },
		});
	}
	await ingest.close(5_000);
}, 60_000);
