import type { ClickHouse } from "./clickhouse.ts";
import { type RenderOptions, render } from "./render.ts";

const CREATE = /CREATE TABLE IF NOT EXISTS (\{\{(?:local|everywhere):\w+\}\})/;
const TTL = /^TTL (.*\{\{days:\w+\}\}.*)$/m;

/** A table whose rows age: each is kept until `from` plus days, by the name of a retention. */
export interface AgingTable {
	readonly table: string;
	/** SQL of an instant. */
	readonly from: string;
	readonly days: string;
}

/** @param templates of all migrations */
export function agingTables(templates: readonly string[]): AgingTable[] {
	return templates.flatMap((template) => {
		const table = /CREATE TABLE IF NOT EXISTS \{\{(?:local|everywhere):(\w+)\}\}/.exec(template)?.[1];
		const [, from, days] = /^TTL (.*) \+ toIntervalDay\(\{\{days:(\w+)\}\}\)$/m.exec(template) ?? [];
		return table && from && days ? [{ table, from, days }] : [];
	});
}

/**
 * Brings the tables to the retention of the settings, which may have changed since they were made.
 * @param templates of all migrations
 * @returns the tables that were changed
 */
export async function applyRetention(
	client: ClickHouse,
	templates: readonly string[],
	options: RenderOptions,
): Promise<string[]> {
	const changed: string[] = [];
	const result = await client.query({
		query: "SELECT name, create_table_query AS definition FROM system.tables WHERE database = {database:String}",
		query_params: { database: options.database },
		format: "JSONEachRow",
	});
	const definitions = new Map(
		(await result.json<{ name: string; definition: string }>()).map(({ name, definition }) => [name, definition]),
	);
	for (const template of templates) {
		const table = CREATE.exec(template)?.[1];
		const ttl = TTL.exec(template)?.[1];
		if (!table || !ttl) continue;
		const [name, wanted] = [render(table, options)[0]!, render(ttl, options)[0]!];
		if (definitions.get(name.split(".").at(-1)!)?.includes(`TTL ${wanted} `)) continue;
		await client.command({ query: render(`ALTER TABLE ${table} {{on_cluster}} MODIFY TTL ${ttl}`, options)[0]! });
		changed.push(name);
	}
	return changed;
}
