import { setTimeout as sleep } from "node:timers/promises";
import type { ClickHouse } from "./clickhouse.ts";

/**
 * Lines that are read where one is looked for. A search finds a few lines of an incident, a thousandth of a day; of ClickHouse's 8,192
 * lines a granule it reads four times as many, and half as many would cost searches without an index more than they save.
 */
const LINES = 2_048;
const POLL_MS = 50;
const MAX_ATTEMPTS = 5;
const MAX_POLLS = 1_200;

/**
 * Gives the table of logs its granules, which cannot be altered: a table with finer ones takes its place, and its rows move there, a day at
 * a time and without being copied. What is there keeps its granules until it is merged.
 *
 * Goes by what it finds, not by what was done before: broken off anywhere, or by several processes at once, no line is lost, and the next
 * start brings the rest. On a cluster, where replicas would have to agree on it, it must not be called.
 */
export async function refineLogs(client: ClickHouse, database: string): Promise<void> {
	for (let attempt = 1; ; attempt++) {
		try {
			return await refine(client, database);
		} catch (error) {
			// Of two processes at once one finds a table or a part gone that the other has taken care of.
			if (attempt === MAX_ATTEMPTS) throw error;
			await sleep(attempt * POLL_MS);
		}
	}
}

async function refine(client: ClickHouse, database: string): Promise<void> {
	const quoted = `\`${database.replace(/[`\\]/g, "\\$&")}\``;
	const [logs, outgoing] = [`${quoted}.logs`, `${quoted}.logs_outgoing`];
	const rows = async <T>(query: string, params: Record<string, unknown> = {}): Promise<T[]> => {
		const result = await client.query({ query, query_params: { database, ...params }, format: "JSONEachRow" });
		return await result.json<T>();
	};
	const run = (query: string) => client.command({ query });

	const found = await rows<{ name: string; definition: string }>(
		`SELECT name, create_table_query AS definition FROM system.tables
		WHERE database = {database:String} AND name IN ('logs', 'logs_outgoing') AND engine = 'MergeTree'
			AND database IN (SELECT name FROM system.databases WHERE engine = 'Atomic')`,
	);
	const definition = found.find(({ name }) => name === "logs")?.definition ?? "";
	const finer = definition.replace(/\bindex_granularity = 8192\b/, `index_granularity = ${LINES}`);
	if (finer !== definition) {
		await run(`CREATE TABLE IF NOT EXISTS ${outgoing} ${finer.slice(finer.indexOf("("))}`);
		await run(`EXCHANGE TABLES ${logs} AND ${outgoing}`);
	} else if (!found.some(({ name }) => name === "logs_outgoing")) return;

	const move = async () => {
		const days = await rows<{ id: string }>(
			`SELECT DISTINCT partition_id AS id FROM system.parts
			WHERE database = {database:String} AND table = 'logs_outgoing' AND active ORDER BY id DESC`,
		);
		for (const { id } of days) await run(`ALTER TABLE ${outgoing} MOVE PARTITION ID '${id}' TO TABLE ${logs}`);
	};
	const started = performance.now();
	const areInserting = async () => {
		const seconds = (performance.now() - started) / 1_000;
		const query =
			"SELECT 1 FROM system.processes WHERE query_kind IN ('Insert', 'AsyncInsertFlush') AND elapsed > {seconds:Float64} LIMIT 1";
		return (await rows(query, { seconds })).length > 0;
	};
	await move();
	// An insert that had begun goes to the table that it found, wherever that stands now.
	for (let polls = 0; await areInserting(); polls++) {
		if (polls === MAX_POLLS) return;
		await sleep(POLL_MS);
	}
	await move();
	await run(`DROP TABLE IF EXISTS IF EMPTY ${outgoing}`);
}
