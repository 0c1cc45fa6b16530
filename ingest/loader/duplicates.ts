/** An event_id counts once in 7 days: leaves out events whose id is stored, or stands twice in the segment. */
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { TABLES } from "../../schema/tables.ts";
import { type Cell, decodeBlock, encodeRows, filterBlock } from "../native/decode.ts";
import type { SizedBlock } from "./insert.ts";

const ID_COLUMNS = new Set(["project", "event_id"]);
/** A server takes no form field over 128 KiB by default; escaping may double an id. */
const PARAMETER_BYTES = 32_768;
const PARAMETERS_PER_QUERY = 16;
const SEPARATOR = "\0";

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

export interface Deduplicated {
	/** The blocks without duplicates, the same buffers where nothing was left out. */
	readonly blocks: readonly SizedBlock[];
	readonly duplicates: number;
	/** Rows for `event_ids`, to be inserted after the events. */
	readonly ids: readonly SizedBlock[];
}

/** @param received seconds since the epoch, of the look-up */
export async function withoutDuplicates(
	blocks: readonly SizedBlock[],
	known: KnownIds,
	received: number,
): Promise<Deduplicated> {
	const decoded = blocks.map(({ block }) => decodeBlock(block, ID_COLUMNS));
	const keys = decoded.map(({ rows, columns }) => {
		const projects = columns.get("project")!;
		const ids = columns.get("event_id")!;
		return Array.from({ length: rows }, (_, row) => (ids[row] === "" ? "" : projects[row] + SEPARATOR + ids[row]));
	});
	const byProject = new Map<string, Set<string>>();
	for (const key of keys.flat()) {
		if (key === "") continue;
		const [project, id] = splitKey(key);
		const ids = byProject.get(project) ?? new Set();
		byProject.set(project, ids.add(id));
	}
	const taken = new Set<string>();
	for (const [project, ids] of byProject) {
		for (const id of await known(project, [...ids])) taken.add(project + SEPARATOR + id);
	}
	let duplicates = 0;
	const fresh: Cell[][] = [];
	const kept = blocks.map(({ rows, block }, i) => {
		const keep = keys[i]!.map((key) => {
			if (key === "") return true;
			if (taken.has(key)) return false;
			taken.add(key);
			fresh.push([...splitKey(key), received]);
			return true;
		});
		const left = keep.filter((kept) => !kept).length;
		duplicates += left;
		if (left === 0) return { rows, block };
		if (left === rows) return undefined;
		return { rows: rows - left, block: filterBlock(block, TABLES.events, (row) => keep[row]!) };
	});
	return {
		blocks: kept.filter((block) => block !== undefined),
		duplicates,
		ids: fresh.length === 0 ? [] : [{ rows: fresh.length, block: encodeRows(TABLES.event_ids, fresh) }],
	};
}

function splitKey(key: string): [project: string, id: string] {
	const at = key.indexOf(SEPARATOR);
	return [key.slice(0, at), key.slice(at + 1)];
}
