/**
 * Measures that rules and dashboards can name; each definition is that of a measure, over whatever windows the scope has: those that
 * end at the instants of an evaluation, buckets beside each other, or one.
 */
import type { AlertAggregation } from "../../../schema/wire/index.ts";
import { quotient } from "../../quotient.ts";
import { type Among, type Grouped, isAll } from "../among.ts";
import { CPU, MEMORY, moved, NETWORK_IO, utilizationAmong } from "../hosts.ts";
import { kindsOfRequests, latencyOf } from "../latency.ts";
import { MODEL_EVENT, type ModelCalls, modelCalls } from "../models.ts";
import { over, type Scope, secondsOf, type ValueWindow, windowsOf } from "../scope.ts";
import { signals } from "../signals.ts";
import {
	errorRate,
	HTTP_NAMES,
	type LatencyQuantiles,
	latencyQuantilesAmong,
	meanLatency_ms,
	type Traffic,
	traffic,
	trafficAmong,
} from "../traffic.ts";
import { activeUsers } from "../users.ts";
import type { AlertAsking, Point } from "./asking.ts";

export const UNITS = ["ms", "ratio", "percent", "count", "Mbit/s", "score"] as const;
export type Unit = (typeof UNITS)[number];

export interface Measure {
	/** What it is, with its unit. */
	readonly about: string;
	/** Of its values, but for rates of counts, which are by second or minute. */
	readonly unit: Unit;
	/** What a window without a value stands for: see `query/monitoring/dashboards/silence.ts`. Absent: unknown. */
	readonly silence?: "requests" | "users" | "events";
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
	if (!isAll(among)) return asking.ask(latencyQuantilesAmong(scope, among));
	const [kinds, sent] = await Promise.all([kindsOfRequests(asking), asking.ask(signals(scope.end))]);
	const found = await latencyOf(asking, scope, sent, kinds);
	return [...found].map(([t, quantiles]) => ({ ...quantiles, group: [], t }));
}

const responseTime: Measure = {
	about: "Response time of requests in milliseconds",
	unit: "ms",
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
	...{ unit: "count", silence: "requests" },
	aggregations: ["sum", "count", "rate", "per_minute"],
	...{ sources: HTTP_SOURCES, members: "any" },
	async points(asking, scope, among, aggregation) {
		const seconds = secondsOf(scope);
		const found = await trafficOf(asking, scope, among);
		return found.map((one) => ({ ...one, value: counted(one.requests, aggregation, seconds(one.t)) }));
	},
};

const errors: Measure = {
	about: "Failed requests by all, a ratio",
	unit: "ratio",
	aggregations: ["avg"],
	...{ sources: HTTP_SOURCES, members: "any" },
	points: async (asking, scope, among) =>
		(await trafficOf(asking, scope, among)).map((one) => ({ ...one, value: errorRate(one) })),
};

const utilization = (name: string, factor: number, about: string): Measure => ({
	...{ about, unit: factor === 1 ? "ratio" : "percent", aggregations: ["avg", "max"] },
	...{ sources: [`metric ${name}`], members: "any" },
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
	unit: "Mbit/s",
	aggregations: ["avg"],
	...{ sources: [`metric ${NETWORK_IO}`], members: [] },
	async points(asking, scope) {
		const seconds = secondsOf(scope);
		const found = await asking.ask(moved(scope, NETWORK_IO));
		return [...found].map(([t, bytes]) => ({
			...{ group: [], t },
			value: (8 * (bytes.in + bytes.out)) / seconds(t) / 1e6,
		}));
	},
};

/** Calls of models by what they answer; a group is a model. */
const models = (
	about: string,
	unit: Unit,
	aggregations: readonly AlertAggregation[],
	value: (calls: ModelCalls, aggregation: AlertAggregation, seconds: number) => number | null,
): Measure => ({
	...{ about, unit, aggregations, sources: [`event ${MODEL_EVENT}`], members: ["model"] },
	...(unit === "count" ? { silence: "events" } : {}),
	async points(asking, scope, { groupBy, filter }, aggregation) {
		const seconds = secondsOf(scope);
		const only = filter.model;
		const question = modelCalls({ ...scope, model: typeof only === "string" ? only : undefined }, "calls");
		const found = (await asking.ask(question))
			.filter(({ name }) => typeof only === "string" || (only?.includes(name) ?? true))
			.flatMap((model) => [...model.buckets].map(([t, calls]) => ({ name: model.name, t, calls })));
		const measured = (calls: ModelCalls, t: number) => value(calls, aggregation, seconds(t));
		if (groupBy.length > 0) return found.map(({ name, t, calls }) => ({ group: [name], t, value: measured(calls, t) }));
		const all = new Map<number, ModelCalls>();
		for (const { t, calls } of found) all.set(t, added(all.get(t), calls));
		return [...all].map(([t, calls]) => ({ group: [], t, value: measured(calls, t) }));
	},
});

function added(before: ModelCalls | undefined, more: ModelCalls): ModelCalls {
	if (!before) return more;
	const sum = Object.entries(more).map(([name, value]) => [name, value + before[name as keyof ModelCalls]]);
	return Object.fromEntries(sum) as ModelCalls;
}

const modelTime = models("Mean response time of models in milliseconds, without timeouts", "ms", ["avg"], (calls) =>
	quotient(calls.latency_ms, calls.timed),
);
const modelSuccess = models(
	"Calls of models that succeeded, by those not cancelled, a ratio",
	"ratio",
	["avg"],
	(calls) => {
		const ended = calls.requests - calls.cancelled;
		return quotient(ended - calls.timeouts - calls.failed, ended);
	},
);
const modelRequests = models(
	"Calls of models in the timeframe",
	"count",
	["sum", "count", "rate", "per_minute"],
	(calls, aggregation, seconds) => counted(calls.requests, aggregation, seconds),
);

const users: Measure = {
	about: "Distinct users with any event in the timeframe",
	...{ unit: "count", silence: "users" },
	aggregations: ["count"],
	...{ sources: ["event with user_id"], members: [], atMost: ONE_BY_ONE },
	async points(asking, scope) {
		const { as_of = scope.end } = scope;
		if (!scope.buckets?.trailing)
			return [...(await asking.ask(activeUsers({ ...scope, as_of })))].map(([t, value]) => ({ group: [], t, value }));
		return atEach(scope, async ({ start, end }) => {
			const found = await asking.ask(activeUsers({ ...over(scope, start, end), as_of: end }));
			return found.get(0) ?? null;
		});
	},
};

const health: Measure = {
	about: "State of the components, 0 to 100, at the instant",
	unit: "score",
	aggregations: ["last"],
	...{ sources: ["anything with a component"], members: [], atMost: ONE_BY_ONE },
	points: (asking, scope) => atEach(scope, ({ end }) => asking.healthScore(end)),
};

async function atEach(scope: Scope, value: (window: ValueWindow) => Promise<number | null>): Promise<Point[]> {
	const points: Point[] = [];
	for (const window of windowsOf(scope)) points.push({ group: [], t: window.t, value: await value(window) });
	return points;
}

/** Things that happened in a window of so many seconds, as such or by time. */
export function counted(n: number, aggregation: AlertAggregation, seconds: number): number {
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
	["requests_count", requests],
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
