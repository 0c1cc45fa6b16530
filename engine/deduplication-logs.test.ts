import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, it } from "vitest";
import { connectClickHouse } from "../schema/clickhouse.ts";
import { type Engine, startEngine } from "./supervisor.ts";

/** Below the engine's folder, the folders of parts whose name ends so. */
function partsOf(dataDir: string, ending: string): string[] {
	return readdirSync(dataDir, { recursive: true, encoding: "utf8" })
		.filter((path) => path.includes("store") && path.endsWith(ending))
		.map((path) => join(dataDir, path));
}

it("an insert that was killed between its deduplication and its part can be repeated, once, through views too", async () => {
	const dataDir = mkdtempSync(join(tmpdir(), "tidemark-deduplication-"));
	const start = () => startEngine({ dataDir, password: "p", logger: pino({ level: "silent" }) });
	const connect = ({ url }: Engine) => connectClickHouse({ url, user: "default", password: "p", database: "default" });
	let engine = await start();
	let client = connect(engine);
	const counts = async () => {
		const query = "SELECT (SELECT count() FROM raw) AS raw, (SELECT sum(n) FROM `odd ``name`) AS counted";
		const result = await client.query({ query, format: "JSONCompactEachRow" });
		return (await result.json<[string, string]>())[0]!.map(Number);
	};
	const insert = (token: string) =>
		client.command({
			query: `INSERT INTO raw SELECT toDate('2026-01-01') + number % 2, number FROM numbers(10)`,
			clickhouse_settings: {
				...{ insert_deduplicate: 1, insert_deduplication_token: token },
				deduplicate_blocks_in_dependent_materialized_views: 1,
			},
		});
	try {
		const settings = "SETTINGS non_replicated_deduplication_window = 100, fsync_after_insert = 1";
		for (const query of [
			`CREATE TABLE raw (day Date, v UInt64) ENGINE = MergeTree PARTITION BY day ORDER BY v ${settings}`,
			`CREATE TABLE \`odd \`\`name\` (day Date, n UInt64) ENGINE = SummingMergeTree ORDER BY day ${settings}`,
			"CREATE MATERIALIZED VIEW view TO `odd ``name` AS SELECT day, count() AS n FROM raw GROUP BY day",
			"SYSTEM STOP MERGES",
		]) {
			await client.command({ query });
		}
		await insert("whole");
		await insert("cut off");
		expect(await counts()).toEqual([20, 20]);
		await client.close();
		await engine.stop();

		// As a kill leaves it: the log knows the blocks, their parts have no name yet.
		const cut = [
			...partsOf(dataDir, "20260102_4_4_0"),
			...partsOf(dataDir, "all_2_2_0"),
			...partsOf(dataDir, "all_2_2_1"),
		];
		expect(cut.length).toBe(2);
		for (const part of cut) rmSync(part, { recursive: true });
		engine = await start();
		client = connect(engine);
		expect(await counts()).toEqual([15, 10]);
		for (const token of ["whole", "cut off", "cut off"]) await insert(token);
		expect(await counts()).toEqual([20, 20]);
	} finally {
		await client.close();
		await engine.stop();
		rmSync(dataDir, { recursive: true });
	}
});
