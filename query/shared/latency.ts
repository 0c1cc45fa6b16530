import type { Scope } from "../measures/scope.ts";
import type { Signals } from "../measures/signals.ts";
import { HTTP_NAMES, type LatencyQuantiles, latencyQuantiles } from "../measures/traffic.ts";
import type { Asker } from "../run.ts";

/** Quantiles of response times from whichever of the two records the project sends. */
export async function latencyOf(asker: Asker, scope: Scope, sent: Signals): Promise<Map<number, LatencyQuantiles>> {
	const names = HTTP_NAMES.filter((name) => {
		const signal = sent.get("metric", name);
		return signal !== undefined && signal.first_seen < scope.end && signal.last_seen >= scope.start;
	});
	return names.length === 0 ? new Map() : asker.ask(latencyQuantiles(scope, names));
}
