import type { z } from "zod";
import { ApiError } from "../../../http/errors.ts";
import {
	type FederatedParticipantsAnswer,
	federatedParticipantsAnswer,
	federatedQuery,
} from "../../../schema/wire/index.ts";
import {
	bytesByPeerCluster,
	type ClusterBytes,
	contributors,
	dataQuality,
	type Registration,
	registrations,
	uptime,
} from "../../measures/federated/participants.ts";
import { FL, FL_SERVER } from "../../measures/federated/records.ts";
import { activeNodes, HEARTBEAT } from "../../measures/nodes.ts";
import { type Pair, PING, pairs, pings } from "../../measures/pings.ts";
import { planOf, type Scope } from "../../measures/scope.ts";
import { signals } from "../../measures/signals.ts";
import { type Needs, withMeta } from "../../meta.ts";
import { RetentionError } from "../../plan/plan.ts";
import { meanOf } from "../../quotient.ts";
import { milliseconds, percentOf, ratio, significant } from "../../rounding.ts";
import { type Asking, read } from "../../route.ts";
import { resolveWindow } from "../../time/window.ts";

const UPDATE = `event ${FL.update}`;
const REGISTERED = `event ${FL.registered}`;
const PINGS = `metric ${PING}`;
const NEEDS: Needs = {
	participants: [REGISTERED, UPDATE],
	"participants[].organization": { any: [REGISTERED], with: "organization" },
	"participants[].location": { any: [REGISTERED], with: "location" },
	"participants[].cluster_id": { any: [REGISTERED], with: "cluster_id" },
	"participants[].sessions_participated": UPDATE,
	"participants[].avg_contribution_quality": { any: [UPDATE], with: "contribution" },
	"participants[].contribution_method": { any: [UPDATE], with: "contribution" },
	"participants[].reliability_score": UPDATE,
	"participants[].data_quality_score": `event ${FL.report}`,
	"participants[].communication_latency_ms": PINGS,
	"participants[].bandwidth_mbps": { any: [UPDATE], with: "transfer_seconds" },
	"participants[].uptime_percentage": `event ${HEARTBEAT}`,
	"network_topology.total_nodes": REGISTERED,
	"network_topology.active_nodes": `event ${HEARTBEAT}`,
	"network_topology.clusters": { any: [REGISTERED], with: "cluster_id" },
	"network_topology.clusters[].avg_latency": PINGS,
	"network_topology.clusters[].data_locality_score": { any: [UPDATE], with: "peer_cluster" },
	"network_topology.connectivity_matrix.avg_latency": PINGS,
	"network_topology.connectivity_matrix.max_latency": PINGS,
	"network_topology.connectivity_matrix.reliability": { any: [PINGS], with: "sent" },
};

/** `GET /analytics/federated/participants` */
export const federatedParticipantsRead = read({
	path: "/analytics/federated/participants",
	summary: "Participants of federated learning and the network between them",
	description: "Who was registered before the end of the window or selected within it. Default: 30 days.",
	query: federatedQuery,
	answer: federatedParticipantsAnswer,
	needs: NEEDS,
	ask: federatedParticipants,
});

