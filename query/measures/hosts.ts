/** Hosts: utilisation of processor and memory, and what disks and networks moved. */
import type { LivePart } from "../../schema/live/frames.ts";
import { seriesRows } from "../plan/scan.ts";
import { meanOf } from "../quotient.ts";
import { from, Params, type Question } from "../sql.ts";
import { ALL, type Among, amongSql, type Grouped, tagOf } from "./among.ts";
import { planOf, type Scope } from "./scope.ts";
import { HOST, named, ofComponent, seriesWhere } from "./series.ts";

export const CPU = "system.cpu.utilization";
/** Running totals of processors by mode: what used processors are told by where no utilisation is sent. */
export const CPU_TIME = "system.cpu.time";
export const MEMORY = "system.memory.utilization";
export const DISK_IO = "system.disk.io";
export const NETWORK_IO = "system.network.io";
export const FILESYSTEM = "system.filesystem.utilization";
export const FILESYSTEM_USAGE = "system.filesystem.usage";
export const GPU = "gpu.utilization";

/** Collectors that send a share for each mode of a processor: what is used is what is not idle. */
const MODE = "if(tags['cpu.mode'] != '', tags['cpu.mode'], tags['state'])";
export const IDLE = `name IN ('${CPU}', '${CPU_TIME}') AND ${MODE} = 'idle'`;
const MEMORY_STATE = "if(tags['system.memory.state'] != '', tags['system.memory.state'], tags['state'])";
const FILESYSTEM_STATE = "if(tags['system.filesystem.state'] != '', tags['system.filesystem.state'], tags['state'])";
/** Series that say how much is used, on `name` and `tags`. */
export const USED =
	`(name = '${CPU}' AND ${MODE} IN ('', 'idle')) OR (name = '${MEMORY}' AND ${MEMORY_STATE} IN ('', 'used')) ` +
	`OR (name = '${FILESYSTEM}' AND ${FILESYSTEM_STATE} IN ('', 'used')) OR name = '${GPU}'`;

/** Ratios. */
export interface Utilization {
	/** Mean over hosts of each host's mean. */
	readonly host_mean: number;
	/** Mean of all samples. */
	readonly sample_mean: number;
	/** Largest single sample; null of running totals, which have none. */
	readonly peak: number | null;
}

/**
 * Utilisation by metric name and start of the bucket; a bucket without a sample is absent. Without any sample of processors it is
 * what was not idle of their increasing times.
 */
export function utilization(scope: Scope): Question<Record<string, Map<number, Utilization>>> {
	const question = utilizationAmong(scope, ALL);
	return {
		...question,
		name: "utilization",
		read: (rows) => {
			const found = question.read(rows);
			const byBucket = (name: string) => new Map(found[name]!.map((one) => [one.t, one]));
			return { [CPU]: byBucket(CPU), [MEMORY]: byBucket(MEMORY) };
		},
	};
}

/** {@link utilization} of some series, apart by their tags: the mean is over the hosts of each group. */
export function utilizationAmong(scope: Scope, among: Among): Question<Record<string, Grouped<Utilization>[]>> {
	const params = new Params();
	const names = [CPU, MEMORY, CPU_TIME];
	const rows = seriesRows(params, {
		plan: planOf(scope),
		buckets: scope.buckets,
		where: named(params, names),
		columns: ["n", "sum", "min", "max"],
	});
	const component = scope.component === undefined ? "1" : ofComponent(params, scope.component);
	const { where, group } = amongSql(params, among, tagOf);
	const series = `${named(params, names)} AND (${USED} OR name = '${CPU_TIME}') AND (${component}) AND ${where}`;
	// Of times the total is what was busy, and the seconds stand for the samples.
	return {
		name: "utilization_among",
		params,
		sql: `SELECT group, t, name, avg(total / samples) AS host_mean, sum(total) / sum(samples) AS sample_mean, max(top) AS peak
FROM (
	SELECT group, t, found.name AS name, host, sum(multiIf(timed, if(idle, 0, sum), idle, n - sum, sum)) AS total,
		sum(if(timed, sum, toFloat64(n))) AS samples, maxOrNullIf(if(idle, 1 - min, max), NOT timed) AS top
	FROM ${rows} AS found
	INNER JOIN (SELECT DISTINCT series_id, ${group}, ${HOST} AS host, (${IDLE}) AS idle, name = '${CPU_TIME}' AS timed
		${from("series", series)}) AS of USING (series_id)
	GROUP BY group, t, name, host HAVING samples > 0
) GROUP BY group, t, name`,
		read: (found) => {
			const of = (name: string) => found.filter((row) => row.name === name) as unknown as Grouped<Utilization>[];
			const sampled = of(CPU);
			return { [CPU]: sampled.length > 0 ? sampled : of(CPU_TIME), [MEMORY]: of(MEMORY) };
		},
	};
}

