import type { Signals } from "./measures/signals.ts";

/**
 * (now − before) / before, as a ratio. Null when there was nothing before, when one of the two is not known, or when the project's
 * first record is later than the start of the window compared with: growth out of not having looked is none.
 * @param previousStart milliseconds since the epoch
 */
export function growth(
	now: number | null,
	before: number | null,
	{ sent, previousStart }: { readonly sent: Signals; readonly previousStart: number },
): number | null {
	if (now === null || before === null || before === 0 || !sent.reachesBackTo(previousStart)) return null;
	return (now - before) / before;
}
