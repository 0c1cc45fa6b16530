/** Metrics that a custom report can name: aliases of measures that routes and alerts ask too, with the member that tells them. */

import { isRated, moneyOf } from "../common/money.ts";
import { OF_USERS } from "../common/usage.ts";
import { customers } from "../measures/customers.ts";
import { CPU, CPU_TIME, MEMORY, type Utilization, utilization } from "../measures/hosts.ts";
import { kindsOfRequests, latencyOf } from "../measures/latency.ts";
import { MODEL_EVENT, type ModelCalls, modelCalls } from "../measures/models.ts";
import { DEFAULT_CURRENCY } from "../measures/money.ts";
import type { Scope } from "../measures/scope.ts";
import type { Signals } from "../measures/signals.ts";
import {
	errorRate,
	HTTP_NAMES,
	HTTP_RECORDS,
	type LatencyQuantiles,
	meanLatency_ms,
	type Traffic,
	totalOf,
	traffic,
} from "../measures/traffic.ts";
import { activeUsers } from "../measures/users.ts";
import type { NeededRecords } from "../meta.ts";
import { quotient } from "../quotient.ts";
import { milliseconds, percentOf, ratio, whole } from "../rounding.ts";
import type { Asking } from "../route.ts";

/** What a family of metrics is asked about. */
export interface Asked {
	readonly asking: Asking;
	readonly scope: Scope;
	/** Milliseconds since the epoch. */
	readonly as_of: number;
	readonly timezone: string;
	readonly sent: Signals;
	readonly models: readonly string[] | null;
	readonly user_segments: readonly string[] | null;
}

/** What tells the values of a family apart, beside the bucket. */
export type Kind = "model" | "user_segment";

/** A value of a family: of all, or of a bucket, a model, a segment. */
export interface Part<T> {
	/** Start of the bucket, epoch seconds; 0 without buckets. */
	readonly t: number;
	readonly kinds: Readonly<Partial<Record<Kind, string>>>;
	readonly value: T;
}

interface Family<T> {
	/** By what it can be told apart. */
	readonly kinds: readonly Kind[];
	readonly needs: NeededRecords;
	/** One part for each bucket of the scope (or one in all) and each combination of `by`; where there is nothing, none. */
	readonly parts: (asked: Asked, by: readonly Kind[]) => Promise<Part<T>[]>;
}

export interface ReportMetric<T = never> {
	readonly about: string;
	readonly family: Family<T>;
	/** Of the details. */
	readonly member: string;
	/** Of the summary, where it has another name there. */
	readonly total?: string;
	readonly unit: "" | "ms" | "%" | "ratio";
	/** Which way is good; none where neither is. */
	readonly better?: "higher" | "lower";
	/** Whether it counts what happens, so that it has a peak; then also whether none of it is 0, or not known. */
	readonly isCount?: true;
	readonly isSent?: (sent: Signals) => boolean;
	/** Before rounding; null without evidence. */
	readonly value: (of: T) => number | null;
	readonly round: (value: number | null) => number | null;
}

const models: Family<ModelCalls> = {
	kinds: ["model", "user_segment"],
	needs: `event ${MODEL_EVENT}`,
	async parts(asked, by) {
		const segments = await accountsOf(asked, by.includes("user_segment"));
		const found = await Promise.all(
			segments.map(async ({ segment, accounts }) => {
				const scope = { ...asked.scope, ...(accounts === undefined ? {} : { accounts }) };
				const all = accounts?.length === 0 ? [] : await asked.asking.asker.ask(modelCalls(scope, "calls"));
				const wanted = all.filter(({ name }) => asked.models === null || asked.models.includes(name));
				return wanted.flatMap(({ name, buckets }) =>
					[...buckets].map(([t, value]): Part<ModelCalls> => {
						const kinds = { model: name, ...(segment === undefined ? {} : { user_segment: segment }) };
						return { t, kinds: Object.fromEntries(by.map((kind) => [kind, kinds[kind as keyof typeof kinds]])), value };
					}),
				);
			}),
		);
		return merged(found.flat(), added);
	},
};

