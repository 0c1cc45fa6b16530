/** What is kept of alerts: how rules and instances stand, and their history. */
import {
	ALERT_STATES,
	type AlertState,
	type HistoryKind,
	SEVERITIES,
	type Severity,
} from "../../../schema/wire/index.ts";
import { at } from "../../plan/scan.ts";
import { from, Params, type Question, type Row } from "../../sql.ts";
import type { Standing } from "./machine.ts";

/** Names of instances; the rule itself stands beside them under a name that no instance has. */
export const RULE_ROW = "";

/** Where a row of an instance is the newest; deleted ones are left to `HAVING`. */
const newest = (column: string) => `argMax(${column}, version)`;

export interface InstanceRecord {
	readonly alert_id: string;
	readonly instance: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly standing: Standing;
	/** Milliseconds since the epoch. */
	readonly evaluated_at: number;
}

/** An instance that fires, or will when it goes on. */
export interface BurningAlert {
	readonly alert_id: string;
	readonly instance: string;
	readonly state: "firing" | "pending";
	readonly severity: Severity;
	readonly message: string;
	/** At the last evaluation before `as_of`; of what fires it satisfies the operator. */
	readonly value: number;
	readonly threshold: number;
}

/** What fired or was pending at an instant, the most severe first. @param as_of milliseconds since the epoch */
export function burningAlerts(as_of: number): Question<BurningAlert[]> {
	const params = new Params();
	const end = at(params, as_of);
	const last = (column: string) => `argMax(${column}, (ts, recorded_at))`;
	// An evaluation looks at what lies before its instant. One that is newer than what is asked for has replaced the one before it, and
	// then the values of the change are the last that are known.
	return {
		name: "burning_alerts",
		params,
		sql: `SELECT alert_id, instance, state, severity,
	isNull(seen.value) OR seen.since != since_ms AS stale, if(stale, says, seen.message) AS message,
	if(stale, crossed, assumeNotNull(seen.value)) AS value, bound AS threshold
FROM (
	SELECT alert_id, instance, ${last("to_state")} AS state, ${last("severity")} AS severity, ${last("message")} AS says,
		${last("ifNull(value, nan)")} AS crossed, ${last("ifNull(threshold, nan)")} AS bound, toUnixTimestamp64Milli(max(ts)) AS since_ms
	${from("alert_transitions", `kind = 'transition' AND ts <= ${end}`)}
	GROUP BY alert_id, instance HAVING state IN ('firing', 'pending')
) AS burning
LEFT JOIN (
	SELECT alert_id, instance, JSONExtract(${newest("standing")}, 'value', 'Nullable(Float64)') AS value, ${newest("message")} AS message,
		JSONExtractInt(${newest("standing")}, 'since') AS since
	${from("alert_instances", `instance != '' AND evaluated_at <= ${end}`)} GROUP BY alert_id, instance
) AS seen USING (alert_id, instance)
WHERE isFinite(value) AND isFinite(threshold)
ORDER BY indexOf(${params.add("Array(String)", [...SEVERITIES].reverse())}, severity), state, alert_id, instance LIMIT ${MAX_BURNING}`,
		read: (rows) => rows as unknown as BurningAlert[],
	};
}
const MAX_BURNING = 1_000;

export interface RuleRecord {
	readonly alert_id: string;
	/** Milliseconds since the epoch. */
	readonly evaluated_at: number;
	readonly error: string;
}

/** The most serious first. */
export const SERIOUS: readonly AlertState[] = ["firing", "no_data", "recovering", "pending", "error", "ok"];

export interface InstanceFilter {
	readonly alert_id?: string;
	readonly states?: readonly AlertState[];
	readonly limit: number;
}

/** Instances, the most serious first. */
export function alertInstances({ alert_id, states = ALERT_STATES, limit }: InstanceFilter): Question<InstanceRecord[]> {
	const params = new Params();
	const of = alert_id === undefined ? "1" : `alert_id = ${params.add("String", alert_id)}`;
	const serious = params.add("Array(String)", SERIOUS);
	return {
		name: "alert_instances_of",
		params,
		sql: `SELECT alert_id, instance, ${newest("labels")} AS of_labels, ${newest("standing")} AS stands,
	toUnixTimestamp64Milli(${newest("evaluated_at")}) AS done, ${newest("state")} AS now, ${newest("deleted")} AS gone
${from("alert_instances", `instance != '' AND ${of}`)}
GROUP BY alert_id, instance HAVING NOT gone AND now IN ${params.add("Array(String)", states)}
ORDER BY indexOf(${serious}, now), alert_id, instance LIMIT ${params.add("UInt32", limit)}`,
		read: (rows) =>
			rows.map((row) => ({
				...{ alert_id: row.alert_id as string, instance: row.instance as string },
				labels: row.of_labels as Record<string, string>,
				standing: JSON.parse(row.stands as string) as Standing,
				evaluated_at: row.done as number,
			})),
	};
}

/** States of the instances of every rule, with how many are in each. */
export function alertStates(): Question<Map<string, Map<AlertState, number>>> {
	const params = new Params();
	return {
		name: "alert_states",
		params,
		sql: `SELECT alert_id, now, count() AS n FROM (
	SELECT alert_id, instance, ${newest("state")} AS now, ${newest("deleted")} AS gone ${from("alert_instances", "instance != ''")}
	GROUP BY alert_id, instance HAVING NOT gone
) GROUP BY alert_id, now`,
		read: (rows) => {
			const states = new Map<string, Map<AlertState, number>>();
			for (const { alert_id, now, n } of rows as unknown as { alert_id: string; now: AlertState; n: number }[])
				states.set(alert_id, (states.get(alert_id) ?? new Map<AlertState, number>()).set(now, n));
			return states;
		},
	};
}

