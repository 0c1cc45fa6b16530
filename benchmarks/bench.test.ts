import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderBodies } from "./bodies.ts";
import { figuresOf } from "./figures.ts";
import { type Part, resultFile } from "./options.ts";
import { Peer } from "./peers.ts";
import { until } from "./processes.ts";
import type { Report } from "./report.ts";
import { type Dataset, SERIES, WORKLOADS } from "./workload.ts";

const ROWS = 3_000;
const main = fileURLToPath(new URL("../dist/benchmarks/main.js", import.meta.url));
let folder: string;
let printed: string;
let report: Report;

beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), "tidemark-bench-test-"));
	const out = join(folder, "out.json");
	const only = ["--only", "metrics", "logs", "events", "query", "reads", "live"];
	const args = ["--quick", ...only, "--rows", String(ROWS), "--folder", folder, "--out", out];
	printed = execFileSync(process.execPath, [main, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
	report = JSON.parse(readFileSync(out, "utf8"));
}, 360_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("what is measured alone has a file of its own; loads and everything together are the latest", () => {
	expect(
		[["alerts"], ["live"], ["metrics"], ["alerts", "metrics"]].map((parts) => resultFile(new Set(parts as Part[]))),
	).toEqual(["alerts.json", "live.json", "latest.json", "latest.json"]);
});

test("every row that was sent is stored, in every load", () => {
	expect(report.loads.map(({ workload }) => workload)).toEqual(["metrics", "logs", "events"]);
	for (const { rows, sent_rows, stored_rows } of report.loads) {
		expect({ rows, sent_rows, stored_rows }).toEqual({ rows: ROWS, sent_rows: ROWS, stored_rows: ROWS });
	}
});

test("what is measured is a number above 0", () => {
	for (const load of report.loads) {
		for (const name of ["acknowledged_per_s", "stored_per_s", "ack_p50_ms", "ack_p99_ms"] as const) {
			expect(load[name].median, name).toBeGreaterThan(0);
		}
		for (const bytes of Object.values(load.disk_bytes_per_row)) expect(bytes).toBeGreaterThan(0);
		expect(load.ingest_peak_mb).toBeGreaterThan(10);
		expect(load.engine_peak_mb).toBeGreaterThan(10);
	}
	expect(report.query!.times.length).toBeGreaterThanOrEqual(11);
	for (const { query, from, ms, rows } of report.query!.times) {
		expect(ms.median, `${query} from ${from}`).toBeGreaterThan(0);
		if (from !== "http") expect(rows, `${query} from ${from}`).toBeGreaterThan(0);
	}
	for (const { what, ms, tenth_ms, rows_read, questions } of report.reads!.reads) {
		expect(Math.min(ms.median, tenth_ms.median, questions), what).toBeGreaterThan(0);
		if (!what.startsWith("/")) expect(rows_read, what).toBeGreaterThan(0);
	}
});

test("viewers were sent messages, and each of them cost something", () => {
	const { viewers, one_cpu_ms, all_cpu_ms, quiet_us, watched_us } = report.live!;
	expect(viewers).toBe(50);
	for (const { median } of [one_cpu_ms, all_cpu_ms, quiet_us, watched_us]) expect(median).toBeGreaterThan(0);
});

test("every figure to reach is told, measured or not", () => {
	expect(report.figures).toHaveLength(22);
	for (const { figure } of report.figures) expect(printed).toContain(figure);
	const of = (name: string) => report.figures.find(({ figure }) => figure.startsWith(name))!;
	expect(of("memory of the ingest process").reached).toBe(true);
	expect(of("bytes on disk a raw point").measured).toBeUndefined();
	expect(printed).toContain("not measured");
});

test("the result names neither the machine nor a path of it, and nothing is left behind", () => {
	expect(JSON.stringify(report)).not.toMatch(/tmp|\/home|\/root|localhost|127\.0\.0\.1/);
	expect(readdirSync(folder)).toEqual(["out.json"]);
});

test("a figure is reached on its own side of the limit only", () => {
	const query = { points: 1, series: 1, days: 1, times: [], percentiles_cpu_ratio: 1 };
	const reached = (percentiles_ratio: number) =>
		figuresOf({ loads: [], query: { ...query, percentiles_ratio } }).find(({ figure }) => figure.startsWith("30 days"))!
			.reached;
	expect([reached(0.3), reached(0.31)]).toEqual([true, false]);
});

test("a peer that is not on the PATH is told and skipped", () => {
	const { PATH } = process.env;
	const told: string[] = [];
	try {
		process.env.PATH = folder;
		expect(Peer.find("metrics", (line) => told.push(line))).toEqual([]);
	} finally {
		process.env.PATH = PATH;
	}
	expect(told).toEqual([
		"VictoriaMetrics is skipped: victoria-metrics is not on the PATH",
		"InfluxDB is skipped: influxd is not on the PATH",
	]);
});

test("a benchmark that is cut short ends what it started and leaves nothing", async () => {
	const own = mkdtempSync(join(tmpdir(), "tidemark-bench-cut-"));
	const bench = spawn(process.execPath, [main, "--only", "query", "--folder", own, "--out", join(own, "out.json")]);
	const started = () => readdirSync(own, { recursive: true }).some((path) => String(path).endsWith("engine.json"));
	await until("the start of the program", 60_000, 50, started);
	const { pid } = JSON.parse(readFileSync(join(own, readdirSync(own)[0]!, "tidemark/engine.json"), "utf8"));
	bench.kill("SIGTERM");
	await until("the end of the benchmark", 30_000, 50, () => bench.exitCode !== null);
	expect(bench.exitCode).toBe(130);
	// Ended while it starts, the program leaves the engine to notice by itself.
	await until("the end of the engine", 20_000, 50, () => !existsSync(`/proc/${pid}`));
	expect(readdirSync(own)).toEqual([]);
	rmSync(own, { recursive: true });
});

test("both forms of the metrics hold the same points, in every protocol; the seed decides which", () => {
	const dataset = (workload: Dataset["workload"], seed = 1): Dataset => ({
		...{ workload, seed, rows: SERIES * 4, start_ms: 1_700_000_000_000, pointsPerSeries: 4 },
	});
	const parse = (body: Buffer) => JSON.parse(body.toString()) as Record<string, unknown>[];
	const points = renderBodies(dataset("metrics"), "tidemark", 1_000).flatMap(parse);
	const series = renderBodies(dataset("series"), "tidemark", 4_000).flatMap(parse);
	const texts = (name: unknown, tags: unknown, ts: unknown, value: unknown) => JSON.stringify([name, tags, ts, value]);
	const one = points.map(({ name, tags, timestamp, value }) => texts(name, tags, timestamp, value)).sort();
	const spread = series
		.flatMap(({ name, tags, timestamps, values }) =>
			(values as number[]).map((value, i) => texts(name, tags, (timestamps as number[])[i], value)),
		)
		.sort();
	expect(one).toHaveLength(SERIES * 4);
	expect(spread).toEqual(one);
	const influx = renderBodies(dataset("metrics"), "influx", 1_000).flatMap((body) =>
		body.toString().trim().split("\n"),
	);
	expect(new Set(influx.map((line) => line.replace(/ value=\S+/, ""))).size).toBe(SERIES * 4);
	const victoria = renderBodies(dataset("series"), "victoria", 4_000).flatMap((body) =>
		body.toString().trim().split("\n"),
	);
	expect(victoria.flatMap((line) => (JSON.parse(line) as { values: number[] }).values)).toHaveLength(SERIES * 4);
	for (const workload of WORKLOADS) {
		const render = (seed: number) =>
			Buffer.concat(renderBodies({ ...dataset(workload, seed), rows: 100 }, "tidemark", 100));
		expect(render(1).equals(render(1)), workload).toBe(true);
		expect(render(1).equals(render(2)), workload).toBe(false);
	}
});
