/** Participants of federated learning: who they are, what they deliver, and how long they were there. */
import { at, between } from "../../plan/scan.ts";
import { from, Params, type Question } from "../../sql.ts";
import { numberOf, textOf } from "../attributes.ts";
import { DEFAULT_INTERVAL_SECONDS, HEARTBEAT } from "../nodes.ts";
import type { Scope } from "../scope.ts";
import { DOWN, FL, PARTICIPANT, ROUND, SESSION, STATUS, UP } from "./records.ts";

export interface Registration {
	readonly participant_id: string;
	/** As they were last sent; `""` when never. */
	readonly organization: string;
	readonly location: string;
	readonly cluster_id: string;
}

/** All that were registered before the end of the scope, by id. */
export function registrations(scope: Scope): Question<Registration[]> {
	const params = new Params();
	const latest = (name: string) => `argMaxIf(${name}, ts, ${name} != '') AS ${name}`;
	return {
		name: "federated.registrations",
		params,
		sql: `SELECT participant_id, ${["organization", "location", "cluster_id"].map(latest).join(", ")}
FROM (
	SELECT ts, ${PARTICIPANT} AS participant_id, ${textOf("organization")} AS organization, ${textOf("location")} AS location,
		${textOf("cluster_id")} AS cluster_id
	${from("events", `event = '${FL.registered}' AND ts < ${at(params, scope.end)}`)}
) WHERE participant_id != '' GROUP BY participant_id ORDER BY participant_id`,
		read: (rows) => rows as unknown as Registration[],
	};
}

export interface Contributor {
	readonly participant_id: string;
	/** With at least one update that was ok. */
	readonly sessions: number;
	readonly selected: number;
	readonly ok: number;
	/** Updates that say how they went. */
	readonly told: number;
	/** Mean contribution, each scaled from the least (0) to the greatest (1) of its round; null when there is none to compare. */
	readonly contribution: number | null;
	/** Mean of (1 + cosine) / 2; null when none was sent. */
	readonly cosine: number | null;
	/** Megabits a second of the median update; null when none says its bytes and seconds. */
	readonly bandwidth_mbps: number | null;
}

/** Who was selected within the scope, by id. */
export function contributors(scope: Scope): Question<Contributor[]> {
	const params = new Params();
	const contribution = numberOf("contribution");
	// A contribution may be the cosine itself.
	const isCosine = "lower(strings['contribution_method']) LIKE '%cosine%'";
	const bytes = `if(isNull(${UP}) AND isNull(${DOWN}), NULL, ifNull(${UP}, 0) + ifNull(${DOWN}, 0))`;
	const seconds = numberOf("transfer_seconds");
	// A number sorts in half the time of a text and a number.
	const inRound = "OVER (PARTITION BY cityHash64(session_id, round))";
	return {
		name: "federated.contributors",
		params,
		sql: `SELECT participant_id, uniqExactIf(session_id, status = 'ok') AS sessions, count() AS selected,
	countIf(status = 'ok') AS ok, countIf(status != '') AS told,
	avg(if(most > least, (gain - least) / (most - least), NULL)) AS contribution, avg((1 + cosine) / 2) AS cosine,
	if(count(mbps) = 0, NULL, quantileExactInclusive(0.5)(mbps)) AS bandwidth_mbps
FROM (
	SELECT *, min(gain) ${inRound} AS least, max(gain) ${inRound} AS most FROM (
		SELECT ${PARTICIPANT} AS participant_id, ${SESSION} AS session_id, ${ROUND} AS round, ${STATUS} AS status,
			if(${isCosine}, NULL, ${contribution}) AS gain,
			coalesce(${numberOf("update_cosine")}, if(${isCosine}, ${contribution}, NULL)) AS cosine,
			if(${seconds} > 0, 8 * ${bytes} / ${seconds} / 1e6, NULL) AS mbps
		${from("events", `event = '${FL.update}' AND ${between(params, "ts", scope.start, scope.end)}`)}
	)
) WHERE participant_id != '' GROUP BY participant_id ORDER BY participant_id`,
		read: (rows) => rows as unknown as Contributor[],
	};
}

