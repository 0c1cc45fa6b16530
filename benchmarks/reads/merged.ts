import type { Server } from "../server.ts";

/**
 * Brings about what ClickHouse does by itself in time: of a day or month that is over, and of tables that are to be merged at any age,
 * one part is left. Who has sent for sixty days has sixty such days; a benchmark that fills them in a minute has them only by asking.
 * @param as_of what is over is over by then, milliseconds since the epoch
 */
export async function mergeFinished(server: Server, as_of: number): Promise<void> {
	const day = new Date(as_of).toISOString().slice(0, 10).replaceAll("-", "");
	const parts = await server.rows<{ table: string; partition_id: string }>(
		`SELECT table, partition_id FROM system.parts
		WHERE active AND database = currentDatabase() AND (
			match(partition_id, '^\\\\d{8}$') AND partition_id < '${day}'
			OR match(partition_id, '^\\\\d{6}$') AND partition_id < '${day.slice(0, 6)}'
			OR table IN (
				SELECT name FROM system.tables
				WHERE database = currentDatabase() AND create_table_query LIKE '%min_age_to_force_merge_seconds%'))
		GROUP BY table, partition_id HAVING count() > 1`,
	);
	for (const { table, partition_id } of parts)
		await server.sql(`OPTIMIZE TABLE ${table} PARTITION ID '${partition_id}' FINAL`);
}