async function federatedParticipants(
	{ asker, now, reach }: Asking,
	query: z.infer<typeof federatedQuery>,
): Promise<FederatedParticipantsAnswer> {
	const window = resolveWindow(query, { timeframes: ["30d"], defaultTimeframe: "30d", now });
	const scope: Scope = { start: window.start, end: window.end, now, reach };
	const [sent, registered, updating, moved, quality, alive, active, all, latency] = await Promise.all([
		asker.ask(signals(window.as_of)),
		asker.ask(registrations(scope)),
		asker.ask(contributors(scope)),
		asker.ask(bytesByPeerCluster(scope)),
		asker.ask(dataQuality(scope)),
		unless(isTooBig, () => asker.ask(uptime(scope))),
		asker.ask(activeNodes(scope)),
		asker.ask(pings(scope)),
		unless(isNotKept, () => asker.ask(pairs(scope))),
	]);
	const known = new Map(registered.map((node) => [node.participant_id, node]));
	const contributing = new Map(updating.map((node) => [node.participant_id, node]));
	const qualities = new Map(quality.map((node) => [node.participant_id, node.quality]));
	const toServer = new Map(
		(latency ?? [])
			.filter(({ a, b }) => a === FL_SERVER || b === FL_SERVER)
			.map(({ a, b, median_ms }) => [a === FL_SERVER ? b : a, median_ms]),
	);
	const medians = (latency ?? []).map(({ median_ms }) => median_ms);
	const ids = [...new Set([...known.keys(), ...contributing.keys()])].filter((id) => id !== FL_SERVER).sort();
	const nodes = [...known.keys()].filter((id) => id !== FL_SERVER);
	return withMeta(
		{
			participants: ids.map((participant_id) => {
				const node = known.get(participant_id);
				const work = contributing.get(participant_id);
				const scaled = work?.contribution ?? null;
				const cosine = work?.cosine ?? null;
				return {
					participant_id,
					organization: node?.organization || null,
					location: node?.location || null,
					cluster_id: node?.cluster_id || null,
					sessions_participated: sent.hasEvent(FL.update) ? (work?.sessions ?? 0) : null,
					avg_contribution_quality: ratio(scaled ?? cosine),
					contribution_method: scaled !== null ? ("scaled" as const) : cosine !== null ? ("cosine" as const) : null,
					reliability_score: work === undefined || work.told === 0 ? null : ratio(work.ok / work.selected),
					data_quality_score: ratio(qualities.get(participant_id)),
					communication_latency_ms: milliseconds(toServer.get(participant_id)),
					bandwidth_mbps: significant(work?.bandwidth_mbps),
					uptime_percentage: percentOf(alive?.get(participant_id)),
				};
			}),
			network_topology: {
				total_nodes: sent.hasEvent(FL.registered) ? nodes.length : null,
				active_nodes: sent.hasEvent(HEARTBEAT)
					? [...active].filter((id) => (nodes.length === 0 ? id !== FL_SERVER : known.has(id) && id !== FL_SERVER))
							.length
					: null,
				clusters: clustersOf(registered, latency, moved),
				connectivity_matrix: {
					avg_latency: milliseconds(meanOf(medians)),
					max_latency: medians.length === 0 ? null : milliseconds(medians.reduce((a, b) => Math.max(a, b))),
					reliability: all.sent ? ratio(Math.min(1, all.received! / all.sent)) : null,
				},
			},
		},
		{
			window,
			data_through: sent.dataThrough("event", "metric"),
			methods: {
				"participants[].avg_contribution_quality":
					"scaled from the least to the greatest of each round; (1 + cosine) / 2 without",
				"participants[].data_quality_score":
					"(1 - invalid rows / rows) x (1 - missing cells / cells), over the reports of the window",
				"network_topology.connectivity_matrix.avg_latency":
					latency === undefined
						? "raw points of pings are no longer kept for this window"
						: "mean of the pairs' medians",
				...(alive === undefined
					? { "participants[].uptime_percentage": "too many heartbeats in the window to be computed" }
					: {}),
			},
			source: planOf(scope).main,
		},
		{ needs: NEEDS, sent },
	);
}

function clustersOf(
	registered: readonly Registration[],
	latency: readonly Pair[] | undefined,
	moved: readonly ClusterBytes[],
): FederatedParticipantsAnswer["network_topology"]["clusters"] {
	const ids = [...new Set(registered.map(({ cluster_id }) => cluster_id))].filter((id) => id !== "").sort();
	return ids.map((cluster_id) => {
		const members = new Set(
			registered
				.filter((node) => node.cluster_id === cluster_id && node.participant_id !== FL_SERVER)
				.map(({ participant_id }) => participant_id),
		);
		const within = (latency ?? []).filter(({ a, b }) => members.has(a) && members.has(b));
		const own = moved.filter(({ participant_id }) => members.has(participant_id));
		const all = sumOf(own);
		return {
			cluster_id,
			nodes: members.size,
			avg_latency: milliseconds(meanOf(within.map(({ median_ms }) => median_ms))),
			data_locality_score:
				all > 0 ? ratio(sumOf(own.filter(({ peer_cluster }) => peer_cluster === cluster_id)) / all) : null,
		};
	});
}

const sumOf = (moved: readonly ClusterBytes[]) => moved.reduce((sum, { bytes }) => sum + bytes, 0);

/** What is asked, or nothing where it fails in a way that leaves the rest of the answer right. */
async function unless<T>(expected: (error: unknown) => boolean, ask: () => Promise<T>): Promise<T | undefined> {
	try {
		return await ask();
	} catch (error) {
		if (expected(error)) return undefined;
		throw error;
	}
}

/** A month of heartbeats of thousands of nodes. */
const isTooBig = (error: unknown) => error instanceof ApiError && error.status === 422;
/** Medians of pairs are of raw points, which are kept for less time than the rest. */
const isNotKept = (error: unknown) => error instanceof RetentionError;
