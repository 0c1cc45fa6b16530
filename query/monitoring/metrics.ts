import type { z } from "zod";
import { badParameter } from "../../http/errors.ts";
import {
	type BuiltInMetric,
	type DataPoint,
	METRICS_TIMEFRAMES,
	type MetricsAnswer,
	metricsAnswer,
	metricsQuery,
} from "../../schema/wire/index.ts";
import { AVAILABILITY_RECORDS, availabilityOf } from "../common/availability.ts";
import { trafficAndLatencyOf } from "../common/latency.ts";
import { presumingSettled } from "../common/settled.ts";
import { OF_USERS } from "../common/usage.ts";
import { type CustomValue, customMetric, defaultAggregation, metricKinds } from "../measures/custom.ts";
import { CPU, CPU_TIME, MEMORY, moved, NETWORK_IO, utilization } from "../measures/hosts.ts";
import { planOf, type Scope } from "../measures/scope.ts";
import { signals } from "../measures/signals.ts";
import { errorRate, HTTP_NAMES, HTTP_RECORDS, meanLatency_ms, totalOf, traffic } from "../measures/traffic.ts";
import { activeUsers } from "../measures/users.ts";
import { type NeededRecords, type Needs, withMeta } from "../meta.ts";
import { coverageOf, type Frame, framesOf, lowSample, requestCount, type Sample } from "../points.ts";
import { availabilityPercent, milliseconds, ratio, significant } from "../rounding.ts";
import { type Asking, listOf, read } from "../route.ts";
import { type Grid, MAX_POINTS, resolveGrid } from "../time/window.ts";
import { type CustomRequest, requestedMetrics } from "./metric-names.ts";

/** Values of all groups together. */
const MAX_VALUES = 10 * MAX_POINTS;

const POINT_NEEDS: Readonly<Record<BuiltInMetric, NeededRecords>> = {
	api_requests: HTTP_RECORDS,
	response_time_avg: HTTP_RECORDS,
	response_time_p95: HTTP_RECORDS,
	response_time_p99: HTTP_RECORDS,
	error_rate: HTTP_RECORDS,
	cpu_utilization: [`metric ${CPU}`, `metric ${CPU_TIME}`],
	memory_utilization: `metric ${MEMORY}`,
	network_throughput_mbps: `metric ${NETWORK_IO}`,
	active_users: OF_USERS,
};
const NEEDS: Needs = {
	...Object.fromEntries(Object.entries(POINT_NEEDS).map(([name, records]) => [`data_points[].${name}`, records])),
	"summary.total_requests": HTTP_RECORDS,
	"summary.avg_response_time": HTTP_RECORDS,
	"summary.peak_response_time": HTTP_RECORDS,
	"summary.availability": AVAILABILITY_RECORDS,
	"summary.error_count": HTTP_RECORDS,
};

/** `GET /v1/monitoring/metrics` */
export const metricsRead = read({
	path: "/v1/monitoring/metrics",
	summary: "Metrics over time",
	query: metricsQuery,
	answer: metricsAnswer,
	needs: NEEDS,
	ask: metrics,
});

