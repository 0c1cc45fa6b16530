/** Measures that a rule can name; each definition is that of a measure, over windows that end at the instants of evaluation. */
import type { AlertAggregation } from "../../../schema/wire/index.ts";
import { quotient } from "../../quotient.ts";
import { type Among, type Grouped, isAll } from "../among.ts";
import { metricKinds } from "../custom.ts";
import { CPU, MEMORY, moved, NETWORK_IO, utilizationAmong } from "../hosts.ts";
import { MODEL_EVENT, type ModelCalls, modelCalls } from "../models.ts";
import { over, type Scope } from "../scope.ts";
import {
	errorRate,
	HTTP_NAMES,
	type LatencyQuantiles,
	latencyQuantiles,
	latencyQuantilesAmong,
	meanLatency_ms,
	type Traffic,
	traffic,
	trafficAmong,
} from "../traffic.ts";
import { activeUsers } from "../users.ts";
import type { AlertAsking, Point } from "./asking.ts";

export interface Measure {
	/** What it is, with its unit. */
	readonly about: string;
	/** The first is the default. */
	readonly aggregations: readonly AlertAggregation[];
	/** Records that it is made of, as `meta.missing` names them. */
	readonly sources: readonly string[];
	/** Tags by which it can be told apart and filtered: any, or these. */
	readonly members: "any" | readonly string[];
	/** Instants that one evaluation may ask about, where each is a question of its own. */
	readonly atMost?: number;
	readonly points: (asking: AlertAsking, scope: Scope, among: Among, aggregation: AlertAggregation) => Promise<Point[]>;
}

const HTTP_SOURCES = HTTP_NAMES.map((name) => `metric ${name}`);
/** Measures that know one instant only are asked once for each. */
const ONE_BY_ONE = 60;

async function trafficOf(asking: AlertAsking, scope: Scope, among: Among): Promise<readonly Grouped<Traffic>[]> {
	if (!isAll(among)) return asking.ask(trafficAmong(scope, among));
	return [...(await asking.ask(traffic(scope)))].map(([t, found]) => ({ ...found, group: [], t }));
}

/** Sketches serve all requests as one; they do not merge over names of different units, and know no tags. */
async function latenciesOf(
	asking: AlertAsking,
	scope: Scope,
	among: Among,
): Promise<readonly Grouped<LatencyQuantiles>[]> {
	const kinds = isAll(among) ? await asking.ask(metricKinds(HTTP_NAMES)) : new Map<string, readonly string[]>();
	const [name, ...others] = kinds.keys();
	const isSketched = name !== undefined && others.length === 0 && kinds.get(name)!.join() === "distribution";
	if (!isSketched) return asking.ask(latencyQuantilesAmong(scope, among));
	const found = await asking.ask(latencyQuantiles(scope, { names: [name], raw: false }));
	return [...found].map(([t, quantiles]) => ({ ...quantiles, group: [], t }));
}

const responseTime: Measure = {
	about: "Response time of requests in milliseconds",
	aggregations: ["avg", "max", "p50", "p90", "p95", "p99"],
	...{ sources: HTTP_SOURCES, members: "any" },
	async points(asking, scope, among, aggregation) {
		if (aggregation === "avg" || aggregation === "max") {
			return (await trafficOf(asking, scope, among)).map((found) => ({
				...{ group: found.group, t: found.t },
				value: aggregation === "avg" ? meanLatency_ms(found) : found.latency_max_ms,
			}));
		}
		const level = aggregation as keyof LatencyQuantiles;
		return (await latenciesOf(asking, scope, among)).map((found) => ({ ...found, value: found[level] }));
	},
};
const only = (measure: Measure, aggregation: AlertAggregation, about: string): Measure => ({
	...{ ...measure, about, aggregations: [aggregation] },
});

const requests: Measure = {
	about: "Requests in the timeframe",
	aggregations: ["sum", "count", "rate", "per_minute"],
	...{ sources: HTTP_SOURCES, members: "any" },
	async points(asking, scope, among, aggregation) {
		const found = await trafficOf(asking, scope, among);
		return found.map((one) => ({ ...one, value: counted(one.requests, aggregation, scope) }));
	},
};

const errors: Measure = {
	about: "Failed requests by all, a ratio",
	aggregations: ["avg"],
	...{ sources: HTTP_SOURCES, members: "any" },
	points: async (asking, scope, among) =>
		(await trafficOf(asking, scope, among)).map((one) => ({ ...one, value: errorRate(one) })),
};

const utilization = (name: string, factor: number, about: string): Measure => ({
	...{ about, aggregations: ["avg", "max"], sources: [`metric ${name}`], members: "any" },
	async points(asking, scope, among, aggregation) {
		const found = (await asking.ask(utilizationAmong(scope, among)))[name]!;
		return found.map(({ group, t, host_mean, peak }) => {
			const value = aggregation === "avg" ? host_mean : peak;
			return { group, t, value: value === null ? null : factor * value };
		});
	},
});

