/** How full each resource is: processors, memory, graphics processors and volumes, connection pools, queues. */
import { FAILED } from "../../schema/failed-requests.ts";
import { bucketOf, seriesRows } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { type Buckets, bucketsOver } from "../time/buckets.ts";
import type { CapacityResource } from "./capacity.ts";
import { DATABASE_TAG, POOL_STATE } from "./databases.ts";
import { CPU, FILESYSTEM, GPU, IDLE, MEMORY, USED } from "./hosts.ts";
import { planOf, type Scope } from "./scope.ts";
import { HOST, named, seriesWhere } from "./series.ts";
import { DB_CONNECTIONS } from "./services.ts";
import { HTTP_NAMES, TO_MS } from "./traffic.ts";

export const QUEUE_WAIT = "queue.wait_ms";

/** The utilisation gauge of each resource. */
export const GAUGES: Readonly<Record<CapacityResource, string>> = {
	cpu: CPU,
	memory: MEMORY,
	gpu: GPU,
	storage: FILESYSTEM,
};
const GAUGE_NAMES = Object.values(GAUGES);
const RESOURCE_OF = new Map(Object.entries(GAUGES).map(([resource, name]) => [name, resource as CapacityResource]));

/** Hours to look at, by their start in epoch seconds. */
export interface Hours {
	readonly buckets: Buckets;
	readonly starts: readonly number[];
}

const WEEK_MS = 7 * 86_400_000;

/** Quantiles are of the means of minutes; of longer windows than a week of five minutes, or a fleet's minutes fill the memory. */
function moments(scope: Scope): Buckets {
	const step = scope.end - scope.start > WEEK_MS ? "5m" : "1m";
	return bucketsOver(scope.start, scope.end, step, "UTC");
}

/** Only moments (`t`, epoch seconds) of these hours. */
function within(params: Params, hours: Hours | undefined): string {
	if (!hours) return "1";
	return `${bucketOf(params, hours.buckets, "toDateTime(t, 'UTC')")} IN ${params.add("Array(UInt32)", hours.starts)}`;
}

/** The component that a series carries, else its host. */
const PLACE = `multiIf(component != '', component, ${HOST} != '', ${HOST}, 'unknown')`;
/** Volumes and graphics processors are resources of their own; processors and memory are those of the host together. */
const UNIT = `if(name IN ('${CPU}', '${MEMORY}'), ${HOST}, toString(series_id))`;
const DEVICE = ["device", "system.device", "mountpoint", "system.filesystem.mountpoint", "gpu", "hw.id", "hw.name"];
const device = `multiIf(${DEVICE.map((tag) => `tags['${tag}'] != '', tags['${tag}']`).join(", ")}, '')`;

const gaugeSeries = (params: Params) =>
	`(SELECT DISTINCT series_id, ${PLACE} AS place, component AS part, ${HOST} AS host, ${UNIT} AS unit, ${device} AS device, (${IDLE}) AS idle
	${from("series", `${named(params, GAUGE_NAMES)} AND (${USED})`)}) AS of`;

export interface UnitUtilization {
	readonly resource: CapacityResource;
	/** Name of the gauge. */
	readonly metric: string;
	/** The component, else the host. */
	readonly place: string;
	/** `""` for none. */
	readonly component: string;
	readonly host: string;
	readonly device: string;
	/** 0.95 quantile of the moments' means, a ratio. */
	readonly p95: number;
}

/**
 * How full each host, volume and graphics processor was in all but its fullest five percent of the time. Values are taken to four
 * decimals, so that the memory of an exact quantile stays bounded.
 * @throws RetentionError when the tier of the moments is no longer kept
 */
export function utilizationByUnit(scope: Scope, hours?: Hours): Question<UnitUtilization[]> {
	const params = new Params();
	const buckets = moments(scope);
	const rows = seriesRows(params, {
		plan: planOf({ ...scope, buckets }),
		buckets,
		where: named(params, GAUGE_NAMES),
		columns: ["n", "sum"],
	});
	return {
		name: "utilization_by_unit",
		params,
		sql: `SELECT metric, place, part AS component, host, any(label) AS device, quantileExactWeighted(0.95)(round(share, 4), 1) AS p95
FROM (
	SELECT found.name AS metric, place, part, host, unit, any(device) AS label, t, sum(if(idle, n - sum, sum)) / sum(n) AS share
	FROM ${rows} AS found INNER JOIN ${gaugeSeries(params)} USING (series_id)
	WHERE ${within(params, hours)}
	GROUP BY metric, place, part, host, unit, t
) GROUP BY metric, place, part, host, unit ORDER BY p95 DESC, metric, place, host, device`,
		read: (found) =>
			found.map((row) => ({
				...(row as unknown as UnitUtilization),
				resource: RESOURCE_OF.get(row.metric as string)!,
			})),
	};
}

