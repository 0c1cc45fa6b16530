/** Finds the rows that ClickHouse refuses, without storing anything: its neighbours are then stored in one insert. */
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { TABLES, type TableName } from "../../schema/tables.ts";
import { decodeBlock, filterBlock, rowRecord } from "../native/decode.ts";
import { classify, errorCode } from "./classify.ts";
import type { SizedBlock } from "./insert.ts";

/** A row that was refused, and why. */
export interface Refused {
	/** Place of the row among all rows of the insert, from 0. */
	readonly row: number;
	readonly project: string;
	readonly code: number;
	readonly reason: string;
	/** JSON of the row. */
	readonly record: string;
}

/** Tries blocks on a table like the one they are for, that keeps nothing and feeds no view. */
export type TryInsert = (blocks: readonly Buffer[]) => Promise<void>;

/**
 * Runs `work` with a table that has the columns and constraints of `table` and stores nothing. Trying on the table itself
 * would not do: when a view fails, the rows are in the table already, and halves of them would be stored again.
 */
export async function onTrialTable<T>(
	client: ClickHouse,
	table: TableName,
	work: (name: string) => Promise<T>,
): Promise<T> {
	const name = `${table}_trial`;
	await client.command({ query: `DROP TABLE IF EXISTS ${name}` });
	await client.command({ query: `CREATE TABLE ${name} AS ${table} ENGINE = Null` });
	try {
		return await work(name);
	} finally {
		await client.command({ query: `DROP TABLE IF EXISTS ${name}` });
	}
}

/** Halves what is refused until the refused rows stand alone. Throws what is not about rows. */
export function sift(table: TableName, blocks: readonly SizedBlock[], tryInsert: TryInsert): Promise<Refused[]> {
	return siftFrom(0, table, blocks, tryInsert);
}

async function siftFrom(
	first: number,
	table: TableName,
	blocks: readonly SizedBlock[],
	tryInsert: TryInsert,
): Promise<Refused[]> {
	const refusal = await refusalOf(blocks, tryInsert);
	if (!refusal) return [];
	if (blocks.length === 1 && blocks[0]!.rows === 1) return [refusedRow(first, blocks[0]!.block, refusal)];
	const parts = blocks.length === 1 ? halvesOf(table, blocks[0]!) : blocks;
	const middle = Math.ceil(parts.length / 2);
	const left = parts.slice(0, middle);
	const leftRows = left.reduce((sum, { rows }) => sum + rows, 0);
	return [
		...(await siftFrom(first, table, left, tryInsert)),
		...(await siftFrom(first + leftRows, table, parts.slice(middle), tryInsert)),
	];
}

function halvesOf(table: TableName, { rows, block }: SizedBlock): SizedBlock[] {
	const middle = Math.ceil(rows / 2);
	return [
		{ rows: middle, block: filterBlock(block, TABLES[table], (row) => row < middle) },
		{ rows: rows - middle, block: filterBlock(block, TABLES[table], (row) => row >= middle) },
	];
}

function refusedRow(row: number, block: Buffer, refusal: unknown): Refused {
	const decoded = decodeBlock(block);
	return {
		row,
		project: decoded.columns.get("project")![0] as string,
		code: errorCode(refusal),
		reason: (refusal as Error).message.slice(0, 4_096),
		record: JSON.stringify(rowRecord(decoded, 0)),
	};
}

/** The blocks without the refused rows. */
export function withoutRefused(
	table: TableName,
	blocks: readonly SizedBlock[],
	refused: readonly Refused[],
): SizedBlock[] {
	const rowsOut = new Set(refused.map(({ row }) => row));
	const kept: SizedBlock[] = [];
	let first = 0;
	for (const { rows, block } of blocks) {
		const from = first;
		const out = Array.from({ length: rows }, (_, row) => from + row).filter((row) => rowsOut.has(row)).length;
		if (out === 0) kept.push({ rows, block });
		else if (out < rows) {
			kept.push({ rows: rows - out, block: filterBlock(block, TABLES[table], (row) => !rowsOut.has(from + row)) });
		}
		first += rows;
	}
	return kept;
}

async function refusalOf(blocks: readonly SizedBlock[], tryInsert: TryInsert): Promise<unknown> {
	try {
		await tryInsert(blocks.map(({ block }) => block));
		return undefined;
	} catch (error) {
		if (classify(error) !== "row") throw error;
		return error;
	}
}