const throughput: Measure = {
	about: "Bytes that networks moved, in and out, megabits a second",
	aggregations: ["avg"],
	...{ sources: [`metric ${NETWORK_IO}`], members: [] },
	async points(asking, scope) {
		const found = await asking.ask(moved(scope, NETWORK_IO));
		return [...found].map(([t, bytes]) => ({
			...{ group: [], t },
			value: (8 * (bytes.in + bytes.out)) / scope.buckets!.trailing!.length / 1e6,
		}));
	},
};

/** Calls of models by what they answer; a group is a model. */
const models = (
	about: string,
	aggregations: readonly AlertAggregation[],
	value: (calls: ModelCalls, aggregation: AlertAggregation, scope: Scope) => number | null,
): Measure => ({
	...{ about, aggregations, sources: [`event ${MODEL_EVENT}`], members: ["model"] },
	async points(asking, scope, { groupBy, filter }, aggregation) {
		const found = (await asking.ask(modelCalls({ ...scope, model: filter.model }, "calls"))).flatMap((model) =>
			[...model.buckets].map(([t, calls]) => ({ name: model.name, t, calls })),
		);
		if (groupBy.length > 0)
			return found.map(({ name, t, calls }) => ({ group: [name], t, value: value(calls, aggregation, scope) }));
		const all = new Map<number, ModelCalls>();
		for (const { t, calls } of found) all.set(t, added(all.get(t), calls));
		return [...all].map(([t, calls]) => ({ group: [], t, value: value(calls, aggregation, scope) }));
	},
});

function added(before: ModelCalls | undefined, more: ModelCalls): ModelCalls {
	if (!before) return more;
	const sum = Object.entries(more).map(([name, value]) => [name, value + before[name as keyof ModelCalls]]);
	return Object.fromEntries(sum) as ModelCalls;
}

const modelTime = models("Mean response time of models in milliseconds, without timeouts", ["avg"], (calls) =>
	quotient(calls.latency_ms, calls.timed),
);
const modelSuccess = models("Calls of models that succeeded, by those not cancelled, a ratio", ["avg"], (calls) => {
	const ended = calls.requests - calls.cancelled;
	return quotient(ended - calls.timeouts - calls.failed, ended);
});
const modelRequests = models(
	"Calls of models in the timeframe",
	["sum", "count", "rate", "per_minute"],
	(calls, aggregation, scope) => counted(calls.requests, aggregation, scope),
);

const users: Measure = {
	about: "Distinct users with any event in the timeframe",
	aggregations: ["count"],
	...{ sources: ["event with user_id"], members: [], atMost: ONE_BY_ONE },
	points: (asking, scope) =>
		atEach(scope, async (at, length_ms) => {
			const found = await asking.ask(activeUsers({ ...over(scope, at - length_ms, at), as_of: at }));
			return found.get(0) ?? null;
		}),
};

const health: Measure = {
	about: "State of the components, 0 to 100, at the instant",
	aggregations: ["last"],
	...{ sources: ["anything with a component"], members: [], atMost: ONE_BY_ONE },
	points: (asking, scope) => atEach(scope, (at) => asking.healthScore(at)),
};

async function atEach(scope: Scope, value: (at_ms: number, length_ms: number) => Promise<number | null>) {
	const { first, step, count, length } = scope.buckets!.trailing!;
	const points: Point[] = [];
	for (let i = 0; i < count; i++) {
		const t = first + i * step;
		points.push({ group: [], t, value: await value(t * 1_000, length * 1_000) });
	}
	return points;
}

/** Things that happened in the timeframe, as such or by time. */
export function counted(n: number, aggregation: AlertAggregation, scope: Scope): number {
	const seconds = scope.buckets!.trailing!.length;
	if (aggregation === "rate") return n / seconds;
	return aggregation === "per_minute" ? (60 * n) / seconds : n;
}

const p95 = only(responseTime, "p95", "0.95 quantile of the response times of requests, milliseconds");
const cpuPercent = utilization(CPU, 100, "Used processors, mean over hosts, percent");
const memoryPercent = utilization(MEMORY, 100, "Used memory, mean over hosts, percent");

/** By name, those of both documents. A name here comes before an ingested metric of the same name. */
export const MEASURES: ReadonlyMap<string, Measure> = new Map([
	["error_rate", errors],
	["api_requests", requests],
	["response_time", responseTime],
	["api_response_time", responseTime],
	["response_time_avg", only(responseTime, "avg", "Mean response time of requests, milliseconds")],
	["response_time_p95", p95],
	["response_time_p99", only(responseTime, "p99", "0.99 quantile of the response times of requests, milliseconds")],
	["cpu_utilization", utilization(CPU, 1, "Used processors, mean over hosts, a ratio")],
	["memory_utilization", utilization(MEMORY, 1, "Used memory, mean over hosts, a ratio")],
	["network_throughput_mbps", throughput],
	["active_users", users],
	["health_score", health],
	["system.cpu_usage", cpuPercent],
	["system.memory_usage", memoryPercent],
	["system.error_rate", errors],
	["system.response_time", responseTime],
	["system.api_requests", requests],
	["ai.response_time", modelTime],
	["ai.performance.response_time", modelTime],
	["ai.success_rate", modelSuccess],
	["ai.performance.success_rate", modelSuccess],
	["ai.requests", modelRequests],
	["usage.ai_requests", modelRequests],
]);
