/** Parts of the system: which ever reported, what is known of each now, and the rules that make a state of it. */
import { between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { CHECK } from "./availability.ts";
import { HEARTBEAT } from "./nodes.ts";
import type { Scope } from "./scope.ts";
import { TRANSACTION_EVENT } from "./services.ts";

export type State = "healthy" | "degraded" | "down" | "unknown";

const LOOKBACK_MS = 24 * 3_600_000;

/** What a component has sent, by name: metrics ever, events (there may be thousands a second) within a day. */
export function components(scope: Scope): Question<Map<string, Set<string>>> {
	const params = new Params();
	const first = params.add("Int64", scope.end);
	const events = params.add("Array(String)", [CHECK, HEARTBEAT, TRANSACTION_EVENT]);
	return {
		name: "components",
		params,
		sql: `SELECT component, groupUniqArray(name) AS names FROM (
	SELECT component, name ${from("series", `component != '' AND toUnixTimestamp64Milli(first_seen) < ${first}`)}
	UNION ALL
	SELECT DISTINCT strings['component'] AS component, event AS name
	${from("events", `event IN ${events} AND ${between(params, "ts", scope.end - LOOKBACK_MS, scope.end)}`)}
) WHERE component != '' GROUP BY component ORDER BY component`,
		read: (rows) => new Map(rows.map((row) => [row.component as string, new Set(row.names as string[])])),
	};
}

/** The newest results of a component's checks. */
export interface CheckResults {
	/** Checks (by place) whose last two results both failed; all places of a check of which as many as its quorum did. */
	readonly failing: number;
	/** Checks with a result that is not older than three of their intervals. */
	readonly reporting: number;
	readonly checks: number;
}

/** Check results by component at the end of the scope. */
export function checkResults(scope: Scope): Question<Map<string, CheckResults>> {
	const params = new Params();
	const end = params.add("Int64", scope.end);
	return {
		name: "check_results",
		params,
		sql: `SELECT component, sum(places) AS checks, sum(if(quorum > 0 AND bad >= quorum, places, bad)) AS failing, sum(fresh) AS reporting
FROM (
SELECT component, check_id, count() AS places, countIf(length(results) > 1 AND NOT results[1] AND NOT results[2]) AS bad,
	countIf(${end} - last <= 3 * greatest((last - first) / greatest(n - 1, 1), 60000)) AS fresh, argMax(of_last, last) AS quorum
FROM (
	SELECT strings['component'] AS component, strings['check_id'] AS check_id, argMax(numbers['quorum'], ts) AS of_last,
		arrayMap(x -> x.2, arrayReverseSort(x -> x.1, groupArray((toUnixTimestamp64Milli(ts), strings['ok'] = 'true')))) AS results,
		toUnixTimestamp64Milli(max(ts)) AS last, toUnixTimestamp64Milli(min(ts)) AS first, count() AS n
	${from("events", `event = '${CHECK}' AND ${between(params, "ts", scope.end - LOOKBACK_MS, scope.end)}`)}
	GROUP BY component, check_id, strings['location']
) GROUP BY component, check_id
) GROUP BY component`,
		read: (rows) => new Map(rows.map((row) => [row.component as string, row as unknown as CheckResults])),
	};
}

/** What the rules look at. Absent is what the component does not send. */
export interface Evidence {
	readonly checks?: CheckResults | undefined;
	readonly nodes?: { readonly active: number; readonly lost: number } | undefined;
	readonly requests?: number | undefined;
	readonly error_rate?: number | null | undefined;
	readonly latency_p95_ms?: number | null | undefined;
	/** Highest of the fresh utilisation gauges, ratio. */
	readonly utilization?: number | undefined;
	/** Anything else within its usual interval. */
	readonly reporting?: boolean;
}

/** Thresholds of the rules, version 1. */
export interface ComponentRules {
	readonly error_rate: number;
	/** No bound by default: what is slow differs from part to part. */
	readonly latency_p95_ms: number | null;
	readonly utilization: number;
	/** Fewer requests than this prove no error rate. */
	readonly minRequests: number;
}

export const DEFAULT_RULES: ComponentRules = {
	error_rate: 0.05,
	latency_p95_ms: null,
	utilization: 0.9,
	minRequests: 20,
};

/** The state of a component: the first rule that holds. */
export function stateOf(evidence: Evidence, rules: ComponentRules = DEFAULT_RULES): State {
	const { checks, nodes } = evidence;
	if (checks !== undefined && checks.reporting > 0 && checks.failing === checks.checks) return "down";
	if (nodes !== undefined && nodes.active === 0 && nodes.lost > 0) return "down";
	const enough = (evidence.requests ?? 0) >= rules.minRequests;
	if (checks !== undefined && checks.reporting > 0 && checks.failing > 0) return "degraded";
	if (enough && (evidence.error_rate ?? 0) > rules.error_rate) return "degraded";
	if (enough && rules.latency_p95_ms !== null && (evidence.latency_p95_ms ?? 0) > rules.latency_p95_ms)
		return "degraded";
	if ((evidence.utilization ?? 0) > rules.utilization) return "degraded";
	const heard =
		(checks?.reporting ?? 0) > 0 ||
		(nodes?.active ?? 0) > 0 ||
		(evidence.requests ?? 0) > 0 ||
		evidence.utilization !== undefined;
	return heard || evidence.reporting === true ? "healthy" : "unknown";
}

/** The worst of all, by what is critical. */
export function overallState(
	states: Iterable<{ readonly state: State; readonly critical: boolean }>,
): "healthy" | "degraded" | "unhealthy" | "unknown" {
	const all = [...states];
	if (all.every(({ state }) => state === "unknown")) return "unknown";
	if (all.some(({ state, critical }) => critical && state === "down")) return "unhealthy";
	return all.some(({ state }) => state === "degraded" || state === "down") ? "degraded" : "healthy";
}

const WEIGHTS = { critical: 3, normal: 1 } as const;
const POINTS: Readonly<Record<Exclude<State, "unknown">, number>> = { healthy: 1, degraded: 0.5, down: 0 };

/** 100 × Σ weight × points / Σ weight, over components whose state is known; null without one. */
export function healthScore(states: Iterable<{ readonly state: State; readonly critical: boolean }>): number | null {
	let [points, weights] = [0, 0];
	for (const { state, critical } of states) {
		if (state === "unknown") continue;
		const weight = critical ? WEIGHTS.critical : WEIGHTS.normal;
		points += weight * POINTS[state];
		weights += weight;
	}
	return weights === 0 ? null : (100 * points) / weights;
}
