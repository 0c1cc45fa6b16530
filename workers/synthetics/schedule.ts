/** When a test is due: instants that follow from its definition, so that every worker finds the same ones and Redis need not know them. */
import { createHash } from "node:crypto";

export interface Scheduled {
	readonly project: string;
	readonly id: string;
	readonly frequency_seconds: number;
	/** Milliseconds since the epoch. */
	readonly updated_at: number;
}

/** A run that was not begun by then is not made up for; never more than a part of the interval. */
const LATE_MS = 30_000;
/** New tests of one moment begin within this time. */
const FIRST_WITHIN_MS = 5_000;

/**
 * Instants in `[from, to)`, milliseconds since the epoch, at which the test is due at a location: one soon after it was made or
 * changed, then whole intervals, shifted by its name, so that tests of one interval do not start together.
 */
export function dueInstants(test: Scheduled, location: string, { from, to }: { from: number; to: number }): number[] {
	const interval = Math.round(test.frequency_seconds * 1_000);
	const share = shareOf(`${test.project} ${test.id} ${location}`);
	const first = test.updated_at + Math.floor(share * FIRST_WITHIN_MS);
	const phase = Math.floor(share * interval);
	const instants: number[] = [];
	if (first >= from && first < to) instants.push(first);
	// The first stands for what would come within half an interval of it.
	const regular = Math.max(from, first + interval / 2);
	for (let at = Math.ceil((regular - phase) / interval) * interval + phase; at < to; at += interval) instants.push(at);
	return instants;
}

/** Whether a run that was due then is still worth it: a worker that was away does not catch up. */
export function isTooLate(instant: number, now: number, frequency_seconds: number): boolean {
	return now - instant > Math.min(LATE_MS, (frequency_seconds * 1_000) / 2);
}

/** From 0 to 1, the same for the same text. */
function shareOf(text: string): number {
	return createHash("sha256").update(text).digest().readUInt32BE() / 2 ** 32;
}
