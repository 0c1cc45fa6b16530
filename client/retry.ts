// Whether and when to try again. Pure; the waiting is done by who asks.
import { TidemarkError } from "./errors.ts";

const FIRST_MS = 200;
const FIRST_RECONNECT_MS = 500;
const LONGEST_MS = 30_000;
const TRANSIENT = new Set([408, 425, 429, 502, 503, 504]);
const TRIES_OF_A_FAULT = 5;

/**
 * Whether a failed request may go through later. Overload and absence pass, so they are tried for as long as the caller
 * likes; a fault inside the server (500) may be this very request's doing, so it is given up after five tries.
 *
 * @param tries how often it was tried, 1 after the first
 */
export function mayRetry(error: unknown, tries: number): boolean {
	if (!(error instanceof TidemarkError)) return false;
	if (error.status === undefined) return error.code === "connection_failed" || error.code === "timeout";
	return TRANSIENT.has(error.status) || (error.status === 500 && tries < TRIES_OF_A_FAULT);
}

/**
 * Milliseconds until the next try: 200 ms doubling to 30 s, half of it random so that many clients do not come back at
 * once; never less than the server asked for.
 *
 * @param random from 0 to 1
 */
export function retryDelayMs(tries: number, retryAfter: number | undefined, random: number): number {
	const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(tries - 1, 20));
	const jittered = ceiling / 2 + (ceiling / 2) * random;
	return retryAfter === undefined ? jittered : Math.max(jittered, retryAfter * 1000 + FIRST_MS * random);
}

/**
 * Milliseconds until a stream is opened again: anything up to a ceiling of 500 ms (or what the server asked for) doubling to
 * 30 s, so that the viewers of a server that was restarted come back spread out; never less than `Retry-After`.
 *
 * @param random from 0 to 1
 */
export function reconnectDelayMs(
	tries: number,
	retryAfter: number | undefined,
	firstMs: number | undefined,
	random: number,
): number {
	const ceiling = Math.min(LONGEST_MS, (firstMs ?? FIRST_RECONNECT_MS) * 2 ** Math.min(tries - 1, 20));
	return Math.max(ceiling * random, (retryAfter ?? 0) * 1000);
}
