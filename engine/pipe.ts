/** Named pipes: the way an answer of any format leaves the engine byte-exact, streaming and with backpressure. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";

/** Creates the named pipes `paths`. One process for all of them: Node has no mkfifo of its own. */
export function createPipes(paths: readonly string[]): void {
	execFileSync("mkfifo", ["-m", "600", ...paths]);
}

export interface OpenPipe {
	readable: Readable;
	/** The writer is done: `readable` ends once it is drained. */
	finish(): void;
}

/**
 * Opens a pipe for one answer, before the engine opens it for writing.
 *
 * Both ends are opened here. The write end is never written to: it keeps the reader from seeing an end before the
 * engine has opened the pipe, and closing it gives the end also when the engine never did.
 *
 * `readable` must be read to its end: an engine thread that writes to a pipe without readers does not come back.
 */
export function openPipe(path: string): OpenPipe {
	const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
	const writeFd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
	return {
		readable: new Socket({ fd: readFd, readable: true, writable: false }),
		finish: () => closeSync(writeFd),
	};
}