export interface DailyPeaks {
	readonly resource: CapacityResource;
	readonly place: string;
	/** Start of the day in epoch seconds, and the fullest host's or volume's fullest sample, a ratio. */
	readonly days: ReadonlyMap<number, number>;
}

/** Daily peaks of each resource of a component (else host); of a host told by several series the mean of their peaks. */
export function dailyPeaks(scope: Scope): Question<DailyPeaks[]> {
	const params = new Params();
	const rows = seriesRows(params, {
		plan: planOf(scope),
		buckets: scope.buckets,
		where: named(params, GAUGE_NAMES),
		columns: ["min", "max"],
	});
	return {
		name: "daily_peaks",
		params,
		sql: `SELECT metric, place, groupArray((t, peak)) AS days FROM (
	SELECT metric, place, t, max(peak_of_unit) AS peak FROM (
		SELECT metric, place, unit, t, avg(top) AS peak_of_unit FROM (
			SELECT found.name AS metric, place, unit, series_id, t, max(if(idle, 1 - min, max)) AS top
			FROM ${rows} AS found INNER JOIN ${gaugeSeries(params)} USING (series_id)
			GROUP BY metric, place, unit, series_id, t
		) GROUP BY metric, place, unit, t
	) GROUP BY metric, place, t ORDER BY t
) GROUP BY metric, place ORDER BY metric, place`,
		read: (found) =>
			found.map((row) => ({
				resource: RESOURCE_OF.get(row.metric as string)!,
				place: row.place as string,
				days: new Map(row.days as [number, number][]),
			})),
	};
}

export interface PoolUse {
	readonly database: string;
	/** `""` for none. */
	readonly component: string;
	/** 0.95 quantile of connections in use. */
	readonly p95: number;
}

/** @throws RetentionError when the tier of the moments is no longer kept */
export function poolUse(scope: Scope, hours?: Hours): Question<PoolUse[]> {
	const params = new Params();
	const buckets = moments(scope);
	const rows = seriesRows(params, {
		plan: planOf({ ...scope, buckets }),
		buckets,
		where: `${named(params, [DB_CONNECTIONS])} AND ${seriesWhere(params, [DB_CONNECTIONS], `${POOL_STATE} = 'used'`)}`,
		columns: ["n", "sum"],
	});
	return {
		name: "pool_use",
		params,
		sql: `SELECT database, any(part) AS component, quantileExactWeighted(0.95)(round(used, 2), 1) AS p95 FROM (
	SELECT database, any(part) AS part, t, sum(mean) AS used FROM (
		SELECT database, part, series_id, t, sum(sum) / sum(n) AS mean
		FROM ${rows} AS found
		INNER JOIN (SELECT DISTINCT series_id, ${DATABASE_TAG} AS database, component AS part ${from("series", named(params, [DB_CONNECTIONS]))}) AS of
			USING (series_id)
		WHERE ${within(params, hours)} GROUP BY database, part, series_id, t
	) GROUP BY database, t
) GROUP BY database ORDER BY database`,
		read: (found) => found as unknown as PoolUse[],
	};
}

/** Sums over hours of a component. */
export interface Load {
	readonly component: string;
	readonly requests: number;
	readonly failed: number;
	readonly latency_sum_ms: number;
	/** Time in queues; 0 for none. */
	readonly wait_sum_ms: number;
}

/** What each component did in these hours; the scope's buckets are hours. */
export function loadByComponent(scope: Scope, hours?: Hours): Question<Load[]> {
	const params = new Params();
	const names = [...HTTP_NAMES, QUEUE_WAIT];
	const rows = seriesRows(params, {
		plan: planOf({ ...scope, buckets: hours?.buckets }),
		buckets: hours?.buckets,
		where: named(params, names),
		columns: ["n", "sum"],
	});
	const isHttp = `name != '${QUEUE_WAIT}'`;
	return {
		name: "load_by_component",
		params,
		sql: `SELECT part AS component, sumIf(n, ${isHttp}) AS requests, sumIf(n, bad AND ${isHttp}) AS failed,
	sumIf(sum * ${TO_MS}, ${isHttp}) AS latency_sum_ms, sumIf(sum, NOT (${isHttp})) AS wait_sum_ms
FROM (SELECT * FROM ${rows} WHERE ${within(params, hours)}) AS found
INNER JOIN (SELECT DISTINCT series_id, component AS part, (${FAILED}) AS bad ${from("series", `${named(params, names)} AND component != ''`)}) AS of
	USING (series_id)
GROUP BY part ORDER BY part`,
		read: (found) => found as unknown as Load[],
	};
}