/** Bytes that a participant moved to or from nodes of one cluster. */
export interface ClusterBytes {
	readonly participant_id: string;
	readonly peer_cluster: string;
	readonly bytes: number;
}

/** Within the scope, of updates that say the cluster at the other end. */
export function bytesByPeerCluster(scope: Scope): Question<ClusterBytes[]> {
	const params = new Params();
	return {
		name: "federated.bytes_by_peer_cluster",
		params,
		sql: `SELECT participant_id, peer_cluster, sum(moved) AS bytes FROM (
	SELECT ${PARTICIPANT} AS participant_id, ${textOf("peer_cluster")} AS peer_cluster, ifNull(${UP}, 0) + ifNull(${DOWN}, 0) AS moved
	${from("events", `event = '${FL.update}' AND ${between(params, "ts", scope.start, scope.end)} AND ${textOf("peer_cluster")} != ''`)}
) GROUP BY participant_id, peer_cluster ORDER BY participant_id, peer_cluster`,
		read: (rows) => rows as unknown as ClusterBytes[],
	};
}

/** What the reports of a participant's data add up to; null where no report says it. */
export interface DataQuality {
	readonly participant_id: string;
	/** Share of valid rows times share of present cells. */
	readonly quality: number | null;
}

export function dataQuality(scope: Scope): Question<DataQuality[]> {
	const params = new Params();
	const share = (part: string, whole: string) =>
		`sumIf(${part}, isNotNull(${whole})) / nullIf(sumIf(${whole}, isNotNull(${part})), 0)`;
	return {
		name: "federated.data_quality",
		params,
		sql: `SELECT participant_id, (1 - ${share("invalid", "total")}) * (1 - ${share("absent", "cells")}) AS quality FROM (
	SELECT ${PARTICIPANT} AS participant_id, ${numberOf("rows")} AS total, ${numberOf("invalid_rows")} AS invalid,
		${numberOf("cells")} AS cells, ${numberOf("missing_cells")} AS absent
	${from("events", `event = '${FL.report}' AND ${between(params, "ts", scope.start, scope.end)}`)}
) GROUP BY participant_id ORDER BY participant_id`,
		read: (rows) => rows as unknown as DataQuality[],
	};
}

/**
 * Share of the time since the scope's start, or since a later registration, in which a participant's heartbeats kept it alive: each
 * for up to two intervals. Those without a heartbeat are absent.
 */
export function uptime(scope: Scope): Question<Map<string, number>> {
	const params = new Params();
	const [start, end] = [params.add("Int64", scope.start), params.add("Int64", scope.end)];
	// The beat before the start still holds at the start.
	const beats = between(params, "ts", scope.start - BEFORE_MS, scope.end);
	const participants = `event = '${FL.registered}' AND ts < ${at(params, scope.end)}
		OR event = '${FL.update}' AND ${between(params, "ts", scope.start, scope.end)}`;
	return {
		name: "federated.uptime",
		params,
		sql: `SELECT node, since, alive / (${end} - since) AS uptime FROM (
	SELECT node, greatest(${start}, registered) AS since,
		arraySum((a, b) -> greatest(0, least(b, a + held) - greatest(a, since)), times, arrayPopFront(arrayPushBack(times, ${end}))) AS alive
	FROM (
		SELECT strings['node_id'] AS node, arraySort(groupArray(toUnixTimestamp64Milli(ts))) AS times,
			toInt64(2000 * argMax(if(numbers['interval_s'] > 0, numbers['interval_s'], ${DEFAULT_INTERVAL_SECONDS}), ts)) AS held
		${from("events", `event = '${HEARTBEAT}' AND ${beats}`)}
		GROUP BY node
	) AS beat
	INNER JOIN (
		SELECT participant_id AS node, if(countIf(is_new) = 0, 0, minIf(at, is_new)) AS registered FROM (
			SELECT ${PARTICIPANT} AS participant_id, event = '${FL.registered}' AS is_new, toUnixTimestamp64Milli(ts) AS at
			${from("events", participants)}
		) GROUP BY node
	) AS participant USING (node)
) WHERE since < ${end}`,
		read: (rows) => new Map(rows.map((row) => [row.node as string, row.uptime as number])),
	};
}

/** Heartbeats before the window that can reach into it. */
const BEFORE_MS = 3_600_000;
