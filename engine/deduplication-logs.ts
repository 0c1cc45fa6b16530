/**
 * MergeTree notes the id of an insert's block in its deduplication log, and only then gives the part its name. Killed between
 * the two, it takes the repeated insert for a duplicate of rows that it does not have. So at every start the newest entries
 * are held against the parts that are there, and an entry without a part is taken back. (A ReplicatedMergeTree commits both in
 * one transaction of Keeper.)
 */
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Entry {
	readonly part: string;
	readonly blockId: string;
}

export interface LostEntries {
	readonly table: string;
	/** The newest log of the table. */
	readonly log: string;
	readonly entries: readonly Entry[];
}

/** Only what was being inserted when the engine died can be without a part: the last entries, one a partition. */
const NEWEST = 1_000;
const ADDED = "1";
const DROPPED = "2";
const PART = /^(?<partition>.+)_(?<min>\d+)_(?<max>\d+)_\d+(?:_\d+)?$/;

/** Finds entries without a part. @param tables names, as SQL writes them, and folders */
export function findLost(tables: readonly { name: string; folder: string }[]): LostEntries[] {
	const found: LostEntries[] = [];
	for (const { name, folder } of tables) {
		const logs = namesIn(join(folder, "deduplication_logs"))
			.filter((file) => /^deduplication_log_\d+\.txt$/.test(file))
			.sort((a, b) => Number(/\d+/.exec(a)![0]) - Number(/\d+/.exec(b)![0]))
			.map((file) => join(folder, "deduplication_logs", file));
		if (logs.length === 0) continue;
		const known = new Map<string, Entry>();
		for (const log of logs.slice(-2)) {
			for (const line of readFileSync(log, "utf8").split("\n")) {
				const [operation, part, blockId] = line.split("\t");
				if (part === undefined || blockId === undefined) continue;
				if (operation === ADDED) known.set(blockId, { part, blockId });
				else known.delete(blockId);
			}
		}
		const parts = namesIn(folder).flatMap((file) => rangeOf(file) ?? []);
		const entries = [...known.values()].slice(-NEWEST).filter(({ part }) => {
			const range = rangeOf(part);
			return range !== undefined && !parts.some((other) => covers(other, range));
		});
		if (entries.length > 0) found.push({ table: name, log: logs.at(-1)!, entries });
	}
	return found;
}

/** Takes the entries back. The table must be detached: it reads its log when it is attached. */
export function takeBack({ log, entries }: LostEntries): void {
	appendFileSync(log, entries.map(({ part, blockId }) => `${DROPPED}\t${part}\t${blockId}\n`).join(""), {
		flush: true,
	});
}

interface Range {
	readonly partition: string;
	readonly min: number;
	readonly max: number;
}

function rangeOf(part: string): Range | undefined {
	const { partition, min, max } = PART.exec(part)?.groups ?? {};
	if (partition === undefined || partition.startsWith("tmp") || partition.startsWith("delete_tmp")) return undefined;
	return { partition, min: Number(min), max: Number(max) };
}

function covers(part: Range, { partition, min, max }: Range): boolean {
	return part.partition === partition && part.min <= min && part.max >= max;
}

function namesIn(folder: string): string[] {
	try {
		return readdirSync(folder);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
		throw error;
	}
}
