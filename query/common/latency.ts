import { sourceOf } from "../measures/latency.ts";
import type { Scope } from "../measures/scope.ts";
import type { Signals } from "../measures/signals.ts";
import {
	HTTP_NAMES,
	type LatencyQuantiles,
	latencyQuantiles,
	measuredTraffic,
	requestSeries,
	type Traffic,
	traffic,
} from "../measures/traffic.ts";
import type { Asker } from "../run.ts";

export interface TrafficAndLatency {
	readonly traffic: Map<number, Traffic>;
	readonly latency: Map<number, LatencyQuantiles>;
}

/** Requests and quantiles of their response times, begun before it is known which records there are. */
export async function trafficAndLatencyOf(
	asker: Asker,
	scope: Scope,
	sent: Promise<Signals>,
): Promise<TrafficAndLatency> {
	const facts = sent.then(async (known) => {
		const version = known.versionOf(HTTP_NAMES);
		const series = await asker.found("request_series", version, () => asker.ask(requestSeries()));
		return { source: sourceOf(scope, known, series.kinds), series };
	});
	return asker.presuming("requests", facts, async ({ source, series }) => {
		const [name] = source.names;
		if (name !== undefined && !source.raw) {
			const both = await asker.ask(measuredTraffic(scope, name, series));
			return { traffic: both, latency: both };
		}
		const [requests, latency] = await Promise.all([
			asker.ask(traffic(scope, series)),
			name === undefined ? new Map<number, LatencyQuantiles>() : asker.ask(latencyQuantiles(scope, source)),
		]);
		return { traffic: requests, latency };
	});
}
