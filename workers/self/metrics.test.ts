// The metrics of the program itself: its requests, its processes, its ledger, its Prometheus text.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { metricRecord } from "../../schema/wire/ingest.ts";
import { type Ledger, ledgerRecords, settledLedger } from "./ledger.ts";
import { processRecords, UsageReader } from "./processes.ts";
import { ownPrometheus } from "./prometheus.ts";
import { requestRecord } from "./requests.ts";

const host = { id: "h1", name: "box" };
const AT = 1_700_000_000_000;
const ledger: Ledger = {
	...{ accepted: 10, stored: 6, quarantined: 1, duplicates: 1, rejected: 3 },
	...{ journal: 2, journalBytes: 200, imbalance: 0 },
};

describe("a request", () => {
	test("is a point in seconds under OpenTelemetry's names", () => {
		const record = requestRecord({ method: "POST", route: "/v1/x/:id", status: 202, duration_s: 0.25 }, AT);
		expect(record).toEqual({
			...{ name: "http.server.request.duration", kind: "distribution", unit: "s", value: 0.25, timestamp: AT },
			tags: {
				component: "tidemark",
				"http.request.method": "POST",
				"http.route": "/v1/x/:id",
				"http.response.status_code": "202",
			},
		});
		expect(metricRecord.parse(record)).toEqual(record);
	});

	test.each([
		["a failure of ours has an error type", { method: "GET", route: "/a", status: 503 }, { "error.type": "503" }],
		["one of the client's has none", { method: "GET", route: "/a", status: 404 }, { "error.type": undefined }],
		["without a route has none", { method: "GET", route: undefined, status: 404 }, { "http.route": undefined }],
		[
			"a made-up method is no new series",
			{ method: "X1", route: "/a", status: 405 },
			{ "http.request.method": "_OTHER" },
		],
	])("%s", (_, request, tags) => {
		const record = requestRecord({ ...request, duration_s: 1 }, AT);
		for (const [name, value] of Object.entries(tags)) expect(record?.tags?.[name]).toBe(value);
	});

	test.each(["/livez", "/readyz", "/metrics"])("of a probe to %s is none", (route) => {
		expect(requestRecord({ method: "GET", route, status: 503, duration_s: 1 }, AT)).toBeUndefined();
	});
});

describe("processes", () => {
	const context = { host, cpus: 2, at_ms: AT };
	const usage = (pid: number, cpu_s: number) => ({ component: "engine", pid, cpu_s, memory_bytes: 5 });
	const cpu = (records: ReturnType<typeof processRecords>) =>
		records.find(({ name }) => name === "process.cpu.utilization")?.value;

	test("CPU is the share of all CPUs since the last reading", () => {
		const before = { at_s: 10, processes: [usage(7, 1)] };
		expect(cpu(processRecords(before, { at_s: 20, processes: [usage(7, 6)] }, context))).toBe(0.25);
	});

	test("the first reading, and that of a restarted process, give no CPU", () => {
		const now = { at_s: 20, processes: [usage(8, 6)] };
		expect(cpu(processRecords(undefined, now, context))).toBeUndefined();
		expect(cpu(processRecords({ at_s: 10, processes: [usage(7, 1)] }, now, context))).toBeUndefined();
		expect(processRecords(undefined, now, context)).toMatchObject([
			{ name: "process.memory.usage", value: 5, tags: { component: "engine", "host.id": "h1" } },
		]);
	});

	test("this process and a child are read as they are; a child that has ended is left out", async () => {
		const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
		await once(child, "spawn");
		const reader = new UsageReader("tidemark", [{ component: "engine", pid: () => child.pid! }]);
		const first = await reader.read();
		expect(first.processes.map(({ component }) => component)).toEqual(["tidemark", "engine"]);
		// A child that was started a moment ago may have touched a few pages only.
		for (const one of first.processes) expect(one.memory_bytes).toBeGreaterThan(0);
		// The event loop's timer needs a turn to know where it stands, and one to notice.
		await new Promise((resolve) => setTimeout(resolve, 30));
		const waited = Date.now() + 120;
		while (Date.now() < waited) Math.random();
		await new Promise((resolve) => setTimeout(resolve, 30));
		child.kill("SIGKILL");
		await once(child, "exit");
		const second = await reader.read();
		reader.close();
		expect(second.processes.map(({ component }) => component)).toEqual(["tidemark"]);
		expect(second.processes[0]?.eventLoopDelayP99_s).toBeGreaterThan(0.08);
		expect(cpu(processRecords(first, second, { ...context, cpus: reader.cpus }))).toBeGreaterThan(0);
	});
});

