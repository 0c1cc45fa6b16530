import { Readable } from "node:stream";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { TABLES, type TableName } from "../../schema/tables.ts";

/** Puts Native blocks into a table. A repeated token is a no-op in the table and in everything its views feed. */
export type InsertBlocks = (table: TableName, blocks: readonly Buffer[], token: string) => Promise<void>;

/**
 * Inserts through ClickHouse's HTTP interface; one call becomes one insert of at most a few blocks, so that parts are few and
 * big. `blocks` must be the same, in the same order, whenever a token is repeated.
 */
export function blockInserter(client: ClickHouse): InsertBlocks {
	return async (table, blocks, token) => {
		const columns = TABLES[table].map(([name]) => name).join(", ");
		const { stream } = await client.exec({
			query: `INSERT INTO ${table} (${columns}) FORMAT Native`,
			values: Readable.from(blocks, { objectMode: false }),
			clickhouse_settings: {
				insert_deduplicate: 1,
				insert_deduplication_token: token,
				deduplicate_blocks_in_dependent_materialized_views: 1,
				async_insert: 0,
				insert_distributed_sync: 1,
				// A segment is at most this many rows: one block, one part per partition, one entry in the deduplication log.
				min_insert_block_size_rows: "1048576",
				min_insert_block_size_bytes: "268435456",
				// A backfill over the whole retention touches a partition a day; timestamps are bounded by it.
				max_partitions_per_insert_block: "0",
			},
		});
		// The exception, if any, is known when the answer ended.
		for await (const _ of stream);
	};
}
