import { readNote, writeNote } from "../journal/notes.ts";
import type { KnownIds } from "./duplicates.ts";

/**
 * Asks once and notes the answer at `path`. A replay must leave out the same events as the first try: asked again, it would
 * find the ids of its own segment, insert fewer blocks under the same token, and ClickHouse takes those for new ones (its
 * block id is made of the token and of the number of blocks).
 */
export function notedKnownIds(known: KnownIds, path: string): KnownIds {
	return async (project, ids) => {
		const noted = new Map<string, readonly string[]>(JSON.parse((await readNote(path)) ?? "[]"));
		const before = noted.get(project);
		if (before) return before;
		const answer = await known(project, ids);
		noted.set(project, answer);
		await writeNote(path, JSON.stringify([...noted]));
		return answer;
	};
}
