/** A run as a record like any other. */
import { createHash } from "node:crypto";
import { CHECK } from "../../query/measures/availability.ts";
import type { SyntheticRun, SyntheticTest } from "../../schema/wire/index.ts";
import type { RunResult } from "./run.ts";

interface Told extends Omit<Run, "result"> {
	readonly result: { readonly [M in keyof RunResult]: RunResult[M] | (M extends "status" ? never : null) };
	/** It is the note of a call that did not come. */
	readonly missed?: boolean;
}

export interface Run {
	readonly test_id: string;
	readonly test: Pick<SyntheticTest, "component" | "frequency_seconds" | "name" | "type"> & {
		readonly quorum?: number;
	};
	/** Undefined for heartbeats. */
	readonly location?: string | undefined;
	/** When it began, milliseconds since the epoch. */
	readonly at: number;
	/** What names the run: the same run told twice counts once. */
	readonly instant: number | string;
	readonly result: RunResult;
}

/** `check.completed`; members that are not known are absent. */
export function checkRecord({ test_id, test, location, at, instant, result, missed }: Told): object {
	const { timings, status, error, attempts, status_code, tls_days_left, duration_ms } = result;
	const known = {
		...{ check_id: test_id, check_name: test.name, check_type: test.type, component: test.component, location },
		...{ ok: status !== "failed", status, attempts, error },
		...{ status_code, duration_ms: duration_ms && tenth(duration_ms) },
		...{ tls_days_left: tls_days_left && tenth(tls_days_left), missed },
		...{ interval_s: test.frequency_seconds, quorum: test.quorum },
		...Object.fromEntries(Object.entries(timings ?? {}).map(([phase, ms]) => [phase, ms === null ? null : tenth(ms)])),
	};
	return {
		event: CHECK,
		event_id: runId(test_id, location, instant),
		timestamp: at,
		properties: Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null && value !== undefined)),
	};
}

/** A run as routes answer it. */
export function runAnswer({ location, at, result }: Run): SyntheticRun {
	const { timings, duration_ms, tls_days_left, status } = result;
	const shown = (ms: number | null | undefined) => (ms === null || ms === undefined ? null : tenth(ms));
	return {
		...{ location: location ?? null, timestamp: new Date(at).toISOString(), ok: status !== "failed", status },
		...{ status_code: result.status_code, duration_ms: shown(duration_ms) },
		timings: {
			...{ dns: shown(timings?.dns_ms), connect: shown(timings?.connect_ms), tls: shown(timings?.tls_ms) },
			...{ ttfb: shown(timings?.ttfb_ms), download: shown(timings?.download_ms) },
		},
		tls_days_left: tls_days_left === null ? null : tenth(tls_days_left),
		...{ attempts: result.attempts, error: result.error },
	};
}

function runId(test_id: string, location: string | undefined, instant: number | string): string {
	return createHash("sha256")
		.update(`${test_id} ${location ?? ""} ${instant}`)
		.digest("hex")
		.slice(0, 32);
}

function tenth(value: number): number {
	return Math.round(value * 10) / 10;
}
