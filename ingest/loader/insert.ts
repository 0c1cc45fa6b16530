import { Readable } from "node:stream";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { TABLES, type TableName } from "../../schema/tables.ts";

/** Puts Native blocks into a table. A repeated token is a no-op in the table and in everything its views feed. */
export type InsertBlocks = (table: TableName, blocks: readonly Buffer[], token: string) => Promise<void>;

/** Rows of one insert. Within it ClickHouse makes one block of them: either all are refused, or none. */
export const INSERT_ROWS = 1_048_576;

/** A block and its rows. */
export interface SizedBlock {
	readonly rows: number;
	readonly block: Buffer;
}

/** Cuts blocks into inserts of at most {@link INSERT_ROWS} rows; the same blocks are always cut in the same places. */
export function insertsOf(blocks: readonly SizedBlock[]): SizedBlock[][] {
	const inserts: SizedBlock[][] = [];
	let room = 0;
	for (const block of blocks) {
		if (block.rows > room || inserts.length === 0) {
			inserts.push([]);
			room = INSERT_ROWS;
		}
		inserts.at(-1)!.push(block);
		room -= block.rows;
	}
	return inserts;
}

/**
 * Inserts through ClickHouse's HTTP interface; one call becomes one insert of at most a few blocks, so that parts are few and
 * big. `blocks` must be the same, in the same order, whenever a token is repeated.
 * @param into the table to insert into in the place of another
 */
export function blockInserter(client: ClickHouse, into: (table: TableName) => string = (table) => table): InsertBlocks {
	return async (table, blocks, token) => {
		const columns = TABLES[table].map(([name]) => name).join(", ");
		const { stream } = await client.exec({
			query: `INSERT INTO ${into(table)} (${columns}) FORMAT Native`,
			values: Readable.from(blocks, { objectMode: false }),
			clickhouse_settings: {
				insert_deduplicate: 1,
				insert_deduplication_token: token,
				deduplicate_blocks_in_dependent_materialized_views: 1,
				async_insert: 0,
				insert_distributed_sync: 1,
				// One block: one part per partition, one entry in the deduplication log, and a bad row refuses all or none.
				min_insert_block_size_rows: String(INSERT_ROWS),
				min_insert_block_size_bytes: "0",
				// A backfill over the whole retention touches a partition a day; timestamps are bounded by it.
				max_partitions_per_insert_block: "0",
			},
		});
		// The exception, if any, is known when the answer ended.
		for await (const _ of stream);
	};
}
