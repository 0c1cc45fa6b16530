/** Files in the folder of exports. */
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Target } from "./target.ts";

const HALF = ".partial";

/** @param folder of this export alone */
export function localTarget(folder: string, signal: AbortSignal): Target {
	return {
		async clear() {
			await mkdir(folder, { recursive: true });
			for (const name of await readdir(folder)) {
				if (name.endsWith(HALF)) await rm(join(folder, name), { force: true });
			}
		},
		async write(name, body) {
			const half = join(folder, `${name}${HALF}`);
			const file = await open(half, "w");
			try {
				for await (const chunk of body) await writeAll(file, chunk);
				await file.sync();
			} finally {
				await file.close();
			}
			signal.throwIfAborted();
			await rename(half, join(folder, name));
			await syncFolder(folder);
		},
		async remove() {
			await rm(folder, { recursive: true, force: true });
		},
	};
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, chunk: Buffer): Promise<void> {
	for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}

/** The new name, too, must survive a loss of power. */
async function syncFolder(folder: string): Promise<void> {
	const handle = await open(folder, "r");
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}
