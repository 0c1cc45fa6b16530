import type { z } from "zod";
import type { Definition } from "../../../schema/definitions.ts";
import {
	SYNTHETIC_TIMEFRAMES,
	type SyntheticResultsAnswer,
	type SyntheticTest,
	type syntheticResultsQuery,
} from "../../../schema/wire/index.ts";
import { availabilityOfCheck, CHECK } from "../../measures/availability.ts";
import { type CheckRuns, checkRuns, failedRuns, type RunPhases, standingOf } from "../../measures/check-runs.ts";
import type { Scope } from "../../measures/scope.ts";
import { signals } from "../../measures/signals.ts";
import { type Needs, withMeta } from "../../meta.ts";
import { availabilityPercent, decimals, milliseconds } from "../../rounding.ts";
import type { Asking } from "../../route.ts";
import { resolveWindow } from "../../time/window.ts";

/** A result that is older tells nothing of now. */
const FRESH_INTERVALS = 3;

/** What a test found in a window. */
export async function syntheticResults(
	{ asker, now, reach }: Asking,
	query: z.infer<typeof syntheticResultsQuery>,
	{ id, body: test }: Definition<SyntheticTest>,
): Promise<SyntheticResultsAnswer> {
	const window = resolveWindow(query, { timeframes: SYNTHETIC_TIMEFRAMES, defaultTimeframe: "24h", now });
	const scope: Scope = { start: window.start, end: window.end, now, reach };
	const [sent, runs, uptimes, failed] = await Promise.all([
		asker.ask(signals(window.as_of)),
		asker.ask(checkRuns(scope, id)),
		asker.ask(availabilityOfCheck(scope, id)),
		asker.ask(failedRuns(scope, id, query.limit)),
	]);
	const uptime = (location: string | null) => {
		const percentage = uptimes.get(location)?.percentage ?? null;
		return availabilityPercent(percentage === null ? null : percentage / 100);
	};
	const all = runs.get(null);
	const places = [...runs].filter((entry): entry is [string, CheckRuns] => entry[0] !== null);
	places.sort(([a], [b]) => (a < b ? -1 : 1));
	const since = window.end - FRESH_INTERVALS * test.frequency_seconds * 1_000;
	const fresh = places.filter(([, { last }]) => last.ts >= since).map(([, { last }]) => last);
	const answer = {
		...{ test_id: id, name: test.name, type: test.type, timeframe: window.timeframe },
		status: standingOf(fresh, test.type === "heartbeat" ? 1 : test.quorum),
		uptime_percentage: uptime(null),
		...figures(all),
		tls_days_left: decimals(all?.tls_days_left ?? null, 1),
		locations: places.map(([location, found]) => ({
			location: nameOf(location),
			last_status: found.last.ok
				? found.last.degraded
					? ("degraded" as const)
					: ("passed" as const)
				: ("failed" as const),
			last_run: new Date(found.last.ts).toISOString(),
			last_error: found.last.error,
			uptime_percentage: uptime(location),
			...figures(found),
		})),
		failures: failed.map(({ ts, location, duration_ms, ...rest }) => ({
			timestamp: new Date(ts).toISOString(),
			location: nameOf(location),
			duration_ms: milliseconds(duration_ms),
			...rest,
		})),
	};
	const methods = {
		uptime_percentage: "time with good results / observed time, over all locations",
		response_time: "of the runs that were ok",
		timings: "medians of the runs that were ok",
		status: `last run of each location within ${FRESH_INTERVALS} intervals, by quorum`,
	};
	return withMeta(answer, { window, data_through: sent.dataThrough("event"), methods }, { needs: NEEDS, sent });
}

function figures(found: CheckRuns | undefined) {
	return {
		runs: found?.runs ?? 0,
		failures_count: found?.failures ?? 0,
		response_time: { p50: milliseconds(found?.p50 ?? null), p95: milliseconds(found?.p95 ?? null) },
		timings: rounded(found?.phases),
	};
}

function rounded(phases: RunPhases | undefined): Record<keyof RunPhases, number | null> {
	const of = (phase: keyof RunPhases) => milliseconds(phases?.[phase] ?? null);
	return { dns: of("dns"), connect: of("connect"), tls: of("tls"), ttfb: of("ttfb"), download: of("download") };
}

function nameOf(location: string): string | null {
	return location === "" ? null : location;
}

const RUN = `event ${CHECK}`;
const withAttribute = (name: string) => ({ any: [RUN], with: name });
const NEEDS: Needs = {
	...{ status: RUN, uptime_percentage: RUN, locations: RUN, failures: RUN },
	...{ "response_time.p50": withAttribute("duration_ms"), "response_time.p95": withAttribute("duration_ms") },
	...Object.fromEntries(
		["dns", "connect", "tls", "ttfb", "download"].map((phase) => [`timings.${phase}`, withAttribute(`${phase}_ms`)]),
	),
	tls_days_left: withAttribute("tls_days_left"),
};
