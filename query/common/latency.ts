import { kindsOfRequests, sourceOf } from "../measures/latency.ts";
import type { Scope } from "../measures/scope.ts";
import type { Signals } from "../measures/signals.ts";
import {
	type LatencyQuantiles,
	latencyQuantiles,
	type TrafficAndLatency,
	traffic,
	trafficAndLatency,
} from "../measures/traffic.ts";
import type { Asker } from "../run.ts";

/** Requests and quantiles of their response times, begun before it is known which records there are. */
export async function trafficAndLatencyOf(
	asker: Asker,
	scope: Scope,
	sent: Promise<Signals>,
): Promise<TrafficAndLatency> {
	const facts = Promise.all([sent, kindsOfRequests(asker)]).then(([known, kinds]) => sourceOf(scope, known, kinds));
	return asker.presuming("source of latency", facts, async (source) => {
		const [name] = source.names;
		if (name !== undefined && !source.raw) return asker.ask(trafficAndLatency(scope, name));
		const [requests, latency] = await Promise.all([
			asker.ask(traffic(scope)),
			name === undefined ? new Map<number, LatencyQuantiles>() : asker.ask(latencyQuantiles(scope, source)),
		]);
		return { traffic: requests, latency };
	});
}
