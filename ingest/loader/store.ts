import type { ClickHouse } from "../../schema/clickhouse.ts";
import { TABLES, type TableName } from "../../schema/tables.ts";
import { readNote, writeNote } from "../journal/notes.ts";
import { encodeRows } from "../native/decode.ts";
import { classify } from "./classify.ts";
import { blockInserter, type InsertBlocks, insertsOf, type SizedBlock } from "./insert.ts";
import { onTrialTable, type Refused, sift, withoutRefused } from "./sift.ts";

export interface StoreOptions {
	readonly clickhouse: ClickHouse;
	/** Repeats its work until it succeeds; throws only what is about a row, or when it is told to stop. */
	readonly retrying: <T>(work: () => Promise<T>) => Promise<T>;
	/** Milliseconds since the epoch. */
	readonly clock: () => number;
}

/** What of a segment goes into one table. */
export interface Part {
	readonly table: TableName;
	/** Names the part in its segment: part of the token. */
	readonly name: string;
	readonly blocks: readonly SizedBlock[];
}

/** The table took the rows and something behind it did not: no row is to blame. */
export class ViewError extends Error {
	override readonly name = "ViewError";
}

/** Stores parts of segments, each once however often it is tried, and quarantines rows that ClickHouse refuses. */
export class Store {
	readonly #options: StoreOptions;
	readonly #insert: InsertBlocks;

	constructor(options: StoreOptions) {
		this.#options = options;
		const insert = blockInserter(options.clickhouse);
		this.#insert = (...args) => options.retrying(() => insert(...args));
	}

	/**
	 * @param segment its id
	 * @param notes path of the notes beside the segment, without the last part
	 * @returns rows quarantined
	 */
	async store(segment: string, notes: string, { table, name, blocks }: Part): Promise<number> {
		let quarantined = 0;
		for (const [i, insert] of insertsOf(blocks).entries()) {
			const token = `${segment}/${name}/${i}`;
			quarantined += await this.#storeInsert(segment, token, `${notes}.${name}.${i}.refused`, table, insert);
		}
		return quarantined;
	}

	async #storeInsert(
		segment: string,
		token: string,
		notePath: string,
		table: TableName,
		blocks: readonly SizedBlock[],
	): Promise<number> {
		const note = await readNote(notePath);
		let refused: readonly Refused[];
		if (note !== undefined) refused = JSON.parse(note);
		else {
			try {
				await this.#insert(table, bytesOf(blocks), token);
				return 0;
			} catch (error) {
				if (classify(error) !== "row") throw error;
				refused = await this.#sift(table, blocks);
				if (refused.length === 0)
					throw new ViewError(`a view of ${table} fails: ${(error as Error).message}`, { cause: error });
			}
			// Noted before anything is stored under this token: a replay must leave out the same rows.
			await writeNote(notePath, JSON.stringify(refused));
		}
		const received = this.#options.clock();
		const rows = refused.map(({ project, code, reason, record }) => [
			project,
			received,
			table,
			segment,
			code,
			reason,
			record,
		]);
		await this.#insert("quarantine", [encodeRows(TABLES.quarantine, rows)], `${token}/quarantine`);
		const kept = withoutRefused(table, blocks, refused);
		if (kept.length > 0) await this.#insert(table, bytesOf(kept), token);
		return refused.length;
	}

	#sift(table: TableName, blocks: readonly SizedBlock[]): Promise<Refused[]> {
		const { clickhouse, retrying } = this.#options;
		return onTrialTable(clickhouse, table, (name) => {
			const insert = blockInserter(clickhouse, () => name);
			return sift(table, blocks, (bytes) => retrying(() => insert(table, bytes, "")));
		});
	}
}

function bytesOf(blocks: readonly SizedBlock[]): Buffer[] {
	return blocks.map(({ block }) => block);
}
