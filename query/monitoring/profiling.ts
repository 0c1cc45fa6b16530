import type { z } from "zod";
import { badParameter } from "../../http/errors.ts";
import {
	PROFILING_TIMEFRAMES,
	type ProfilingAnswer,
	profilingAnswer,
	profilingQuery,
} from "../../schema/wire/index.ts";
import { type Run, type RunSummary, runSummary, slowestRuns } from "../measures/profiles.ts";
import { signals } from "../measures/signals.ts";
import { type Needs, recordsOf, withMeta } from "../meta.ts";
import { assertLogsKept } from "../plan/plan.ts";
import { lowSample } from "../points.ts";
import { ratio, whole } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { resolveWindow } from "../time/window.ts";
import { compare, comparedWindow, comparisonNeeds } from "./profile-comparison.ts";
import { flameOf, inMilliseconds, sampleOf, spreadOf } from "./profile-parts.ts";

const SLOWEST = 10;
const PROFILE: Needs = {
	...{ calls: "profile", success_rate: "profile", wall_ms: "profile", slowest: "profile", flame: "profile" },
	cpu_ms: { any: ["profile"], with: "cpu_ns" },
	cpu_share: { any: ["profile"], with: "cpu_ns" },
	alloc_bytes: { any: ["profile"], with: "alloc_bytes" },
};

/** `GET /v1/monitoring/profiling` */
export const profilingRead = read({
	path: "/v1/monitoring/profiling",
	summary: "How long an operation takes, its slowest runs, and where in it the time goes",
	query: profilingQuery,
	answer: profilingAnswer,
	needs: PROFILE,
	ask: profiling,
});

async function profiling(asking: Asking, query: z.infer<typeof profilingQuery>): Promise<ProfilingAnswer> {
	const { asker, now, reach } = asking;
	const window = resolveWindow(query, { timeframes: PROFILING_TIMEFRAMES, defaultTimeframe: "24h", now });
	const sent = await asker.ask(signals(window.as_of));
	const { operation } = query;
	if (operation === undefined) {
		throw badParameter({
			parameter: "operation",
			provided: null,
			valid_options: sent.names("profile").slice(0, 100),
			reason: "operation says which one; valid_options are those that were sent",
		});
	}
	const first = sent.get("profile", operation)?.first_seen;
	assertLogsKept("Profiles", Math.max(window.start, first ?? window.start), { now, reach });
	const [runs, slowest] = await Promise.all([
		asker.ask(runSummary(window, operation)),
		asker.ask(slowestRuns(window, operation, SLOWEST)),
	]);
	const oneOf = sampleOf(runs);
	const nodes = await flameOf(asking, window, operation, runs);
	const compared = comparedWindow(query, window, now);
	if (compared) assertLogsKept("Profiles", Math.max(compared.start, first ?? compared.start), { now, reach });
	const comparison =
		compared && (await compare(asking, { operation, known: first !== undefined, window, compared, runs, nodes }));
	const answer = {
		operation,
		timeframe: window.timeframe,
		calls: first === undefined ? null : runs.calls,
		success_rate: runs.calls === 0 ? null : ratio(runs.succeeded / runs.calls),
		wall_ms: spreadOf(runs.wall, inMilliseconds),
		cpu_ms: spreadOf(runs.cpu, inMilliseconds),
		alloc_bytes: spreadOf(runs.alloc, (bytes) => whole(bytes)!),
		cpu_share: ratio(runs.cpu_share),
		slowest: slowest.map(slow),
		flame: nodes.map(({ name, parent, self_ns, total_ns, calls }) => ({
			...{ name, parent, self_ms: inMilliseconds(self_ns), total_ms: inMilliseconds(total_ns), calls },
		})),
		...(comparison && { comparison }),
		...lowSample(samplesOf(runs)),
	};
	const methods = {
		wall_ms: "exact quantiles of all runs",
		"flame[].self_ms": oneOf === 1 ? "all runs" : `share of total_ms in one of ${oneOf} runs`,
		...(comparison && { "comparison.p_value": "two-sided Mann-Whitney U test of wall_ms" }),
	};
	const parts = { window, data_through: sent.dataThrough("profile"), methods, source: "raw" } as const;
	return withMeta(answer, parts, {
		needs: {
			...needsOf(operation, first !== undefined && runs.calls === 0),
			...(comparison && comparisonNeeds(operation)),
		},
		sent,
	});
}

/** Runs of this operation are what it needs. Where it was only not run in the window, nobody knows what its runs lack. */
function needsOf(operation: string, idle: boolean): Needs {
	const record = `profile ${operation}`;
	return Object.fromEntries(
		Object.entries(PROFILE).map(([field, need]) => {
			const { attribute } = recordsOf(need);
			return [field, attribute === undefined || idle ? record : { any: [record], with: attribute }];
		}),
	);
}

function samplesOf({ wall, cpu, alloc }: RunSummary) {
	return Object.entries({ wall_ms: wall, cpu_ms: cpu, alloc_bytes: alloc }).flatMap(([name, spread]) =>
		([0.95, 0.99] as const).map((level) => ({ field: `${name}.p${level * 100}`, level, n: spread?.n ?? 0 })),
	);
}

function slow(run: Run): ProfilingAnswer["slowest"][number] {
	return {
		profile_id: run.id,
		timestamp: new Date(run.ts).toISOString(),
		wall_ms: inMilliseconds(run.wall_ns),
		cpu_ms: run.cpu_ns === null ? null : inMilliseconds(run.cpu_ns),
		alloc_bytes: run.alloc_bytes,
		success: run.success,
		component: run.component || null,
		user_id: run.user_id || null,
		trace_id: run.trace_id || null,
	};
}
