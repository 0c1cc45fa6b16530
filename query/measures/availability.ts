/** Availability over time: the share of the observed time in which probes were good. It is not one minus the error rate. */
import { between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { DEFAULT_INTERVAL_SECONDS, HEARTBEAT } from "./nodes.ts";
import type { Scope } from "./scope.ts";

export const CHECK = "check.completed";

export interface Availability {
	/** Percent; null when nothing was observed. */
	readonly percentage: number | null;
	/** Observed share of the window, of the average probe. */
	readonly observed_fraction: number;
}

/**
 * By results of checks: a result holds until the next, at most two intervals (the median gap) of its check and place.
 * @param components critical ones; none means all that have checks
 */
export function availabilityByChecks(scope: Scope, components: readonly string[]): Question<Availability> {
	const params = new Params();
	const only = components.length === 0 ? "1" : `strings['component'] IN ${params.add("Array(String)", components)}`;
	return {
		name: "availability.checks",
		params,
		sql: `SELECT ${HELD_SUMS} FROM (${heldResults(params, scope, only)})`,
		read: (rows) => toAvailability(rows[0], scope),
	};
}

/** The same of one check, by location, and under null of all its locations. */
export function availabilityOfCheck(scope: Scope, check_id: string): Question<Map<string | null, Availability>> {
	const params = new Params();
	const held = heldResults(params, scope, `strings['check_id'] = ${params.add("String", check_id)}`);
	return {
		name: "availability.check",
		params,
		sql: `SELECT location, grouping(location) AS of_all, ${HELD_SUMS} FROM (${held}) GROUP BY GROUPING SETS ((location), ())`,
		read: (rows) =>
			new Map(rows.map((row) => [row.of_all === 1 ? null : (row.location as string), toAvailability(row, scope)])),
	};
}

const HELD_SUMS =
	"sum(arraySum(held)) AS observed, sum(arraySum(arrayMap((d, o) -> d * o, held, ok))) AS good, count() AS probes";

/** For each check and place, how long each of its results held. */
function heldResults(params: Params, scope: Scope, where: string): string {
	return `SELECT strings['location'] AS location,
		arraySort(x -> x.1, groupArray((toUnixTimestamp64Milli(ts), toUInt8(strings['ok'] = 'true')))) AS results,
		results.1 AS times, results.2 AS ok,
		arrayPopFront(arrayPushBack(times, ${params.add("Int64", scope.end)})) AS next,
		arrayMap((a, b) -> b - a, times, next) AS gaps,
		if(length(times) > 1, arrayReduce('quantileExact', arrayPopBack(gaps)), ${DEFAULT_INTERVAL_SECONDS * 1_000}) AS usual,
		arrayMap(gap -> least(gap, 2 * usual), gaps) AS held
	${from("events", `event = '${CHECK}' AND ${between(params, "ts", scope.start, scope.end)} AND ${where}`)}
	GROUP BY strings['check_id'], strings['component'], location`;
}

/** By heartbeats of nodes: a gap is good up to two intervals and bad beyond. */
export function availabilityByHeartbeats(scope: Scope, components: readonly string[]): Question<Availability> {
	const params = new Params();
	const only = components.length === 0 ? "1" : `strings['component'] IN ${params.add("Array(String)", components)}`;
	return {
		name: "availability.heartbeats",
		params,
		sql: `SELECT sum(arraySum(gaps)) AS observed, sum(arraySum(arrayMap(gap -> least(gap, 2 * usual), gaps))) AS good, count() AS probes
FROM (
	SELECT arraySort(groupArray(toUnixTimestamp64Milli(ts))) AS times,
		arrayMap((a, b) -> b - a, times, arrayPopFront(arrayPushBack(times, ${params.add("Int64", scope.end)}))) AS gaps,
		toInt64(1000 * argMax(if(numbers['interval_s'] > 0, numbers['interval_s'], ${DEFAULT_INTERVAL_SECONDS}), ts)) AS usual
	${from("events", `event = '${HEARTBEAT}' AND ${between(params, "ts", scope.start, scope.end)} AND ${only}`)}
	GROUP BY strings['node_id']
)`,
		read: (rows) => toAvailability(rows[0], scope),
	};
}

function toAvailability(row: Readonly<Record<string, unknown>> | undefined, scope: Scope): Availability {
	const observed = Number(row?.observed ?? 0);
	const probes = Number(row?.probes ?? 0);
	if (observed === 0) return { percentage: null, observed_fraction: 0 };
	return {
		percentage: (100 * Number(row?.good)) / observed,
		observed_fraction: observed / (probes * (scope.end - scope.start)),
	};
}
