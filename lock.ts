/** One process per data folder, without stale locks: a socket that only a living process can hold. */
import { hash } from "node:crypto";
import { realpathSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Another Tidemark runs on this data folder. */
export class FolderInUseError extends Error {
	override readonly name = "FolderInUseError";
}

/**
 * Takes the folder until `release` or the end of the process, however it ends.
 * @throws FolderInUseError
 */
export async function lockFolder(folder: string): Promise<{ release(): Promise<void> }> {
	const path = socketPath(folder);
	const server = createServer((socket) => socket.end());
	try {
		await listen(server, path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
		if (await answers(path)) throw new FolderInUseError(`Another Tidemark is running on the data folder ${folder}`);
		// Left behind by a process that was killed.
		rmSync(path, { force: true });
		await listen(server, path);
	}
	server.unref();
	return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** What the kernel takes as the address of a socket, without the byte that ends it; a longer path is cut without a word. */
const MAX_PATH_BYTES = 103;

function socketPath(folder: string): string {
	const path = join(folder, "tidemark.lock");
	if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return path;
	const name = hash("sha256", realpathSync(folder)).slice(0, 32);
	return join(tmpdir(), `tidemark-${name}.lock`);
}

function listen(server: Server, path: string): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen(path, () => {
			server.removeListener("error", reject);
			resolve();
		});
	});
}

function answers(path: string): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(path, () => {
			socket.destroy();
			resolve(true);
		});
		socket.once("error", () => resolve(false));
	});
}
