/** What is measured of every resource in the busiest hours, and where to look at it. */
import type { PerformanceAnswer } from "../../../schema/wire/index.ts";
import { BOTTLENECK_RULES, bottlenecksOf, type Measured, peakHours } from "../../measures/bottlenecks.ts";
import { databasePools } from "../../measures/databases.ts";
import { type Load, loadByComponent, poolUse, QUEUE_WAIT, utilizationByUnit } from "../../measures/saturation.ts";
import { over, type Scope } from "../../measures/scope.ts";
import { DB_CONNECTIONS } from "../../measures/services.ts";
import { HTTP, traffic } from "../../measures/traffic.ts";
import type { Asker } from "../../run.ts";
import { bucketsOver } from "../../time/buckets.ts";
import type { Window } from "../../time/window.ts";

/** Null when nothing tells how full any resource is. @throws RetentionError */
export async function findBottlenecks(
	asker: Asker,
	scope: Scope,
	window: Window,
): Promise<PerformanceAnswer["bottlenecks"]> {
	const buckets = bucketsOver(window.start, window.end, "1h", window.timezone);
	const byHour = await asker.ask(traffic({ ...scope, buckets }));
	const starts = peakHours(new Map([...byHour].map(([hour, { requests }]) => [hour, requests])));
	// A project that sends no requests has no busy hours: all count.
	const hours = starts.length > 0 ? { buckets, starts } : undefined;
	const [units, pools, sizes, loads] = await Promise.all([
		asker.ask(utilizationByUnit(scope, hours)),
		asker.ask(poolUse(scope, hours)),
		asker.ask(databasePools(over(scope, scope.start, scope.end))),
		asker.ask(loadByComponent(scope, hours)),
	]);
	const full: Measured[] = [
		...units.map(({ resource, place, metric, p95, host, device }) => ({
			...{ resource, component: place, metric, value: p95, host, device },
		})),
		...pools.flatMap(({ database, component, p95 }): Measured[] => {
			const size = sizes.get(database)?.size;
			if (!size) return [];
			const value = p95 / size;
			const place = { component: component || database, host: "", device: database };
			return [{ resource: "database_pool", metric: DB_CONNECTIONS, value, ...place }];
		}),
	];
	const found = bottlenecksOf([...full, ...loads.flatMap(sharesOf)]);
	if (full.length === 0 && found.length === 0) return null;
	return found.map(({ component, resource, severity, description, recommendation, ...evidence }) => ({
		...{ component, resource, severity, description, recommendation },
		evidence: {
			metric: evidence.metric,
			value: Number(evidence.value.toFixed(4)),
			threshold: evidence.threshold,
			host: evidence.host,
			device: evidence.device,
			window: {
				start: new Date(window.start).toISOString(),
				end: new Date(window.end).toISOString(),
				hours: hours?.starts.length ?? buckets.starts.length,
			},
			query_link: linkTo({ component, resource, ...evidence }, window),
		},
	}));
}

/** Shares of requests and of their time; of few requests there are none. */
function sharesOf({ component, requests, failed, latency_sum_ms, wait_sum_ms }: Load): Measured[] {
	if (requests < BOTTLENECK_RULES.minimum_requests) return [];
	const at = { component, host: "", device: "" };
	const errors: Measured = { resource: "errors", metric: HTTP, value: failed / requests, ...at };
	if (!(wait_sum_ms > 0 && latency_sum_ms > 0)) return [errors];
	return [errors, { resource: "queue", metric: QUEUE_WAIT, value: wait_sum_ms / latency_sum_ms, ...at }];
}

function linkTo({ resource, metric, component, host }: Measured, { start, end, timezone }: Window): string {
	const asked: Record<string, string> =
		resource === "errors"
			? { metrics: "error_rate", component }
			: resource === "database_pool"
				? { metrics: `${metric}:max`, group_by: "db,state" }
				: {
						metrics: `${metric}:max`,
						...(component === host ? {} : { component }),
						...(host === "" ? {} : { group_by: resource === "storage" ? "host.id,device" : "host.id" }),
					};
	const query = new URLSearchParams({
		...asked,
		start: new Date(start).toISOString(),
		end: new Date(end).toISOString(),
		granularity: "auto",
		timezone,
	});
	return `/v1/monitoring/metrics?${query}`;
}
