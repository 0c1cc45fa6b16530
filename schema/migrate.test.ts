import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestEngine, type TestEngine } from "../engine/testing.ts";
import { type ClickHouse, connectClickHouse } from "./clickhouse.ts";
import { LADDER } from "./granularity.ts";
import { MigrationError, migrate, migrations } from "./migrate.ts";
import { type RenderOptions, render } from "./render.ts";
import { DEFAULT_RETENTION, retentionDays } from "./retention.ts";
import { TABLES } from "./tables.ts";
import { applyRetention } from "./ttl.ts";

let engine: TestEngine;
let client: ClickHouse;
beforeAll(async () => {
	engine = await startTestEngine();
	client = connectClickHouse({ url: engine.url, password: engine.password, database: "default" });
});
afterAll(async () => {
	await client.close();
	await engine.remove();
});

const single: RenderOptions = { database: "tidemark", days: retentionDays(DEFAULT_RETENTION) };
const cluster: RenderOptions = { ...single, cluster: "main" };

async function rows<Row>(query: string, query_params: Record<string, unknown> = {}): Promise<Row[]> {
	return await (await client.query({ query, query_params, format: "JSONEachRow" })).json<Row>();
}

describe("migrations", () => {
	it("make every table that ingest writes, with the columns it names, and every tier of the ladder", async () => {
		const ran = await migrate(client, { database: "once", retention: DEFAULT_RETENTION });
		expect(ran).toEqual(migrations().map(({ name }) => name));
		const columns = await rows<{ table: string; name: string }>(
			"SELECT table, name FROM system.columns WHERE database = 'once'",
		);
		const known = new Set(columns.map(({ table, name }) => `${table}.${name}`));
		for (const [table, names] of Object.entries(TABLES)) {
			for (const [name] of names) expect(known).toContain(`${table}.${name}`);
		}
		for (const { rollup, sketch } of LADDER) {
			expect(known).toContain(`${rollup}.last`);
			expect(known).toContain(`${sketch}.quantiles`);
		}
	});

	it("run twice change nothing", async () => {
		await migrate(client, { database: "twice", retention: DEFAULT_RETENTION });
		const tables = () =>
			rows("SELECT name, create_table_query FROM system.tables WHERE database = 'twice' ORDER BY name");
		const before = await tables();
		expect(await migrate(client, { database: "twice", retention: DEFAULT_RETENTION })).toEqual([]);
		expect(await tables()).toEqual(before);
	});

	it("run two at once give the same as one alone", async () => {
		await Promise.all([1, 2, 3].map(() => migrate(client, { database: "at_once", retention: DEFAULT_RETENTION })));
		const names = (database: string) =>
			rows("SELECT name FROM system.tables WHERE database = {database:String} ORDER BY name", { database });
		expect(await names("at_once")).toEqual(await names("once"));
		const recorded = "SELECT count(DISTINCT version) AS n FROM at_once.schema_migrations";
		expect(Number((await rows<{ n: string }>(recorded))[0]!.n)).toBe(migrations().length);
	});

	it("make views anew instead of modifying their queries, whose deduplication tokens a restart would change", () => {
		const modify = migrations().filter(({ text }) => text.includes("MODIFY QUERY"));
		// Made anew by 0080.
		expect(modify.map(({ version }) => version)).toEqual([66]);
	});

	it("bring the tables to a retention that changed, and touch none that did not", async () => {
		const retention = { ...DEFAULT_RETENTION, logs_days: 7 };
		const days = async () =>
			Object.fromEntries(
				(
					await rows<{ name: string; days: string }>(
						"SELECT name, extract(create_table_query, 'TTL .*toIntervalDay\\((\\d+)\\)') AS days FROM system.tables WHERE database = 'kept' AND name IN ('logs', 'points', 'events')",
					)
				).map((row) => [row.name, row.days]),
			);
		await migrate(client, { database: "kept", retention: DEFAULT_RETENTION });
		expect(await days()).toEqual({ logs: "90", points: "90", events: "400" });
		const templates = migrations().map(({ text }) => text);
		const options = { database: "kept", days: retentionDays(DEFAULT_RETENTION) };
		expect(await applyRetention(client, templates, options)).toEqual([]);
		await migrate(client, { database: "kept", retention });
		expect(await days()).toEqual({ logs: "7", points: "90", events: "400" });
	});

	it("refuse a database in which one of them was another, or which is newer", async () => {
		await migrate(client, { database: "other", retention: DEFAULT_RETENTION });
		const put = (version: number, name: string) =>
			client.insert({
				table: "other.schema_migrations",
				values: [{ version, name, checksum: "x" }],
				columns: ["version", "name", "checksum"],
				format: "JSONEachRow",
			});
		await put(9_999, "from_the_future");
		const again = () => migrate(client, { database: "other", retention: DEFAULT_RETENTION });
		await expect(again()).rejects.toThrow(MigrationError);
		await expect(again()).rejects.toThrow("from_the_future");
		await client.command({ query: "TRUNCATE TABLE other.schema_migrations" });
		await put(1, "series");
		await expect(again()).rejects.toThrow("migration 1 (series) was changed");
	});
});

