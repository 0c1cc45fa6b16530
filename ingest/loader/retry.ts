import { setTimeout as sleep } from "node:timers/promises";
import { classify, errorCode, type Failure } from "./classify.ts";

/** Why the loader does not get on, for readiness, metrics and the log. */
export interface Trouble {
	readonly failure: Exclude<Failure, "row">;
	readonly message: string;
	/** Milliseconds since the epoch. */
	readonly since: number;
	readonly attempts: number;
}

export interface RetryOptions {
	readonly signal: AbortSignal;
	readonly clock: () => number;
	/** Hears of every failed attempt, and of `undefined` when the work succeeds after one. */
	readonly onTrouble: (trouble: Trouble | undefined) => void;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
const STOPPED_WAIT_MS = 15_000;

/**
 * Repeats `work` until it succeeds, for ever: nothing that was accepted is given up.
 * @throws what `work` threw when that is about a row; an AbortError when `signal` says stop
 */
export async function retrying<T>(work: () => Promise<T>, { signal, clock, onTrouble }: RetryOptions): Promise<T> {
	let since: number | undefined;
	for (let attempts = 1; ; attempts++) {
		signal.throwIfAborted();
		try {
			const result = await work();
			if (since !== undefined) onTrouble(undefined);
			return result;
		} catch (error) {
			const failure = classify(error);
			if (failure === "row") throw error;
			since ??= clock();
			const code = errorCode(error);
			onTrouble({ failure, since, attempts, message: `${code ? `Code ${code}: ` : ""}${(error as Error).message}` });
			const wait =
				failure === "stop" ? STOPPED_WAIT_MS : Math.min(FIRST_WAIT_MS * 2 ** (attempts - 1), LONGEST_WAIT_MS);
			await sleep(wait * (0.5 + Math.random() / 2), undefined, { signal });
		}
	}
}