/** `host_mean` of {@link utilization}, of parts of one name that have just become durable; null without a sample that says what is used. */
export function hostMean(parts: readonly LivePart[]): number | null {
	const byHost = new Map<string, { total: number; samples: number }>();
	for (const part of parts) {
		if (!saysUsed(part)) continue;
		const host = part.tags["host.id"] || part.tags["host.name"] || "";
		const sums = byHost.get(host) ?? { total: 0, samples: 0 };
		// Of idle shares n - sum was used.
		sums.total += usedShare({ ...part, value: part.sum / part.n }) * part.n;
		sums.samples += part.n;
		byHost.set(host, sums);
	}
	return meanOf([...byHost.values()].map(({ total, samples }) => total / samples));
}

/** Mean utilisation over the hosts of each component: the higher one of processor and memory, a ratio. */
export function utilizationByComponent(scope: Scope): Question<Map<string, number>> {
	const params = new Params();
	const names = [CPU, MEMORY];
	const rows = seriesRows(params, { plan: planOf(scope), where: named(params, names), columns: ["n", "sum"] });
	return {
		name: "utilization_by_component",
		params,
		sql: `SELECT component, max(mean) AS utilization FROM (
	SELECT component, name, avg(total / samples) AS mean FROM (
		SELECT component, found.name AS name, host, sum(if(idle, n - sum, sum)) AS total, sum(n) AS samples
		FROM ${rows} AS found
		INNER JOIN (SELECT DISTINCT series_id, component, ${HOST} AS host, (${IDLE}) AS idle
			${from("series", `${named(params, names)} AND (${USED}) AND component != ''`)}) AS of USING (series_id)
		GROUP BY component, name, host
	) GROUP BY component, name
) GROUP BY component`,
		read: (found) => new Map(found.map((row) => [row.component as string, row.utilization as number])),
	};
}

/** The used share that a last value of a utilisation gauge says, where processors are told by mode. */
export function usedShare(last: {
	readonly name: string;
	readonly tags: Readonly<Record<string, string>>;
	readonly value: number;
}): number {
	const idle = last.name === CPU && (last.tags["cpu.mode"] || last.tags.state) === "idle";
	return idle ? 1 - last.value : last.value;
}

/** Whether a last value says how much is used: of processors told by mode only the idle share does. */
export function saysUsed(last: { readonly name: string; readonly tags: Readonly<Record<string, string>> }): boolean {
	if (last.name === CPU) return ["", "idle"].includes(last.tags["cpu.mode"] || last.tags.state || "");
	if (last.name === MEMORY) return ["", "used"].includes(last.tags["system.memory.state"] || last.tags.state || "");
	const isVolume = last.name === FILESYSTEM || last.name === FILESYSTEM_USAGE;
	return !isVolume || ["", "used"].includes(last.tags["system.filesystem.state"] || last.tags.state || "");
}

/** Bytes moved. */
export interface Moved {
	readonly in: number;
	readonly out: number;
}

/**
 * Bytes that disks (`in` is read, `out` is written) or networks moved, by start of the bucket. Points of a running total are
 * increases already, so the sum is what was moved. A bucket without a point is absent.
 */
export function moved(scope: Scope, name: typeof DISK_IO | typeof NETWORK_IO): Question<Map<number, Moved>> {
	const params = new Params();
	const tag = name === DISK_IO ? "disk.io.direction" : "network.io.direction";
	const outward = name === DISK_IO ? "write" : "transmit";
	const direction = `if(tags['${tag}'] != '', tags['${tag}'], tags['direction'])`;
	const all = named(params, [name]);
	const { component } = scope;
	const rows = seriesRows(params, {
		plan: planOf(scope),
		buckets: scope.buckets,
		where: component === undefined ? all : `${all} AND ${seriesWhere(params, [name], ofComponent(params, component))}`,
		columns: ["sum"],
	});
	const isOut = seriesWhere(params, [name], `${direction} = ${params.add("String", outward)}`);
	return {
		name: `moved.${name}`,
		params,
		sql: `SELECT t, sumIf(sum, NOT outward) AS \`in\`, sumIf(sum, outward) AS \`out\`
FROM (SELECT t, sum, ${isOut} AS outward FROM ${rows}) GROUP BY t`,
		read: (found) => new Map(found.map((row) => [row.t as number, { in: row.in as number, out: row.out as number }])),
	};
}
