import type { z } from "zod";
import { NETWORK_TIMEFRAMES, type NetworkAnswer, networkAnswer, networkQuery } from "../../schema/wire/index.ts";
import { FL_SERVER } from "../measures/federated/records.ts";
import { moved, NETWORK_IO } from "../measures/hosts.ts";
import { lastValues } from "../measures/last-values.ts";
import { bytesByHost, type Packets, PING, peers, pings } from "../measures/pings.ts";
import { planOf, type Scope } from "../measures/scope.ts";
import { signals } from "../measures/signals.ts";
import { type Needs, withMeta } from "../meta.ts";
import { lowSample } from "../points.ts";
import { milliseconds, percentOf, whole } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { resolveWindow } from "../time/window.ts";
import { LINK_CAPACITY, networkOf } from "./resources.ts";

const PINGS = `metric ${PING}`;
const NEEDS: Needs = {
	avg_latency: PINGS,
	bandwidth_utilization: { all: [`metric ${NETWORK_IO}`, `metric ${LINK_CAPACITY}`] },
	packet_loss_rate: { any: [PINGS], with: "sent" },
	peer_details: PINGS,
	"peer_details[].rtt_p50_ms": PINGS,
	"peer_details[].rtt_p95_ms": PINGS,
	"peer_details[].packet_loss_rate": { any: [PINGS], with: "sent" },
	"peer_details[].last_seen": PINGS,
	"peer_details[].bytes": `metric ${NETWORK_IO}`,
};

/** `GET /v1/monitoring/network` */
export const networkRead = read({
	path: "/v1/monitoring/network",
	summary: "Latency, loss and bandwidth of the network",
	query: networkQuery,
	answer: networkAnswer,
	needs: NEEDS,
	ask: network,
});

async function network({ asker, now, reach }: Asking, query: z.infer<typeof networkQuery>): Promise<NetworkAnswer> {
	const window = resolveWindow(query, { timeframes: NETWORK_TIMEFRAMES, defaultTimeframe: "24h", now });
	const scope: Scope = { start: window.start, end: window.end, now, reach };
	const detailed = query.include_peer_details === "true";
	const [sent, all, io, links, nodes, bytes] = await Promise.all([
		asker.ask(signals(window.as_of)),
		asker.ask(pings(scope)),
		asker.ask(moved(scope, NETWORK_IO)),
		asker.ask(lastValues(scope, [LINK_CAPACITY])),
		detailed ? asker.ask(peers(scope)) : undefined,
		detailed ? asker.ask(bytesByHost(scope)) : undefined,
	]);
	return withMeta(
		{
			timeframe: window.timeframe,
			avg_latency: milliseconds(all.mean_ms),
			bandwidth_utilization: networkOf(links, io.get(0), (window.end - window.start) / 1_000).utilization,
			packet_loss_rate: lossOf(all),
			...(nodes === undefined
				? {}
				: {
						peer_details: nodes
							.filter(({ peer_id }) => peer_id !== FL_SERVER)
							.map((peer) => ({
								peer_id: peer.peer_id,
								rtt_p50_ms: milliseconds(peer.p50_ms),
								rtt_p95_ms: milliseconds(peer.p95_ms),
								packet_loss_rate: lossOf(peer),
								last_seen: peer.last_seen === null ? null : new Date(peer.last_seen).toISOString(),
								bytes: whole(bytes?.get(peer.peer_id)),
								...lowSample([{ field: "rtt_p95_ms", level: 0.95, n: peer.answers }]),
							})),
					}),
		},
		{
			window,
			data_through: sent.dataThrough("metric"),
			methods: {
				avg_latency: "mean of all pings of all pairs",
				bandwidth_utilization: "the busier direction / capacity of all links",
				packet_loss_rate: "packets of pings that did not come back / sent",
			},
			source: planOf(scope).main,
		},
		{ needs: NEEDS, sent },
	);
}

function lossOf({ sent, received }: Packets): number | null {
	return sent ? percentOf(Math.max(0, 1 - (received ?? 0) / sent)) : null;
}
