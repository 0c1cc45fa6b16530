/** Finds the rows that ClickHouse refuses and quarantines them alone; their neighbours are stored. */
import { existsSync } from "node:fs";
import { TABLES, type TableName } from "../../schema/tables.ts";
import { writeNote } from "../journal/notes.ts";
import { type Cell, decodeBlock, encodeRows, rowRecord } from "../native/decode.ts";
import { classify, errorCode } from "./classify.ts";
import type { InsertBlocks } from "./insert.ts";

export interface SplitOptions {
	/** Throws only what is about a row, or when it is told to stop. */
	readonly insert: InsertBlocks;
	/** Name of the segment, in the quarantine. */
	readonly segment: string;
	/**
	 * A file that says this segment's rows of this table are being split. The parts have tokens of their own, so once one of
	 * them may be stored the whole must never be tried again, not even after a crash.
	 */
	readonly markerPath: string;
	readonly clock: () => number;
}

/** Inserts blocks whole, or, when a row is refused, in halves down to that row. @returns rows quarantined */
export async function insertOrQuarantine(
	table: TableName,
	blocks: readonly Buffer[],
	token: string,
	options: SplitOptions,
): Promise<number> {
	if (blocks.length === 0) return 0;
	if (!existsSync(options.markerPath)) {
		try {
			await options.insert(table, blocks, token);
			return 0;
		} catch (error) {
			if (classify(error) !== "row") throw error;
			await writeNote(options.markerPath, "");
		}
	}
	return splitBlocks(table, blocks, `${token}/b0`, options);
}

async function splitBlocks(
	table: TableName,
	blocks: readonly Buffer[],
	token: string,
	options: SplitOptions,
): Promise<number> {
	try {
		await options.insert(table, blocks, token);
		return 0;
	} catch (error) {
		if (classify(error) !== "row") throw error;
		if (blocks.length === 1) return splitRows(table, blocks[0]!, `${token}/r0`, options, error);
		const middle = Math.ceil(blocks.length / 2);
		return (
			(await splitBlocks(table, blocks.slice(0, middle), `${token}/0`, options)) +
			(await splitBlocks(table, blocks.slice(middle), `${token}/1`, options))
		);
	}
}

async function splitRows(
	table: TableName,
	bytes: Buffer,
	token: string,
	options: SplitOptions,
	refusal: unknown,
): Promise<number> {
	const block = decodeBlock(bytes);
	if (block.rows === 1) {
		const project = block.columns.get("project")![0]!;
		const reason = (refusal as Error).message.slice(0, 4_096);
		const row: Cell[] = [
			...[project, options.clock(), table, options.segment, errorCode(refusal), reason],
			JSON.stringify(rowRecord(block, 0)),
		];
		await options.insert("quarantine", [encodeRows(TABLES.quarantine, [row])], `${token}/quarantine`);
		return 1;
	}
	const columns = TABLES[table];
	const rows = Array.from({ length: block.rows }, (_, row) => columns.map(([name]) => block.columns.get(name)![row]!));
	const middle = Math.ceil(rows.length / 2);
	let quarantined = 0;
	for (const [half, part] of [rows.slice(0, middle), rows.slice(middle)].entries()) {
		const encoded = encodeRows(columns, part);
		const partToken = `${token}/${half}`;
		try {
			await options.insert(table, [encoded], partToken);
		} catch (error) {
			if (classify(error) !== "row") throw error;
			quarantined += await splitRows(table, encoded, partToken, options, error);
		}
	}
	return quarantined;
}
