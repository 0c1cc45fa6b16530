/** Round trips between nodes. A pair has no direction; a ping of which nothing came back has no round trip. */
import { between, seriesRows } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { NETWORK_IO } from "./hosts.ts";
import { planOf, type Scope } from "./scope.ts";
import { HOST, named } from "./series.ts";

export const PING = "net.ping";

const SENT = "toFloat64OrNull(tags['sent'])";
const RECEIVED = "toFloat64OrNull(tags['received'])";
/** Of `series`: between two nodes. */
const OF_PAIR = `name = '${PING}' AND tags['src'] != '' AND tags['dst'] != '' AND tags['src'] != tags['dst']`;
const ANSWERED = `ifNull(${RECEIVED} > 0, 1)`;

/** Packets; null when no ping says how many. */
export interface Packets {
	readonly sent: number | null;
	readonly received: number | null;
}

export interface Pings extends Packets {
	/** Mean round trip of all pings, milliseconds; null when none came back. */
	readonly mean_ms: number | null;
}

/** All pings of all pairs, from whichever tier serves the window. */
export function pings(scope: Scope): Question<Pings> {
	const params = new Params();
	const rows = seriesRows(params, { plan: planOf(scope), where: named(params, [PING]), columns: ["n", "sum"] });
	return {
		name: "pings",
		params,
		sql: `SELECT if(sumIf(n, answered) = 0, NULL, sumIf(sum, answered) / sumIf(n, answered)) AS mean_ms,
	sumIf(n * packets, isNotNull(back)) AS sent, sumIf(n * back, isNotNull(packets)) AS received
FROM ${rows} AS found
INNER JOIN (SELECT DISTINCT series_id, ${ANSWERED} AS answered, ${SENT} AS packets, ${RECEIVED} AS back
	${from("series", OF_PAIR)}) AS of USING (series_id)`,
		read: ([row]) => row as unknown as Pings,
	};
}

export interface Pair {
	readonly a: string;
	readonly b: string;
	/** Milliseconds. */
	readonly median_ms: number;
}

/** The median round trip of each pair, of raw points. @throws RetentionError when they are no longer kept */
export function pairs(scope: Scope): Question<Pair[]> {
	const params = new Params();
	planOf(scope, true);
	const points = `name = '${PING}' AND ${between(params, "ts", scope.start, scope.end)}`;
	return {
		name: "pings.pairs",
		params,
		sql: `SELECT a, b, quantileExactInclusive(0.5)(value) AS median_ms
FROM (SELECT series_id, value ${from("points", points)}) AS found
INNER JOIN (SELECT DISTINCT series_id, least(tags['src'], tags['dst']) AS a, greatest(tags['src'], tags['dst']) AS b
	${from("series", `${OF_PAIR} AND ${ANSWERED}`)}) AS of USING (series_id)
GROUP BY a, b ORDER BY a, b`,
		read: (rows) => rows as unknown as Pair[],
	};
}

export interface Peer extends Packets {
	readonly peer_id: string;
	/** Milliseconds; null when nothing came back. */
	readonly p50_ms: number | null;
	readonly p95_ms: number | null;
	readonly answers: number;
	/** Of the last ping that came back, milliseconds since the epoch. */
	readonly last_seen: number | null;
}

/** What each node's pings say, whichever end it was, of raw points. @throws RetentionError when they are no longer kept */
export function peers(scope: Scope): Question<Peer[]> {
	const params = new Params();
	planOf(scope, true);
	const points = `name = '${PING}' AND ${between(params, "ts", scope.start, scope.end)}`;
	return {
		name: "pings.peers",
		params,
		sql: `SELECT peer_id, quantilesExactInclusive(0.5, 0.95)(if(answered, value, NULL)) AS latency, countIf(answered) AS answers,
	sumIf(packets, isNotNull(back)) AS sent, sumIf(back, isNotNull(packets)) AS received,
	if(answers = 0, NULL, toUnixTimestamp64Milli(maxIf(ts, answered))) AS last_seen
FROM (SELECT series_id, ts, value ${from("points", points)}) AS found
INNER JOIN (SELECT DISTINCT series_id, arrayJoin([tags['src'], tags['dst']]) AS peer_id, ${ANSWERED} AS answered,
	${SENT} AS packets, ${RECEIVED} AS back ${from("series", OF_PAIR)}) AS of USING (series_id)
GROUP BY peer_id ORDER BY peer_id`,
		read: (rows) =>
			rows.map((row) => {
				const { latency, ...peer } = row as unknown as Peer & { latency: readonly (number | null)[] };
				return {
					...peer,
					p50_ms: peer.answers === 0 ? null : latency[0]!,
					p95_ms: peer.answers === 0 ? null : latency[1]!,
				};
			}),
	};
}

/** Bytes in and out of each host, by the id or name that its series carry. */
export function bytesByHost(scope: Scope): Question<Map<string, number>> {
	const params = new Params();
	const rows = seriesRows(params, { plan: planOf(scope), where: named(params, [NETWORK_IO]), columns: ["sum"] });
	return {
		name: "bytes_by_host",
		params,
		sql: `SELECT host, sum(sum) AS bytes FROM ${rows} AS found
INNER JOIN (SELECT DISTINCT series_id, ${HOST} AS host ${from("series", `${named(params, [NETWORK_IO])} AND ${HOST} != ''`)}) AS of
USING (series_id) GROUP BY host`,
		read: (found) => new Map(found.map((row) => [row.host as string, row.bytes as number])),
	};
}