/** Accounts by segment, or those of all asked segments together; undefined stands for all calls, whoever made them. */
async function accountsOf({ asking, scope, timezone, sent, user_segments }: Asked, apart: boolean) {
	if (!apart && user_segments === null) return [{ segment: undefined, accounts: undefined }];
	const { start, end } = scope;
	const window = { start, end, as_of: end, timezone, timeframe: "custom" } as const;
	const money = moneyOf(window, DEFAULT_CURRENCY, isRated(sent));
	const found = await asking.asker.ask(customers(money, { start, end }));
	const bySegment = new Map<string, string[]>();
	for (const { accounts, segment_end, segment_lost } of found) {
		const segment = segment_end ?? segment_lost;
		if (accounts.length === 0 || segment === null) continue;
		if (user_segments !== null && !user_segments.includes(segment)) continue;
		bySegment.set(segment, [...(bySegment.get(segment) ?? []), ...accounts.map(([account_id]) => account_id)]);
	}
	if (apart) return [...bySegment].map(([segment, accounts]) => ({ segment, accounts }));
	return [{ segment: undefined, accounts: [...bySegment.values()].flat() }];
}

function added(a: ModelCalls, b: ModelCalls): ModelCalls {
	const sum = Object.entries(a).map(([name, value]) => [name, value + b[name as keyof ModelCalls]]);
	return Object.fromEntries(sum) as unknown as ModelCalls;
}

function merged<T>(parts: readonly Part<T>[], add: (a: T, b: T) => T): Part<T>[] {
	const byKey = new Map<string, Part<T>>();
	for (const part of parts) {
		const key = JSON.stringify([part.t, part.kinds]);
		const before = byKey.get(key);
		byKey.set(key, before ? { ...part, value: add(before.value, part.value) } : part);
	}
	return [...byKey.values()];
}

const byBucket = <T>(found: ReadonlyMap<number, T>): Part<T>[] =>
	[...found].map(([t, value]) => ({ t, kinds: {}, value }));

const requests: Family<Traffic> = {
	kinds: [],
	needs: HTTP_RECORDS,
	async parts({ asking, scope }) {
		const found = await asking.asker.ask(traffic(scope));
		if (scope.buckets !== undefined) return byBucket(found);
		return found.size === 0 ? [] : [{ t: 0, kinds: {}, value: totalOf(found.values()) }];
	},
};
const latencies: Family<LatencyQuantiles> = {
	kinds: [],
	needs: HTTP_RECORDS,
	parts: async ({ asking, scope, sent }) =>
		byBucket(await latencyOf(asking.asker, scope, sent, await kindsOfRequests(asking.asker))),
};
const hosts = (name: typeof CPU | typeof MEMORY): Family<Utilization> => ({
	kinds: [],
	needs: name === CPU ? [`metric ${CPU}`, `metric ${CPU_TIME}`] : `metric ${MEMORY}`,
	parts: async ({ asking, scope }) => byBucket((await asking.asker.ask(utilization(scope)))[name]!),
});
const users: Family<number> = {
	kinds: [],
	needs: OF_USERS,
	parts: async ({ asking, scope, as_of }) => byBucket(await asking.asker.ask(activeUsers({ ...scope, as_of }))),
};
const [cpu, memory] = [hosts(CPU), hosts(MEMORY)];

const metric = <T>(given: ReportMetric<T>): ReportMetric => given as unknown as ReportMetric;
const ended = ({ requests, cancelled }: ModelCalls) => requests - cancelled;

