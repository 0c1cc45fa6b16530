/** When a message is tried again. Pure; milliseconds since the epoch. */

export interface Attempt {
	readonly attempt: number;
	/**
	 * `started` while there is no connection, `sending` once bytes may have left. Either has no outcome yet, or never will: its process
	 * was killed.
	 */
	readonly outcome: "started" | "sending" | "sent" | "retry" | "failed";
	readonly started_at: number;
	readonly retry_at: number | null;
}

const PAUSES_S = [10, 30, 60, 120, 300, 600, 1_800, 3_600];
/** After so long nobody wants to hear it any more. */
export const GIVE_UP_MS = 24 * 3_600_000;
/** No attempt takes so long: one without an outcome by then was interrupted. */
export const INTERRUPTED_MS = 30_000;

/** @param attempts how often it was tried @returns undefined when it is given up */
export function retryAt(
	now: number,
	{ attempts, created_at, retry_after_ms = 0 }: { attempts: number; created_at: number; retry_after_ms?: number },
): number | undefined {
	const pause = PAUSES_S[Math.min(attempts, PAUSES_S.length) - 1]! * 1_000;
	const at = now + Math.max(pause, retry_after_ms);
	return at > created_at + GIVE_UP_MS ? undefined : at;
}

/** `unsure`: it was interrupted while it was sent, and may have arrived. */
export type NextStep = "send" | "wait" | "unsure" | "done";

export function nextStep(attempts: readonly Attempt[], now: number): NextStep {
	const last = attempts.reduce<Attempt | undefined>((a, b) => (a && a.attempt > b.attempt ? a : b), undefined);
	if (!last) return "send";
	switch (last.outcome) {
		case "started":
			return now - last.started_at >= INTERRUPTED_MS ? "send" : "wait";
		case "sending":
			return now - last.started_at >= INTERRUPTED_MS ? "unsure" : "wait";
		case "retry":
			return now >= (last.retry_at ?? 0) ? "send" : "wait";
		case "sent":
		case "failed":
			return "done";
	}
}
