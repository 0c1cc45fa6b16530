/** An event_id counts once in 7 days: leaves out events whose id is stored, or stands twice in the segment. */
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { TABLES } from "../../schema/tables.ts";
import { decodeBlock, filterBlock } from "../native/decode.ts";
import type { SizedBlock } from "./insert.ts";

const ID_COLUMNS = new Set(["project", "event_id"]);
/** A server takes no form field over 128 KiB by default; escaping may double an id. */
const PARAMETER_BYTES = 32_768;
const PARAMETERS_PER_QUERY = 16;
const SEPARATOR = "\0";

/** An id in its project, as one text. */
export function idKey(project: string, id: string): string {
	return project + SEPARATOR + id;
}

function splitKey(key: string): [project: string, id: string] {
	const at = key.indexOf(SEPARATOR);
	return [key.slice(0, at), key.slice(at + 1)];
}

/** Which of these ids the project stored in the last 7 days. */
export type KnownIds = (project: string, ids: readonly string[]) => Promise<readonly string[]>;

export function knownIds(client: ClickHouse): KnownIds {
	return async (project, ids) => {
		const known: string[] = [];
		const chunks = chunksOf(ids);
		for (let from = 0; from < chunks.length; from += PARAMETERS_PER_QUERY) {
			const asked = chunks.slice(from, from + PARAMETERS_PER_QUERY);
			const lists = asked.map((_, i) => `{ids_${i}:Array(String)}`).join(", ");
			const result = await client.query({
				query: `SELECT DISTINCT event_id FROM event_ids
					WHERE project = {project:String} AND event_id IN arrayConcat(${lists}) AND received > now() - INTERVAL 7 DAY`,
				query_params: { project, ...Object.fromEntries(asked.map((chunk, i) => [`ids_${i}`, chunk])) },
				format: "JSONCompactEachRow",
				use_multipart_params: true,
			});
			for (const [id] of await result.json<[string]>()) known.push(id);
		}
		return known;
	};
}

function chunksOf(ids: readonly string[]): string[][] {
	const chunks: string[][] = [];
	let room = 0;
	for (const id of ids) {
		const bytes = Buffer.byteLength(id) + 4;
		if (bytes > room) {
			chunks.push([]);
			room = PARAMETER_BYTES;
		}
		chunks.at(-1)!.push(id);
		room -= bytes;
	}
	return chunks;
}

/** All ids of a segment, for which nobody knows whether they were seen before. */
export function idsOf(blocks: readonly SizedBlock[]): string[] {
	return blocks.flatMap(({ block }) => keysOf(block)).filter((key) => key !== "");
}

/** Of these ids those that are stored. */
export async function storedOf(suspects: Iterable<string>, known: KnownIds): Promise<string[]> {
	const byProject = new Map<string, Set<string>>();
	for (const key of suspects) {
		const [project, id] = splitKey(key);
		byProject.set(project, (byProject.get(project) ?? new Set()).add(id));
	}
	const stored: string[] = [];
	for (const [project, ids] of byProject) {
		for (const id of await known(project, [...ids])) stored.push(idKey(project, id));
	}
	return stored;
}

/**
 * The blocks without duplicates, the same buffers where nothing is left out.
 * @param suspects every id that may be stored already or stand twice; others are not looked at
 * @param stored those of them that are stored
 */
export function withoutDuplicates(
	blocks: readonly SizedBlock[],
	suspects: Iterable<string>,
	stored: Iterable<string>,
): { readonly blocks: readonly SizedBlock[]; readonly duplicates: number } {
	const watched = new Set(suspects);
	if (watched.size === 0) return { blocks, duplicates: 0 };
	const taken = new Set(stored);
	let duplicates = 0;
	const kept = blocks.flatMap(({ rows, block }) => {
		const keep = keysOf(block).map((key) => {
			if (!watched.has(key)) return true;
			if (taken.has(key)) return false;
			taken.add(key);
			return true;
		});
		const left = keep.filter((one) => !one).length;
		duplicates += left;
		if (left === 0) return [{ rows, block }];
		if (left === rows) return [];
		return [{ rows: rows - left, block: filterBlock(block, TABLES.events, (row) => keep[row]!) }];
	});
	return { blocks: kept, duplicates };
}

/** Key of each row, empty for an event without an id. */
function keysOf(block: Buffer): string[] {
	const { rows, columns } = decodeBlock(block, ID_COLUMNS);
	const projects = columns.get("project")! as readonly string[];
	const ids = columns.get("event_id")! as readonly string[];
	return Array.from({ length: rows }, (_, row) => (ids[row] === "" ? "" : idKey(projects[row]!, ids[row]!)));
}
