/** Rows that ClickHouse reads at once of some tables: where one is looked for, so many are read. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ClickHouse } from "./clickhouse.ts";
import { render } from "./render.ts";

const GRANULES: Readonly<Record<string, number>> = {
	// A search finds a few lines of an incident, a thousandth of a day: of 8,192 it reads four times as many. With half as many,
	// searches without an index become slower by more than is saved.
	logs: 2_048,
	// A day has 24 rows, and each that is read has a sketch to be unpacked: of 256, as long as the rest of the question takes.
	sketch_total_1h: 64,
};
const MAX_ATTEMPTS = 20;
const POLL_MS = 50;
const MAX_POLLS = 1_200;

/**
 * Gives tables their granules, which cannot be altered: one with finer ones takes the table's place, and its rows move there, a partition at
 * a time and without being copied. What is there keeps its granules until it is merged.
 *
 * Goes by what it finds, not by what was done before: broken off anywhere, or by several processes at once, no row is lost, and the next
 * start brings the rest. On a cluster, where replicas would have to agree on it, it must not be called.
 */
export async function refineGranules(client: ClickHouse, database: string): Promise<void> {
	for (let attempt = 1; ; attempt++) {
		try {
			// Until nothing is left to do: another process may have begun what this one has just ended.
			if (!(await refine(client, database)) || attempt >= MAX_ATTEMPTS) return;
		} catch (error) {
			// Of two at once one finds a table or a part gone that the other has taken care of.
			if (attempt >= MAX_ATTEMPTS) throw error;
			await sleep(POLL_MS * (1 + Math.random() * attempt));
		}
	}
}

/** @returns whether there was anything to do */
async function refine(client: ClickHouse, database: string): Promise<boolean> {
	const result = await client.query({
		query: `SELECT name, create_table_query AS definition FROM system.tables
			WHERE database = {database:String} AND has({names:Array(String)}, name) AND engine IN ('MergeTree', 'AggregatingMergeTree')
				AND database IN (SELECT name FROM system.databases WHERE engine = 'Atomic')`,
		query_params: { database, names: Object.keys(GRANULES).flatMap((table) => [table, outgoingOf(table)]) },
		format: "JSONEachRow",
	});
	const found = await result.json<{ name: string; definition: string }>();
	const definitions = new Map(found.map(({ name, definition }) => [name, definition]));
	let acted = false;
	for (const [table, granule] of Object.entries(GRANULES)) {
		const definition = definitions.get(table) ?? "";
		const finer = definition.replace(/\bindex_granularity = \d+/, `index_granularity = ${granule}`);
		if (finer !== definition) await exchange(client, database, table, finer);
		else if (!definitions.has(outgoingOf(table))) continue;
		await bringBack(client, database, table);
		acted = true;
	}
	return acted;
}

const outgoingOf = (table: string) => `${table}_outgoing`;

function quoted(database: string, table: string): string {
	return render(`{{local:${table}}}`, { database, days: {} })[0]!;
}

/** From then on rows go to the finer table; those that were there stand in the outgoing one. */
async function exchange(client: ClickHouse, database: string, table: string, definition: string): Promise<void> {
	const [own, outgoing] = [quoted(database, table), quoted(database, outgoingOf(table))];
	const columns = definition.slice(definition.indexOf("("));
	await client.command({ query: `CREATE TABLE IF NOT EXISTS ${outgoing} ${columns}` });
	await client.command({ query: `EXCHANGE TABLES ${own} AND ${outgoing}` });
}

async function bringBack(client: ClickHouse, database: string, table: string): Promise<void> {
	const [own, outgoing] = [quoted(database, table), quoted(database, outgoingOf(table))];
	const rows = async <T>(query: string, query_params: Record<string, unknown>): Promise<T[]> =>
		(await client.query({ query, query_params, format: "JSONEachRow" })).json<T>();
	const move = async () => {
		const partitions = await rows<{ id: string }>(
			`SELECT DISTINCT partition_id AS id FROM system.parts
			WHERE database = {database:String} AND table = {table:String} AND active ORDER BY id DESC`,
			{ database, table: outgoingOf(table) },
		);
		for (const { id } of partitions)
			await client.command({ query: `ALTER TABLE ${outgoing} MOVE PARTITION ID '${id}' TO TABLE ${own}` });
	};
	const started = performance.now();
	const areInserting = async () => {
		const seconds = (performance.now() - started) / 1_000;
		const inserts = "query_kind IN ('Insert', 'AsyncInsertFlush') AND elapsed > {seconds:Float64}";
		return (await rows(`SELECT 1 FROM system.processes WHERE ${inserts} LIMIT 1`, { seconds })).length > 0;
	};
	await move();
	// An insert that had begun goes to the table that it found, wherever that stands now.
	for (let polls = 0; await areInserting(); polls++) {
		if (polls === MAX_POLLS) return;
		await sleep(POLL_MS);
	}
	await move();
	await client.command({ query: `DROP TABLE IF EXISTS IF EMPTY ${outgoing}` });
}
