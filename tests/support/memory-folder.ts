import { accessSync, constants, statfsSync } from "node:fs";

const FOLDER = "/dev/shm";
const GIB = 2 ** 30;

/**
 * A folder in memory for what tests write and throw away, where there is room for it. Thousands of small files that are synced one
 * by one are most of the time of a test otherwise, and no test takes the power away.
 */
export function memoryFolder(): string | undefined {
	try {
		accessSync(FOLDER, constants.W_OK);
		const { bavail, bsize } = statfsSync(FOLDER);
		return bavail * bsize >= 4 * GIB && process.availableMemory() >= 8 * GIB ? FOLDER : undefined;
	} catch {
		return undefined;
	}
}