/** How far each rule is evaluated. */
export function alertProgress(): Question<Map<string, RuleRecord>> {
	const params = new Params();
	return {
		name: "alert_progress",
		params,
		sql: `SELECT alert_id, toUnixTimestamp64Milli(${newest("evaluated_at")}) AS done, ${newest("error")} AS trouble, ${newest("deleted")} AS gone
${from("alert_instances", "instance = ''")} GROUP BY alert_id HAVING NOT gone`,
		read: (rows) =>
			new Map(
				rows.map(({ alert_id, done, trouble }) => [
					alert_id as string,
					{ alert_id: alert_id as string, evaluated_at: done as number, error: trouble as string },
				]),
			),
	};
}

export interface Firings {
	/** How often it began to fire. */
	readonly count: number;
	/** When it last did, milliseconds since the epoch. */
	readonly last: number;
}

/** A row of the history that begins a firing: one that recovers and fires again goes on. */
const BEGINS = "kind = 'transition' AND to_state = 'firing' AND from_state != 'recovering'";

/** Firings by rule, or of one rule by instance. A repeated evaluation counts once. @param since milliseconds since the epoch */
export function alertFirings({
	alert_id,
	since = 0,
}: {
	alert_id?: string;
	since?: number;
} = {}): Question<Map<string, Firings>> {
	const params = new Params();
	const of = alert_id === undefined ? "1" : `alert_id = ${params.add("String", alert_id)}`;
	const key = alert_id === undefined ? "alert_id" : "instance";
	return {
		name: "alert_firings",
		params,
		sql: `SELECT ${key} AS key, uniqExact(instance, ts) AS n, toUnixTimestamp64Milli(max(ts)) AS last
${from("alert_transitions", `${BEGINS} AND ${of} AND ts >= ${at(params, since)}`)} GROUP BY key`,
		read: (rows) =>
			new Map(rows.map(({ key, n, last }) => [key as string, { count: n as number, last: last as number }])),
	};
}

export interface Acknowledgement {
	readonly firing_id: string;
	/** Milliseconds since the epoch. */
	readonly at: number;
	readonly by: string;
	readonly note: string;
}

/** The first acknowledgement of each of these firings. */
export function acknowledgements(
	alert_id: string,
	firing_ids: readonly string[],
): Question<Map<string, Acknowledgement>> {
	const params = new Params();
	const of = `alert_id = ${params.add("String", alert_id)} AND firing_id IN ${params.add("Array(String)", firing_ids)}`;
	return {
		name: "alert_acknowledgements",
		params,
		sql: `SELECT firing_id, toUnixTimestamp64Milli(min(ts)) AS first, argMin(actor, ts) AS by, argMin(reason, ts) AS note
${from("alert_transitions", `kind = 'acknowledge' AND ${of}`)} GROUP BY firing_id`,
		read: (rows) =>
			new Map(
				rows.map((row) => [
					row.firing_id as string,
					{
						...{ firing_id: row.firing_id as string, at: row.first as number },
						...{ by: row.by as string, note: row.note as string },
					},
				]),
			),
	};
}

export interface HistoryRecord {
	/** Milliseconds since the epoch. */
	readonly ts: number;
	readonly recorded_at: number;
	readonly kind: HistoryKind;
	readonly instance: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly from: string;
	readonly to: string;
	readonly value: number | null;
	readonly threshold: number | null;
	readonly firing_id: string;
	readonly reason: string;
	readonly message: string;
}

export interface HistoryPage {
	readonly kind?: HistoryKind | undefined;
	readonly instance?: string | undefined;
	/** Of what comes after: newest first. */
	readonly after?: { readonly ts: number; readonly kind: string; readonly instance: string } | undefined;
	readonly limit: number;
}

/** The history of a rule, newest first. */
export function alertHistory(
	alert_id: string,
	{ kind, instance, after, limit }: HistoryPage,
): Question<HistoryRecord[]> {
	const params = new Params();
	const where = [
		`alert_id = ${params.add("String", alert_id)}`,
		...(kind === undefined ? [] : [`kind = ${params.add("String", kind)}`]),
		...(instance === undefined ? [] : [`instance = ${params.add("String", instance)}`]),
		...(after === undefined
			? []
			: [
					`ts <= ${at(params, after.ts)}`,
					`(ts, toString(kind), instance) < (${at(params, after.ts)}, ${params.add("String", after.kind)}, ${params.add("String", after.instance)})`,
				]),
	];
	return {
		name: "alert_history",
		params,
		sql: `SELECT toUnixTimestamp64Milli(ts) AS ts_ms, toUnixTimestamp64Milli(recorded_at) AS recorded_ms, kind, instance, labels,
	from_state, to_state, value, threshold, firing_id, reason, message
${from("alert_transitions", where.join(" AND "))}
ORDER BY ts DESC, toString(kind) DESC, instance DESC, recorded_at DESC LIMIT 1 BY ts, kind, instance LIMIT ${params.add("UInt32", limit)}`,
		read: (rows) => rows.map(toHistory),
	};
}

function toHistory(row: Row): HistoryRecord {
	const { ts_ms, recorded_ms, from_state, to_state, ...rest } = row;
	return { ...rest, ts: ts_ms, recorded_at: recorded_ms, from: from_state, to: to_state } as unknown as HistoryRecord;
}