const modelRequests = metric({
	...{ about: "Calls of models, cancelled ones too", family: models, unit: "", isCount: true },
	...{ member: "requests", total: "total_requests", value: ({ requests }: ModelCalls) => requests, round: whole },
	isSent: (sent: Signals) => sent.hasEvent(MODEL_EVENT),
});
const modelTime = metric({
	...{ about: "Mean response time of models, without timeouts", family: models, unit: "ms", better: "lower" },
	...{ member: "avg_response_time", round: milliseconds },
	value: ({ latency_ms, timed }: ModelCalls) => quotient(latency_ms, timed),
});
const modelSuccess = metric({
	...{
		about: "Calls of models that succeeded, by those not cancelled",
		family: models,
		unit: "ratio",
		better: "higher",
	},
	...{ member: "success_rate", round: ratio },
	value: (calls: ModelCalls) => quotient(ended(calls) - calls.timeouts - calls.failed, ended(calls)),
});
const modelTimeouts = metric({
	...{
		about: "Calls of models that timed out, by those not cancelled",
		family: models,
		unit: "ratio",
		better: "lower",
	},
	...{ member: "timeout_rate", round: ratio },
	value: (calls: ModelCalls) => quotient(calls.timeouts, ended(calls)),
});
const modelTokens = metric({
	...{
		about: "Tokens that models used",
		family: models,
		unit: "",
		isCount: true,
		member: "total_tokens",
		round: whole,
	},
	value: ({ tokens, metered }: ModelCalls) => (metered > 0 ? tokens : null),
});
const apiRequests = metric({
	...{ about: "Requests", family: requests, unit: "", isCount: true, member: "api_requests", round: whole },
	value: ({ requests }: Traffic) => requests,
	isSent: (sent: Signals) => sent.hasMetric(...HTTP_NAMES),
});
const apiTime = metric({
	...{ about: "Mean response time of requests", family: requests, unit: "ms", better: "lower" },
	...{ member: "api_response_time", value: meanLatency_ms, round: milliseconds },
});
const apiErrors = metric({
	...{ about: "Failed requests by all", family: requests, unit: "ratio", better: "lower" },
	...{ member: "error_rate", value: errorRate, round: ratio },
});
const apiQuantile = (level: "p95" | "p99") =>
	metric({
		...{ about: `${level} of the response times of requests`, family: latencies, unit: "ms", better: "lower" },
		...{ member: `api_response_time_${level}`, round: milliseconds },
		value: (quantiles: LatencyQuantiles) => quantiles[level],
	});
const [p95, p99] = [apiQuantile("p95"), apiQuantile("p99")];
const utilizationOf = (family: Family<Utilization>, member: string, about: string) =>
	metric({
		...{ about, family, unit: "%", better: "lower", member, round: (value: number | null) => percentOf(value) },
		value: ({ host_mean }: Utilization) => host_mean,
	});
const cpuUsage = utilizationOf(cpu, "cpu_usage", "Used processors, mean over hosts");
const memoryUsage = utilizationOf(memory, "memory_usage", "Used memory, mean over hosts");
const activeUserCount = metric({
	...{ about: "Distinct users with any event", family: users, unit: "", better: "higher" },
	...{ member: "active_users", value: (n: number) => n, round: whole },
});

/** By name; the names of alerts that are told over whole windows are among them. */
export const REPORT_METRICS: ReadonlyMap<string, ReportMetric> = new Map([
	["ai.performance.response_time", modelTime],
	["ai.response_time", modelTime],
	["ai.performance.success_rate", modelSuccess],
	["ai.success_rate", modelSuccess],
	["ai.performance.timeout_rate", modelTimeouts],
	["usage.ai_requests", modelRequests],
	["ai.requests", modelRequests],
	["usage.ai_tokens", modelTokens],
	["usage.active_users", activeUserCount],
	["active_users", activeUserCount],
	["system.api_requests", apiRequests],
	["api_requests", apiRequests],
	["system.response_time", apiTime],
	["api_response_time", apiTime],
	["response_time_avg", apiTime],
	["response_time_p95", p95],
	["response_time_p99", p99],
	["system.error_rate", apiErrors],
	["error_rate", apiErrors],
	["system.cpu_usage", cpuUsage],
	["system.memory_usage", memoryUsage],
]);
