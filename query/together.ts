/** Many questions of one request: each is run once however many ask it, and only so many at a time. */
import type { Ran, Run } from "./run.ts";

/**
 * Two questions are the same when their SQL and parameters are; each reads the rows for itself.
 * @param atOnce questions that run at a time
 */
export function together(run: Run, atOnce: number): Run {
	const known = new Map<string, Promise<Ran>>();
	const slots = new Slots(atOnce);
	return (question) => {
		const key = `${question.sql}\n${JSON.stringify(question.params.values)}`;
		const before = known.get(key);
		if (before) return before;
		const running = slots.run(() => run(question));
		known.set(key, running);
		return running;
	};
}

class Slots {
	#free: number;
	readonly #waiting: (() => void)[] = [];

	constructor(free: number) {
		this.#free = free;
	}

	async run<T>(work: () => Promise<T>): Promise<T> {
		if (this.#free > 0) this.#free--;
		else await new Promise<void>((resolve) => this.#waiting.push(resolve));
		try {
			return await work();
		} finally {
			const next = this.#waiting.shift();
			if (next) next();
			else this.#free++;
		}
	}
}
