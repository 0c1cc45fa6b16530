/** Runs of one check: how many, how long they took by phase, and which failed. */
import { between } from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";
import { CHECK } from "./availability.ts";
import type { Scope } from "./scope.ts";

export const PHASES = ["dns", "connect", "tls", "ttfb", "download"] as const;
export type RunPhases = Readonly<Record<(typeof PHASES)[number], number | null>>;

export interface CheckRuns {
	readonly runs: number;
	readonly failures: number;
	/** Milliseconds, of the runs that were ok. */
	readonly p50: number | null;
	readonly p95: number | null;
	/** Medians of the runs that were ok, milliseconds. */
	readonly phases: RunPhases;
	/** Of the newest run that knows. */
	readonly tls_days_left: number | null;
	readonly last: {
		/** Milliseconds since the epoch. */
		readonly ts: number;
		readonly ok: boolean;
		readonly degraded: boolean;
		readonly error: string | null;
	};
}

const known = (name: string) => `if(mapContains(numbers, '${name}'), numbers['${name}'], NULL)`;
const OK = "strings['ok'] = 'true'";

/** By location (`""` for runs without one), and under null of all together; a check without a run is empty. */
export function checkRuns(scope: Scope, check_id: string): Question<Map<string | null, CheckRuns>> {
	const params = new Params();
	const phases = PHASES.map((phase) => `quantileExactIf(0.5)(${known(`${phase}_ms`)}, ok) AS ${phase}`);
	const columns = [
		...[
			"ts",
			`strings['location'] AS location`,
			`${OK} AS ok`,
			`strings['status'] AS status`,
			"strings['error'] AS error",
		],
		"numbers",
	];
	return {
		name: "check_runs",
		params,
		sql: `SELECT location, grouping(location) AS of_all, count() AS runs, countIf(NOT ok) AS failures,
	quantileExactIf(0.5)(${known("duration_ms")}, ok) AS p50, quantileExactIf(0.95)(${known("duration_ms")}, ok) AS p95,
	${phases.join(", ")},
	argMaxIf(numbers['tls_days_left'], ts, mapContains(numbers, 'tls_days_left')) AS tls_days_left,
	countIf(mapContains(numbers, 'tls_days_left')) AS with_tls,
	toUnixTimestamp64Milli(max(ts)) AS last_ts, argMax((ok, status, error), ts) AS last
FROM (SELECT ${columns.join(", ")} ${from("events", runsOf(params, scope, check_id))})
GROUP BY GROUPING SETS ((location), ()) HAVING runs > 0`,
		read: (rows) => new Map(rows.map((row) => [row.of_all === 1 ? null : (row.location as string), toRuns(row)])),
	};
}

function toRuns(row: Row): CheckRuns {
	const [ok, status, error] = row.last as [number | boolean, string, string];
	const number = (value: unknown) => (value as number | null) ?? null;
	return {
		...{ runs: row.runs as number, failures: row.failures as number, p50: number(row.p50), p95: number(row.p95) },
		phases: Object.fromEntries(PHASES.map((phase) => [phase, number(row[phase])])) as unknown as RunPhases,
		tls_days_left: row.with_tls === 0 ? null : number(row.tls_days_left),
		last: {
			...{ ts: row.last_ts as number, ok: Boolean(ok), degraded: status === "degraded" },
			error: error === "" ? null : error,
		},
	};
}

export interface FailedRun {
	readonly ts: number;
	readonly location: string;
	readonly status_code: number | null;
	readonly duration_ms: number | null;
	readonly error: string | null;
}

/** Runs that failed, the newest first. */
export function failedRuns(scope: Scope, check_id: string, limit: number): Question<FailedRun[]> {
	const params = new Params();
	return {
		name: "failed_runs",
		params,
		sql: `SELECT toUnixTimestamp64Milli(ts) AS ts_ms, strings['location'] AS location, ${known("status_code")} AS status_code,
	${known("duration_ms")} AS duration_ms, nullIf(strings['error'], '') AS error
${from("events", `${runsOf(params, scope, check_id)} AND NOT ${OK}`)}
ORDER BY ts DESC, location LIMIT ${params.add("UInt32", limit)}`,
		read: (rows) => rows.map(({ ts_ms, ...row }) => ({ ts: ts_ms, ...row }) as unknown as FailedRun),
	};
}

function runsOf(params: Params, scope: Scope, check_id: string): string {
	const check = params.add("String", check_id);
	return `event = '${CHECK}' AND ${between(params, "ts", scope.start, scope.end)} AND strings['check_id'] = ${check}`;
}

/** Where a test stands, of the last run of each of its locations. @param quorum how many must fail for it to be down */
export function standingOf(
	runs: readonly { readonly ok: boolean; readonly degraded: boolean }[],
	quorum: number,
): "healthy" | "degraded" | "down" | null {
	if (runs.length === 0) return null;
	const failing = runs.filter(({ ok }) => !ok).length;
	if (failing >= quorum) return "down";
	return failing > 0 || runs.some(({ degraded }) => degraded) ? "degraded" : "healthy";
}
