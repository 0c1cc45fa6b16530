import type { Scope } from "../measures/scope.ts";
import type { Signals } from "../measures/signals.ts";
import type { Asker } from "../run.ts";

/** Asks about a scope before it is known whether points lie behind it, as if it were as it was the last time. */
export function presumingSettled<T>(
	asker: Asker,
	scope: Scope,
	sent: Promise<Signals>,
	ask: (scope: Scope) => Promise<T>,
): Promise<T> {
	const settled = sent.then((known) => known.newestPoint() < scope.end);
	return asker.presuming("settled", settled, (is) =>
		ask({ ...scope, newest: is ? Number.NEGATIVE_INFINITY : undefined }),
	);
}
