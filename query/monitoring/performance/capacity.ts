/** How full the fullest resource is, when resources run out, and what to add until then. */
import { Temporal } from "temporal-polyfill";
import type { PerformanceAnswer } from "../../../schema/wire/index.ts";
import {
	CAPACITY_RULES,
	type CapacityResource,
	nodesToAdd,
	type Projection,
	project,
	storageToAdd,
} from "../../measures/capacity.ts";
import { type DailyPeaks, dailyPeaks, type UnitUtilization } from "../../measures/saturation.ts";
import type { Scope } from "../../measures/scope.ts";
import { framesOf } from "../../points.ts";
import { ratio, significant } from "../../rounding.ts";
import type { Asker } from "../../run.ts";
import { alignDown, bucketsOver } from "../../time/buckets.ts";
import type { Window } from "../../time/window.ts";

const DAY_MS = 86_400_000;

export interface Projected {
	readonly resource: CapacityResource;
	/** The component, else the host. */
	readonly place: string;
	readonly projection: Projection;
}

/** Projections of all resources, the first to run out first. @throws RetentionError */
export async function projections(asker: Asker, scope: Scope, window: Window): Promise<Projected[]> {
	const { timezone, end } = window;
	const start = alignDown(end - CAPACITY_RULES.history_days * DAY_MS, "1d", timezone);
	const buckets = bucketsOver(start, end, "1d", timezone);
	const peaks = await asker.ask(dailyPeaks({ ...scope, start, end, buckets }));
	// The last day is not over: its peak may be still to come.
	const days = framesOf({ ...window, start, end, buckets }).flatMap(({ t, partial }, day) =>
		partial ? [] : [{ t, day }],
	);
	const today = buckets.starts.length - (buckets.end * 1_000 > end ? 1 : 0);
	const found = peaks.flatMap(({ resource, place, days: of }: DailyPeaks): Projected[] => {
		const points = days.flatMap(({ t, day }) => (of.has(t) ? [[day, of.get(t)!] as const] : []));
		const projection = project(points, resource, today);
		return projection ? [{ resource, place, projection }] : [];
	});
	return found.sort((a, b) => a.projection.day - b.projection.day);
}

/** @param units how full everything was in the last 24 hours; undefined when that is no longer kept */
export function capacityAnalysis(
	units: readonly UnitUtilization[] | undefined,
	projected: readonly Projected[] | undefined,
	{ end, timezone }: Window,
): PerformanceAnswer["capacity_analysis"] {
	const fullest = [...(units ?? [])].sort((a, b) => b.p95 - a.p95)[0];
	const firstDay = Temporal.Instant.fromEpochMilliseconds(
		alignDown(end - CAPACITY_RULES.history_days * DAY_MS, "1d", timezone),
	)
		.toZonedDateTimeISO(timezone)
		.toPlainDate();
	const dateOf = (day: number) =>
		new Date(firstDay.add({ days: day }).toZonedDateTime(timezone).epochMilliseconds).toISOString();
	const all = (projected ?? []).map(({ resource, place, projection }) => ({
		resource,
		component: place,
		limit: CAPACITY_RULES.limits[resource],
		date: dateOf(projection.day),
		confidence_interval: {
			earliest: projection.earliest === null ? null : dateOf(projection.earliest),
			latest: projection.latest === null ? null : latestDate(projection.latest, dateOf),
		},
		slope_per_day: significant(projection.slope_per_day)!,
		r_squared: ratio(projection.r_squared)!,
		utilization_at_horizon: ratio(projection.at_horizon)!,
	}));
	return {
		current_utilization: ratio(fullest?.p95),
		binding_resource: fullest
			? { resource: fullest.resource, component: fullest.place, host: fullest.host, device: fullest.device }
			: null,
		projected_capacity_limit: all[0]?.date ?? null,
		confidence_interval: all[0]?.confidence_interval ?? null,
		projections: all,
		scaling_recommendations: recommendations(units ?? [], projected ?? []),
	};
}

/** A slope near 0 crosses after the end of the calendar: as good as never. */
function latestDate(day: number, dateOf: (day: number) => string): string | null {
	return day > 100 * 365 ? null : dateOf(day);
}

/** What to add, once a component: nodes for processors, memory and graphics processors, percent of storage. */
function recommendations(units: readonly UnitUtilization[], projected: readonly Projected[]): string[] {
	const nodes = new Map<string, number>();
	const storage = new Map<string, number>();
	for (const { resource, place, projection } of projected) {
		const to = resource === "storage" ? storage : nodes;
		const hosts = new Set(
			units.filter((unit) => unit.resource === resource && unit.place === place).map(({ host }) => host),
		);
		const add =
			resource === "storage" ? storageToAdd(projection.at_horizon) : nodesToAdd(hosts.size, projection.at_horizon);
		if (add > 0) to.set(place, Math.max(add, to.get(place) ?? 0));
	}
	return [
		...[...nodes].map(([place, n]) => `Add ${n} additional ${place} ${n === 1 ? "node" : "nodes"}`),
		...[...storage].map(([place, percent]) => `Increase storage capacity of ${place} by ${percent}%`),
	];
}