describe("the ledger", () => {
	test("is shown whole, so that the states add up", () => {
		const records = ledgerRecords(ledger, { overflow: 4, failed: 5, rejected: 6 }, 7, { host, at_ms: AT });
		for (const record of records) expect(metricRecord.parse(record)).toEqual(record);
		const states = records.filter(({ name }) => name === "tidemark.ingest.records");
		expect(Object.fromEntries(states.map(({ tags, value }) => [tags?.state, value]))).toEqual({
			...{ accepted: 10, stored: 6, quarantined: 1, duplicates: 1, rejected: 3, journal: 2 },
		});
		const lost = records.filter(({ name }) => name === "tidemark.self.lost");
		expect(lost.map(({ tags, value }) => [tags?.reason, value])).toEqual([
			["overflow", 4],
			["failed", 5],
			["rejected", 6],
		]);
	});

	test("records on their way between two places are no imbalance; missing ones are", async () => {
		let reads = 0;
		expect(await settledLedger(() => ({ ...ledger, imbalance: reads++ < 2 ? 500 : 0 }))).toEqual(ledger);
		expect((await settledLedger(() => ({ ...ledger, imbalance: reads++ % 2 ? 1 : 500 }))).imbalance).toBe(1);
	});
});

describe("/metrics", () => {
	const sources = {
		ledger: () => ledger as Ledger | undefined,
		losses: () => ({ overflow: 4, failed: 0, rejected: 0 }),
		collectorFailures: () => new Map([["disks", 2]]),
		engineRestarts: () => 1 as number | undefined,
		rateLimitFallbacks: () => 3,
		mismatches: () => ({ ledger: 0, "5m": 9 }) as Record<string, number> | undefined,
		evaluation: () => ({ lag_seconds: 45, failing: 2 }),
		unreadable: () => new Map([["alert", 1]]),
	};

	test("shows requests, ledger, losses, restarts and the reconciliation, the same at every scrape", async () => {
		const prometheus = ownPrometheus(sources);
		prometheus.observe({ method: "GET", route: "/a/:id", status: 200, duration_s: 0.02 });
		prometheus.observe({ method: "GET", route: undefined, status: 404, duration_s: 0.002 });
		await prometheus.registry.metrics();
		const lines = (await prometheus.registry.metrics()).split("\n");
		prometheus.registry.clear();
		expect(lines).toEqual(
			expect.arrayContaining([
				'http_server_request_duration_seconds_bucket{le="0.025",method="GET",route="/a/:id",status="200"} 1',
				'http_server_request_duration_seconds_bucket{le="0.01",method="GET",route="/a/:id",status="200"} 0',
				'http_server_request_duration_seconds_count{method="GET",route="",status="404"} 1',
				'tidemark_ingest_records_total{state="accepted"} 10',
				"tidemark_alerts_evaluation_lag_seconds 45",
				"tidemark_alerts_failing_rules 2",
				'tidemark_definitions_unreadable{kind="alert"} 1',
				"tidemark_ingest_journal_records 2",
				"tidemark_ingest_journal_bytes 200",
				"tidemark_ingest_imbalance 0",
				'tidemark_self_lost_total{reason="overflow"} 4',
				'tidemark_collector_failures_total{probe="disks"} 2',
				"tidemark_engine_restarts_total 1",
				"tidemark_rate_limit_fallbacks_total 3",
				'tidemark_reconcile_mismatch{check="5m"} 9',
			]),
		);
		expect(lines.some((line) => line.startsWith("process_resident_memory_bytes "))).toBe(true);
	});

	test("a process without ingest or engine shows nothing for them", async () => {
		const nothing = () => undefined;
		const none = {
			...sources,
			ledger: nothing,
			collectorFailures: nothing,
			engineRestarts: nothing,
			rateLimitFallbacks: () => 0,
			mismatches: nothing,
		};
		const { registry } = ownPrometheus(none);
		const text = await registry.metrics();
		registry.clear();
		expect(text.split("\n").filter((line) => /^tidemark_(ingest|engine|collector|reconcile)/.test(line))).toEqual([]);
	});
});