async function metrics(asking: Asking, query: z.infer<typeof metricsQuery>): Promise<MetricsAnswer> {
	const { asker } = asking;
	const grid = resolveGrid(query, { timeframes: METRICS_TIMEFRAMES, defaultTimeframe: "24h", now: asking.now });
	const unsettled: Scope = { ...grid, component: query.component, now: asking.now, reach: asking.reach };
	const named = listOf(query.metrics);
	const wantsPercentiles = named.length === 0 || named.some((name) => name.startsWith("response_time_p"));
	const asked = asker.ask(signals(grid.as_of));
	// These need not know what was ever sent: they run meanwhile.
	const aboutRequests = presumingSettled(asker, unsettled, asked, async (known) =>
		wantsPercentiles
			? trafficAndLatencyOf(asker, known, asked)
			: { traffic: await asker.ask(traffic(known)), latency: undefined },
	);
	aboutRequests.catch(() => undefined);
	const sent = await asked;
	const scope: Scope = { ...unsettled, newest: sent.newestPoint() };
	const { builtIn, custom } = requestedMetrics(named, sent);
	const groupBy = listOf(query.group_by);
	if (groupBy.length > 0 && custom.length === 0) {
		throw badParameter({
			parameter: "group_by",
			provided: query.group_by,
			valid_options: [],
			reason: "group_by tells ingested metrics apart: name some in metrics",
		});
	}
	const wants = (...names: BuiltInMetric[]) => names.some((name) => builtIn.has(name));
	const none = Promise.resolve(undefined);
	const [{ traffic: requests, latency }, hosts, network, users, availability, customs] = await Promise.all([
		aboutRequests,
		wants("cpu_utilization", "memory_utilization") ? asker.ask(utilization(scope)) : none,
		wants("network_throughput_mbps") ? asker.ask(moved(scope, NETWORK_IO)) : none,
		wants("active_users") ? asker.ask(activeUsers({ ...scope, as_of: grid.as_of })) : none,
		availabilityOf(asking, scope, sent),
		customValues(asking, scope, grid, custom, groupBy),
	]);
	const frames = framesOf(grid);
	// Hosts tell a silent bucket from one without requests; where every bucket has some, nobody need be asked.
	const isSilent = wants("api_requests") && frames.some(({ t }) => !requests.has(t));
	const heard = hosts ?? (isSilent ? await asker.ask(utilization(scope)) : undefined);
	const hasUsers = (users?.size ?? 0) > 0;
	const value = (name: BuiltInMetric, frame: Frame): number | null => {
		const found = requests.get(frame.t);
		switch (name) {
			case "api_requests":
				return requestCount(frame, requests, sent, heard?.[CPU]);
			case "response_time_avg":
				return found ? milliseconds(meanLatency_ms(found)) : null;
			case "response_time_p95":
				return milliseconds(latency?.get(frame.t)?.p95);
			case "response_time_p99":
				return milliseconds(latency?.get(frame.t)?.p99);
			case "error_rate":
				return found ? ratio(errorRate(found)) : null;
			case "cpu_utilization":
				return ratio(hosts?.[CPU]?.get(frame.t)?.host_mean);
			case "memory_utilization":
				return ratio(hosts?.[MEMORY]?.get(frame.t)?.host_mean);
			case "network_throughput_mbps": {
				const bytes = network?.get(frame.t);
				return bytes ? significant((8 * (bytes.in + bytes.out)) / frame.seconds / 1e6) : null;
			}
			case "active_users":
				return users?.get(frame.t) ?? (hasUsers && frame.over ? 0 : null);
		}
	};
	const data_points = frames.map((frame): DataPoint => {
		const n = requests.get(frame.t)?.requests ?? 0;
		return {
			timestamp: frame.timestamp,
			...Object.fromEntries([...builtIn].map((name) => [name, value(name, frame)])),
			...customMembers(customs, [], frame.t),
			...(frame.partial ? { partial: true } : {}),
			...lowSample([
				...(builtIn.has("response_time_p95") ? [{ field: "response_time_p95", level: 0.95, n }] : []),
				...(builtIn.has("response_time_p99") ? [{ field: "response_time_p99", level: 0.99, n }] : []),
				...customSamples(customs, "[]", frame.t),
			]),
		};
	});
	const total = totalOf(requests.values());
	const instrumented = sent.hasMetric(...HTTP_NAMES);
	const answer = {
		timeframe: grid.timeframe,
		granularity: grid.buckets.granularity,
		data_points,
		summary: {
			total_requests: instrumented ? total.requests : null,
			avg_response_time: milliseconds(meanLatency_ms(total)),
			peak_response_time: total.requests > 0 ? milliseconds(total.latency_max_ms) : null,
			availability: availabilityPercent(availability.ratio),
			error_count: instrumented ? total.failed : null,
		},
		...(groupBy.length > 0 ? { groups: groupsOf(frames, customs, groupBy) } : {}),
	};
	const parts = {
		window: grid,
		data_through: sent.dataThrough("metric", "event"),
		coverage: coverageOf(data_points),
		methods: {
			...(latency ? { response_time_p95: "quantilesDD, merged", response_time_p99: "quantilesDD, merged" } : {}),
			...availability.methods,
		},
		sketched: [
			...(latency ? ["response_time_p95", "response_time_p99"] : []),
			...customs.filter((found) => /:p\d+$/.test(found.asked)).map((found) => found.asked),
		],
		source: planOf(scope).main,
	};
	return withMeta(answer, parts, { needs: NEEDS, sent });
}

