import type { z } from "zod";
import {
	type DataPoint,
	PERFORMANCE_TIMEFRAMES,
	type SystemPerformanceAnswer,
	systemPerformanceAnswer,
	systemPerformanceQuery,
} from "../../schema/wire/index.ts";
import { trafficAndLatencyOf } from "../common/latency.ts";
import { presumingSettled } from "../common/settled.ts";
import { CPU, CPU_TIME, DISK_IO, MEMORY, moved, NETWORK_IO, utilization } from "../measures/hosts.ts";
import { over, planOf, type Scope } from "../measures/scope.ts";
import { signals } from "../measures/signals.ts";
import { errorRate, HTTP_NAMES, HTTP_RECORDS, meanLatency_ms, totalOf } from "../measures/traffic.ts";
import { type Needs, withMeta } from "../meta.ts";
import { coverageOf, framesOf, lowSample, requestCount } from "../points.ts";
import { milliseconds, percentOf, ratio, significant, whole } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { resolveGrid } from "../time/window.ts";

const NEEDS: Needs = {
	"metrics[].cpu_usage": [`metric ${CPU}`, `metric ${CPU_TIME}`],
	"metrics[].memory_usage": `metric ${MEMORY}`,
	"metrics[].disk_io_read": `metric ${DISK_IO}`,
	"metrics[].disk_io_write": `metric ${DISK_IO}`,
	"metrics[].disk_io_read_per_sec": `metric ${DISK_IO}`,
	"metrics[].disk_io_write_per_sec": `metric ${DISK_IO}`,
	"metrics[].network_in": `metric ${NETWORK_IO}`,
	"metrics[].network_out": `metric ${NETWORK_IO}`,
	"metrics[].network_in_per_sec": `metric ${NETWORK_IO}`,
	"metrics[].network_out_per_sec": `metric ${NETWORK_IO}`,
	"metrics[].request_count": HTTP_RECORDS,
	"metrics[].response_time_avg": HTTP_RECORDS,
	"metrics[].response_time_p95": HTTP_RECORDS,
	"metrics[].response_time_p99": HTTP_RECORDS,
	"metrics[].error_rate": HTTP_RECORDS,
	"summary.avg_cpu": [`metric ${CPU}`, `metric ${CPU_TIME}`],
	"summary.max_memory": `metric ${MEMORY}`,
	"summary.total_requests": HTTP_RECORDS,
	"summary.avg_response_time": HTTP_RECORDS,
	"summary.total_errors": HTTP_RECORDS,
};

/** `GET /analytics/system/performance` */
export const systemPerformanceRead = read({
	path: "/analytics/system/performance",
	summary: "Performance over time",
	query: systemPerformanceQuery,
	answer: systemPerformanceAnswer,
	needs: NEEDS,
	ask: systemPerformance,
});

async function systemPerformance(
	asking: Asking,
	query: z.infer<typeof systemPerformanceQuery>,
): Promise<SystemPerformanceAnswer> {
	const { asker, now, reach } = asking;
	const grid = resolveGrid(query, { timeframes: PERFORMANCE_TIMEFRAMES, defaultTimeframe: "24h", now });
	const scope: Scope = { ...grid, now, reach };
	const asked = asker.ask(signals(grid.as_of));
	const numbers = presumingSettled(asker, scope, asked, (known) =>
		Promise.all([
			trafficAndLatencyOf(asker, known, asked),
			asker.ask(utilization(known)),
			asker.ask(utilization(over(known, grid.start, grid.end))),
			asker.ask(moved(known, DISK_IO)),
			asker.ask(moved(known, NETWORK_IO)),
		]),
	);
	const [sent, [{ traffic: requests, latency }, hosts, overall, disk, network]] = await Promise.all([asked, numbers]);
	const metrics = framesOf(grid).map((frame): DataPoint => {
		const found = requests.get(frame.t);
		const n = found?.requests ?? 0;
		const io = disk.get(frame.t);
		const net = network.get(frame.t);
		const perSecond = (bytes: number | undefined) => (bytes === undefined ? null : significant(bytes / frame.seconds));
		return {
			timestamp: frame.timestamp,
			cpu_usage: percentOf(hosts[CPU]?.get(frame.t)?.host_mean),
			memory_usage: percentOf(hosts[MEMORY]?.get(frame.t)?.host_mean),
			disk_io_read: whole(io?.in),
			disk_io_write: whole(io?.out),
			network_in: whole(net?.in),
			network_out: whole(net?.out),
			disk_io_read_per_sec: perSecond(io?.in),
			disk_io_write_per_sec: perSecond(io?.out),
			network_in_per_sec: perSecond(net?.in),
			network_out_per_sec: perSecond(net?.out),
			request_count: requestCount(frame, requests, sent, hosts[CPU]),
			response_time_avg: found ? milliseconds(meanLatency_ms(found)) : null,
			response_time_p95: milliseconds(latency.get(frame.t)?.p95),
			response_time_p99: milliseconds(latency.get(frame.t)?.p99),
			error_rate: found ? ratio(errorRate(found)) : null,
			...(frame.partial ? { partial: true } : {}),
			...lowSample([
				{ field: "response_time_p95", level: 0.95, n },
				{ field: "response_time_p99", level: 0.99, n },
			]),
		};
	});
	const total = totalOf(requests.values());
	const instrumented = sent.hasMetric(...HTTP_NAMES);
	const answer = {
		timeframe: grid.timeframe,
		granularity: grid.buckets.granularity,
		metrics,
		summary: {
			avg_cpu: percentOf(overall[CPU]?.get(0)?.sample_mean),
			max_memory: percentOf(overall[MEMORY]?.get(0)?.peak),
			total_requests: instrumented ? total.requests : null,
			avg_response_time: milliseconds(meanLatency_ms(total)),
			total_errors: instrumented ? total.failed : null,
		},
	};
	const parts = {
		window: grid,
		data_through: sent.dataThrough("metric"),
		coverage: coverageOf(metrics),
		methods: {
			"metrics[].cpu_usage": "mean over hosts of each host's mean",
			"summary.avg_cpu": "mean of all samples",
			"metrics[].disk_io_read": "bytes moved in the bucket",
			"metrics[].response_time_p95": "quantilesDD, merged",
		},
		sketched: ["metrics[].response_time_p95", "metrics[].response_time_p99"],
		source: planOf(scope).main,
	};
	return withMeta(answer, parts, { needs: NEEDS, sent });
}
