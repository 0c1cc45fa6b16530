/** The threads of Node's pool: as many as queries may run at once, few of them awake. */
import { constants, openSync, read, writeSync } from "node:fs";

/** Of Node when nothing else is said. */
const DEFAULT_THREADS = 4;

/** How many there are in this process. */
function poolThreads(): number {
	return Number(process.env.UV_THREADPOOL_SIZE ?? DEFAULT_THREADS);
}

/**
 * Parks the threads that are not needed, each in a read from a pipe that is empty. What is put to the pool goes to the thread that
 * has slept longest: with all of them awake each query would come to the one whose stack and caches of memory are coldest, and take
 * a fifth longer.
 */
export class ParkedThreads {
	readonly #fd: number;
	readonly #threads: number;
	readonly #spare: number;
	#awake: number;

	/**
	 * @param pipe a named pipe of its own
	 * @param spare more awake than queries run, for files and for what sees to queries; those over twice as many are parked
	 */
	constructor(pipe: string, threads = poolThreads(), spare = 4) {
		// For both, so that opening waits for nobody.
		this.#fd = openSync(pipe, constants.O_RDWR);
		this.#threads = threads;
		this.#spare = spare;
		this.#awake = threads;
		this.fit(0);
		// Leaving, Node waits for each.
		process.once("exit", this.wakeAll);
	}

	/** Wakes and parks as it suits so many running queries. */
	fit(running: number): void {
		const wanted = Math.min(running + this.#spare, this.#threads);
		if (this.#awake < wanted) this.#wake(wanted - this.#awake);
		while (this.#awake > running + 2 * this.#spare) this.#park();
	}

	readonly wakeAll = (): void => {
		this.#wake(this.#threads - this.#awake);
	};

	#park(): void {
		this.#awake--;
		read(this.#fd, Buffer.alloc(1), 0, 1, null, () => undefined);
	}

	/** Each byte ends one read; one that has not begun yet ends when it does. */
	#wake(threads: number): void {
		if (threads === 0) return;
		this.#awake += threads;
		writeSync(this.#fd, Buffer.alloc(threads));
	}
}
