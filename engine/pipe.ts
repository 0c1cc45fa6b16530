/** Named pipes: the way an answer of any format leaves the engine byte-exact, streaming and with backpressure. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { Socket } from "node:net";

/** Creates the named pipes `paths`. One process for all of them: Node has no mkfifo of its own. */
export function createPipes(paths: readonly string[]): void {
	execFileSync("mkfifo", ["-m", "600", ...paths]);
}

/** Takes a piece of an answer; a promise holds the rest back until it is settled. */
export type Take = (chunk: Buffer) => Promise<void> | undefined;

/** As much as a pipe holds; what is read into it is copied at once. */
const READ = Buffer.allocUnsafe(64 * 1024);

/**
 * The pipe of one session, which carries one answer after the other: opening and closing it for each would take as long as a small
 * query.
 *
 * Both ends are opened here. The write end is never written to: it keeps the reader from seeing an end when the engine closes the
 * pipe, or before it has opened it. An answer therefore ends where the pipe is empty after its query is over, which is sure when the
 * query went well, since the engine then has written everything. After one that failed the pipe is closed, read to its end, and
 * opened anew for the next, so that nothing of the one comes into the other.
 */
export class Pipe {
	readonly path: string;
	#open: { readFd: number; writeFd: number; reader: Socket } | undefined;
	#take: Take | undefined;
	/** Settles when more may be read; never rejects. */
	#held: Promise<void> | undefined;
	#failure: { error: unknown } | undefined;

	constructor(path: string) {
		this.path = path;
	}

	/** Must come before the engine opens the pipe, which would wait for a reader. */
	open(): void {
		if (this.#open !== undefined) return;
		const readFd = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
		const writeFd = openSync(this.path, constants.O_WRONLY | constants.O_NONBLOCK);
		const reader = new Socket({ fd: readFd, readable: true, writable: false });
		reader.on("data", (chunk) => {
			this.#pass(chunk);
			if (this.#held === undefined) return;
			reader.pause();
			void this.#held.then(() => reader.resume());
		});
		this.#open = { readFd, writeFd, reader };
	}

	/**
	 * Gives `take` what the query writes until it is over. A piece that cannot be taken does not end that: an engine thread that
	 * writes to a pipe without readers does not come back.
	 *
	 * @throws what the query or `take` threw
	 */
	async forward(query: Promise<unknown>, take: Take): Promise<void> {
		this.#take = take;
		try {
			await query;
			await this.#drain();
		} catch (error) {
			await this.#readToEnd();
			throw error;
		} finally {
			this.#take = undefined;
		}
		const failure = this.#failure;
		this.#failure = undefined;
		if (failure !== undefined) throw failure.error;
	}

	close(): void {
		if (this.#open === undefined) return;
		closeSync(this.#open.writeFd);
		this.#open.reader.destroy();
		this.#open = undefined;
	}

	#pass(chunk: Buffer): void {
		const taken = this.#held === undefined ? this.#give(chunk) : this.#held.then(() => this.#give(chunk));
		if (taken !== undefined) this.#hold(taken);
	}

	#hold(taken: Promise<void>): void {
		const held = taken.then(() => {
			if (this.#held === held) this.#held = undefined;
		});
		this.#held = held;
	}

	#give(chunk: Buffer): Promise<void> | undefined {
		if (this.#failure !== undefined) return undefined;
		const fail = (error: unknown): void => {
			this.#failure = { error };
		};
		try {
			return this.#take?.(chunk)?.catch(fail);
		} catch (error) {
			fail(error);
			return undefined;
		}
	}

	/** What is still in the pipe; the engine writes no more. */
	async #drain(): Promise<void> {
		const { readFd, reader } = this.#open!;
		for (let length = READ.length; length === READ.length; ) {
			while (this.#held !== undefined) await this.#held;
			// What it has read already comes first, by the event.
			while (reader.readableLength > 0) reader.read();
			length = readNow(readFd);
			if (length > 0) this.#pass(Buffer.from(READ.subarray(0, length)));
		}
		while (this.#held !== undefined) await this.#held;
	}

	async #readToEnd(): Promise<void> {
		const { writeFd, reader } = this.#open!;
		this.#open = undefined;
		const closed = new Promise((resolve) => reader.once("close", resolve));
		closeSync(writeFd);
		// Only then does it notice the end.
		reader.resume();
		await closed;
		while (this.#held !== undefined) await this.#held;
		this.#failure = undefined;
	}
}

/** Reads what there is into {@link READ}; 0 when there is nothing. */
function readNow(fd: number): number {
	try {
		return readSync(fd, READ);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
		throw error;
	}
}
