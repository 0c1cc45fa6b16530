/** From which records the quantiles of response times come: one definition for routes, rules and dashboards. */
import type { Question } from "../sql.ts";
import { metricKinds } from "./custom.ts";
import type { Scope } from "./scope.ts";
import type { Signals } from "./signals.ts";
import { HTTP_NAMES, type LatencyQuantiles, type LatencySource, latencyQuantiles } from "./traffic.ts";

interface Asks {
	ask<T>(question: Question<T>): Promise<T>;
}

/** Kinds under which requests were sent; a question that need not wait for what was ever sent. */
export function kindsOfRequests(asker: Asks): Promise<ReadonlyMap<string, readonly string[]>> {
	return asker.ask(metricKinds(HTTP_NAMES));
}

/** Which of the two records were sent in the scope, and whether they have sketches. */
export function sourceOf(scope: Scope, sent: Signals, kinds: ReadonlyMap<string, readonly string[]>): LatencySource {
	const names = HTTP_NAMES.filter((name) => {
		const signal = sent.get("metric", name);
		return signal !== undefined && signal.first_seen < scope.end && signal.last_seen >= scope.start;
	});
	const raw = names.length > 1 || names.some((name) => kinds.get(name)?.some((kind) => kind !== "distribution"));
	return { names, raw };
}

/** Quantiles of response times from whichever of the two records the project sends, of whatever kind. */
export async function latencyOf(
	asker: Asks,
	scope: Scope,
	sent: Signals,
	kinds: ReadonlyMap<string, readonly string[]>,
): Promise<Map<number, LatencyQuantiles>> {
	const source = sourceOf(scope, sent, kinds);
	return source.names.length === 0 ? new Map() : asker.ask(latencyQuantiles(scope, source));
}
