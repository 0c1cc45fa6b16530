/** Small files beside a segment: what was decided about it, so that a replay decides the same. They go with the segment. */
import { open, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Resolves when the note survives any crash; never leaves half of one. */
export async function writeNote(path: string, text: string): Promise<void> {
	const draft = `${path}.draft`;
	await writeFile(draft, text, { flush: true });
	await rename(draft, path);
	const folder = await open(dirname(path), "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}

/** @returns undefined when there is none */
export async function readNote(path: string): Promise<string | undefined> {
	try {
		return await readFile(path, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}
