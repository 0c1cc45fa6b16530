/** Nodes that are alive: a heartbeat within two of its intervals. */
import { between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Scope } from "./scope.ts";

export const HEARTBEAT = "node.heartbeat";
/** Of a heartbeat that does not say. */
export const DEFAULT_INTERVAL_SECONDS = 60;
/** Heartbeats further back keep nobody alive: intervals up to three hours. */
const LOOKBACK_MS = 6 * 3_600_000;

export interface Nodes {
	readonly active: number;
	/** A beat was missed three times. */
	readonly lost: number;
	/** All that were heard within the lookback. */
	readonly known: number;
}

/** Nodes by component (`""` for none) at the end of the scope. */
export function nodes(scope: Scope): Question<Map<string, Nodes>> {
	const params = new Params();
	return {
		name: "nodes",
		params,
		sql: `SELECT component, countIf(age <= 2 * interval) AS active, countIf(age > 3 * interval) AS lost, count() AS known
FROM ${lastBeats(params, scope)} GROUP BY component`,
		read: (rows) => new Map(rows.map((row) => [row.component as string, row as unknown as Nodes])),
	};
}

/** Names of the nodes that are alive at the end of the scope. */
export function activeNodes(scope: Scope): Question<ReadonlySet<string>> {
	const params = new Params();
	return {
		name: "nodes.active",
		params,
		sql: `SELECT DISTINCT node FROM ${lastBeats(params, scope)} WHERE age <= 2 * interval`,
		read: (rows) => new Set(rows.map((row) => row.node as string)),
	};
}

/** A subquery: seconds since each node's last heartbeat (`age`), and between two of them as it says (`interval`). */
function lastBeats(params: Params, scope: Scope): string {
	const end = params.add("Int64", scope.end);
	return `(
	SELECT strings['component'] AS component, strings['node_id'] AS node,
		(${end} - toUnixTimestamp64Milli(max(ts))) / 1000 AS age,
		argMax(if(numbers['interval_s'] > 0, numbers['interval_s'], ${DEFAULT_INTERVAL_SECONDS}), ts) AS interval
	${from("events", `event = '${HEARTBEAT}' AND ${between(params, "ts", scope.end - LOOKBACK_MS, scope.end)}`)}
	GROUP BY component, node
)`;
}