describe("granules", () => {
	const line = (i: number) => ({ project: "p", ts: Date.UTC(2026, 0, 1 + (i % 3)), id: i, message: `line ${i}` });
	const put = (table: string, from: number, to: number) =>
		client.insert({
			table,
			values: Array.from({ length: to - from }, (_, i) => line(from + i)),
			columns: ["project", "ts", "id", "message"],
			format: "JSONEachRow",
		});
	const granularity = async (table: string) =>
		Number(
			(
				await rows<{ n: string }>(
					"SELECT extract(create_table_query, 'index_granularity = (\\d+)') AS n FROM system.tables WHERE database = 'granules' AND name = {table:String}",
					{ table },
				)
			)[0]?.n,
		);
	const lines = async () =>
		(await rows<{ id: string }>("SELECT id FROM granules.logs ORDER BY id")).map(({ id }) => Number(id));
	const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);
	const counted = async () =>
		Number((await rows<{ n: string }>("SELECT sum(n) AS n FROM granules.log_counts_1m"))[0]!.n);

	/** As releases left it whose lines had ClickHouse's granules. */
	async function coarsen() {
		const [found] = await rows<{ definition: string }>(
			"SELECT create_table_query AS definition FROM system.tables WHERE database = 'granules' AND name = 'logs'",
		);
		const coarse = found!.definition.replace("index_granularity = 2048", "index_granularity = 8192");
		await client.command({ query: `CREATE TABLE granules.coarse ${coarse.slice(coarse.indexOf("("))}` });
		await client.command({ query: "EXCHANGE TABLES granules.coarse AND granules.logs" });
		for (const query of [1, 2, 3].map(
			(day) => `ALTER TABLE granules.coarse MOVE PARTITION '2026-01-0${day}' TO TABLE granules.logs`,
		))
			await client.command({ query });
		await client.command({ query: "DROP TABLE IF EMPTY granules.coarse" });
	}
	const again = () => migrate(client, { database: "granules", retention: { ...DEFAULT_RETENTION, logs_days: 10_000 } });

	it("are made fine with every line in its place, views that go on counting, and nothing done twice", async () => {
		await again();
		expect([await granularity("logs"), await granularity("sketch_total_1h")]).toEqual([2_048, 64]);
		await put("granules.logs", 0, 30);
		await coarsen();
		expect([await granularity("logs"), await lines()]).toEqual([8_192, upTo(30)]);
		await again();
		expect([await granularity("logs"), await lines()]).toEqual([2_048, upTo(30)]);
		await put("granules.logs", 30, 60);
		await again();
		expect([await lines(), await counted()]).toEqual([upTo(60), 60]);
		expect(await granularity("logs_outgoing")).toBeNaN();
	});

	it("are made fine by several processes at once, and by one that was broken off, without a line lost or doubled", async () => {
		await coarsen();
		await Promise.all([again(), again(), again()]);
		expect([await granularity("logs_outgoing"), await lines()]).toEqual([Number.NaN, upTo(60)]);
		// Two may have had the tables change places twice.
		if ((await granularity("logs")) !== 8_192) await coarsen();
		// Ended when the tables had changed places, and an insert that had begun before came to the table that it had found.
		const [found] = await rows<{ definition: string }>(
			"SELECT create_table_query AS definition FROM system.tables WHERE database = 'granules' AND name = 'logs'",
		);
		const finer = found!.definition.replace("index_granularity = 8192", "index_granularity = 2048");
		await client.command({ query: `CREATE TABLE granules.logs_outgoing ${finer.slice(finer.indexOf("("))}` });
		await client.command({ query: "EXCHANGE TABLES granules.logs_outgoing AND granules.logs" });
		await put("granules.logs_outgoing", 60, 63);
		await put("granules.logs", 63, 66);
		await again();
		expect([await granularity("logs"), await lines()]).toEqual([2_048, upTo(66)]);
		expect(await granularity("logs_outgoing")).toBeNaN();
	});
});

describe("rendering", () => {
	const statements = (options: RenderOptions) => migrations().flatMap(({ text }) => render(text, options));

	it.each([
		["a single server", single],
		["a cluster", cluster],
	])("for %s is SQL that the engine parses, without placeholders left", async (_, options) => {
		for (const statement of statements(options)) {
			expect(statement).not.toMatch(/\{\{|\}\}/);
			const [parsed] = await rows<{ ok: string }>("SELECT formatQuery({statement:String}) AS ok", { statement });
			expect(parsed!.ok).toMatch(/^(CREATE|ALTER|TRUNCATE|INSERT|DROP VIEW) /);
		}
	});

	it("for a cluster replicates every table and distributes every one that is not held whole by each node", () => {
		const all = statements(cluster);
		// Rows are put in through the distributed table, which has no clause for it.
		const ddl = all.filter((statement) => !statement.includes("INSERT INTO"));
		expect(ddl.every((statement) => statement.includes("ON CLUSTER `main`"))).toBe(true);
		const local = all.flatMap(
			(statement) => /CREATE TABLE IF NOT EXISTS `tidemark`\.(\w+)_local/.exec(statement)?.[1] ?? [],
		);
		const distributed = all.flatMap(
			(statement) => /`tidemark`\.(\w+) ON CLUSTER .* ENGINE = Distributed/.exec(statement)?.[1] ?? [],
		);
		expect(distributed).toEqual(local);
		const tables = all.filter((statement) => statement.includes("MergeTree"));
		expect(tables.every((statement) => statement.includes("ENGINE = Replicated"))).toBe(true);
		// Views read and fill the tables of their own node: rows must not cross shards twice.
		const views = all.filter((statement) => statement.startsWith("CREATE MATERIALIZED VIEW"));
		expect(
			views.every((view) => /TO `tidemark`\.\w+_local/.test(view) && /FROM `tidemark`\.\w+_local/.test(view)),
		).toBe(true);
	});

	it("keeps a tier at least as long as the raw points", () => {
		const days = retentionDays({ ...DEFAULT_RETENTION, metrics_days: 1_000 });
		expect([days.rollup_1m, days.rollup_1h, days.rollup_1d]).toEqual([1_000, 1_000, 1_826]);
	});

	it("knows its placeholders", () => {
		expect(() => render("{{nothing}}", single)).toThrow("unknown placeholder");
		expect(() => render("{{days:nothing}}", single)).toThrow("unknown retention");
	});
});