interface Custom {
	readonly asked: string;
	/** By group (its tags as JSON) and start of the bucket. */
	readonly groups: ReadonlyMap<string, ReadonlyMap<number, CustomValue>>;
	readonly level: number | undefined;
}

/** Values of the ingested metrics, over all series and, where asked, by group. */
async function customValues(
	{ asker }: Asking,
	scope: Scope,
	grid: Grid,
	custom: readonly CustomRequest[],
	groupBy: readonly string[],
): Promise<Custom[]> {
	if (custom.length === 0) return [];
	const kinds = await asker.ask(metricKinds(custom.map(({ metric }) => metric)));
	const seconds = new Map(framesOf(grid).map((frame) => [frame.t, frame.seconds]));
	return Promise.all(
		custom.map(async ({ asked, metric, aggregation: named }) => {
			const ofMetric = kinds.get(metric) ?? [];
			const aggregation = named ?? defaultAggregation(ofMetric);
			const ask = (tags: readonly string[]) =>
				asker.ask(
					customMetric(scope, {
						metric,
						aggregation,
						kinds: ofMetric,
						groupBy: tags,
						seconds: (t) => seconds.get(t) ?? 0,
					}),
				);
			const found = await Promise.all(groupBy.length > 0 ? [ask([]), ask(groupBy)] : [ask([])]);
			const groups = new Map<string, Map<number, CustomValue>>();
			for (const value of found.flat()) {
				const key = JSON.stringify(value.group);
				groups.set(key, (groups.get(key) ?? new Map<number, CustomValue>()).set(value.t, value));
			}
			assertFew(groups.size * grid.buckets.starts.length, groupBy);
			const level = aggregation.startsWith("p") ? Number(aggregation.slice(1)) / 100 : undefined;
			return { asked, groups, level };
		}),
	);
}

function assertFew(values: number, groupBy: readonly string[]): void {
	if (values <= MAX_VALUES) return;
	throw badParameter({
		parameter: "group_by",
		provided: groupBy.join(","),
		valid_options: [],
		reason: `These groups have ${values} values, at most ${MAX_VALUES} are answered: group by fewer tags or ask in a coarser granularity`,
	});
}

function customMembers(customs: readonly Custom[], group: readonly string[], t: number): Record<string, number | null> {
	const key = JSON.stringify(group);
	return Object.fromEntries(customs.map(({ asked, groups }) => [asked, finite(groups.get(key)?.get(t)?.value)]));
}

function groupsOf(frames: readonly Frame[], customs: readonly Custom[], tags: readonly string[]) {
	const keys = new Set(customs.flatMap(({ groups }) => [...groups.keys()]).filter((key) => key !== "[]"));
	return [...keys].sort().map((key) => {
		const values = JSON.parse(key) as string[];
		return {
			group: Object.fromEntries(tags.map((tag, i) => [tag, values[i] ?? ""])),
			data_points: frames.map((frame) => {
				return {
					timestamp: frame.timestamp,
					...customMembers(customs, values, frame.t),
					...(frame.partial ? { partial: true as const } : {}),
					...lowSample(customSamples(customs, key, frame.t)),
				};
			}),
		};
	});
}

function customSamples(customs: readonly Custom[], group: string, t: number): Sample[] {
	return customs.flatMap(({ asked, groups, level }) =>
		level === undefined ? [] : [{ field: asked, level, n: groups.get(group)?.get(t)?.n ?? 0 }],
	);
}

function finite(value: number | null | undefined): number | null {
	return typeof value === "number" && Number.isFinite(value) ? value : null;
}
