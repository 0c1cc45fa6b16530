import { readNote, writeNote } from "../journal/notes.ts";

/** What was found out about the event_ids of a segment before its events were inserted. */
export interface IdNote {
	readonly suspects: readonly string[];
	readonly stored: readonly string[];
}

/**
 * Asks once and notes the answer at `path`. A replay must leave out the same events as the first try: asked again, it would
 * find the ids of its own segment, insert fewer blocks under the same token, and ClickHouse takes those for new ones (its
 * block id is made of the token and of the number of blocks).
 */
export async function noted(path: string, ask: () => Promise<IdNote>): Promise<IdNote> {
	const note = await readNote(path);
	if (note !== undefined) return JSON.parse(note);
	const answer = await ask();
	await writeNote(path, JSON.stringify(answer));
	return answer;
}
