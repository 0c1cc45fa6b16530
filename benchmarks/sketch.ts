/**
 * Which percentile sketch the rollups should keep: the candidates in the ladder of tiers that the migrations have, filled
 * with the same values. The result is the evidence for the choice in schema/migrations.
 */
import { cpuMs } from "./processes.ts";
import type { Server } from "./server.ts";
import { spread } from "./statistics.ts";

export interface SketchResult {
	readonly sketch: string;
	/** The engine's CPU a point for all five tiers, the cost of reading the points taken off. */
	readonly insert_cpu_us: number;
	/** Bytes of the tiers after a merge. */
	readonly disk_1m_bytes: number;
	readonly disk_1h_bytes: number;
	readonly disk_all_bytes: number;
	/** p50/p95/p99 of every hour over all components. */
	readonly read_1h_ms: number;
	/** The same computed from the 1m tier. */
	readonly read_1m_ms: number;
	/** Worst hour, against the exact percentile. */
	readonly worst_error_p50: number;
	readonly worst_error_p95: number;
	readonly worst_error_p99: number;
	/** Different answers when the same minutes are merged in five orders, and through the tiers: 1 is independent. */
	readonly answers_by_order: number;
}

export interface SketchOptions {
	readonly points: number;
	readonly repeats: number;
	readonly report: (line: string) => void;
}

const LEVELS = "0.5, 0.95, 0.99";
/** What makes an answer of each as good as it can be; of the second a value is cut to 8 bits, so half a step is missing. */
const CANDIDATES = [
	// Values below 1 are put one bucket too high by ClickHouse (up to 26.7); reads put them back, see query/plan/scan.ts.
	["quantilesDD(0.01)", "quantilesDD", `0.01, ${LEVELS}`, "if(abs(s) < 1, s * 0.99 / 1.01, s)"],
	["quantilesBFloat16", "quantilesBFloat16", LEVELS, "s * 1.0039"],
	["quantilesTDigest", "quantilesTDigest", LEVELS, "s"],
] as const;
const TIERS = [
	["1m", 60],
	["5m", 300],
	["15m", 900],
	["1h", 3_600],
	["1d", 86_400],
] as const;
const DATABASE = "bench_sketch";
const SERIES = 100;
const COMPONENTS = 10;
const STEP_S = 10;
const NO_CACHE = { use_query_condition_cache: 0 };

export async function runSketches(server: Server, { points, repeats, report }: SketchOptions): Promise<SketchResult[]> {
	await server.sql(`CREATE DATABASE IF NOT EXISTS ${DATABASE} ENGINE = Atomic`);
	await fillSource(server, points);
	const results: SketchResult[] = [];
	const nothing = await insertCpu(server, "nothing", "", "", repeats);
	for (const [sketch, name, parameters, corrected] of CANDIDATES) {
		const cpu = await insertCpu(server, name, name, parameters, repeats);
		for (const [tier] of TIERS) await server.sql(`OPTIMIZE TABLE ${DATABASE}.${name}_${tier} FINAL`);
		const errors = await worstErrors(server, name, parameters, corrected);
		results.push({
			...{ sketch, insert_cpu_us: ((cpu - nothing) * 1_000) / points },
			disk_1m_bytes: await bytesOf(server, `${name}_1m`),
			disk_1h_bytes: await bytesOf(server, `${name}_1h`),
			disk_all_bytes: await bytesOf(server, `${name}_%`),
			read_1h_ms: await readTime(server, `${name}_1h`, name, parameters, repeats),
			read_1m_ms: await readTime(server, `${name}_1m`, name, parameters, repeats),
			...{ worst_error_p50: errors[0]!, worst_error_p95: errors[1]!, worst_error_p99: errors[2]! },
			answers_by_order: await answersByOrder(server, name, parameters),
		});
		report(`sketch: ${JSON.stringify(results.at(-1))}`);
	}
	await server.sql(`DROP DATABASE ${DATABASE} SYNC`);
	return results;
}

/** Request times of 100 hosts in 10 components: log-normal with a long tail, every 10 s. */
async function fillSource(server: Server, points: number): Promise<void> {
	await server.sql(
		`CREATE TABLE ${DATABASE}.source (component LowCardinality(String), ts DateTime('UTC'), value Float64) ENGINE = MergeTree ORDER BY ts`,
	);
	// A hash, not rand(): the same values whenever this runs.
	const dice = (salt: number) => `(cityHash64(number, ${salt}) % 1000000 + 0.5) / 1000000`;
	await server.sql(
		`INSERT INTO ${DATABASE}.source SELECT
			concat('component-', toString(number % ${COMPONENTS})) AS component,
			toDateTime('2026-01-05 00:00:00', 'UTC') + intDiv(number, ${SERIES}) * ${STEP_S} AS ts,
			0.02 * exp((number % ${COMPONENTS}) / 5 + sqrt(-2 * log(${dice(1)})) * cos(2 * pi() * ${dice(2)})) AS value
		FROM numbers(${points})`,
	);
}

/** @returns milliseconds of the engine's CPU for pushing all points through a ladder; without a sketch, for reading them only */
async function insertCpu(
	server: Server,
	into: string,
	sketch: string,
	parameters: string,
	repeats: number,
): Promise<number> {
	const sink = `${DATABASE}.${into}_in`;
	await server.sql(
		`CREATE TABLE ${sink} (component LowCardinality(String), ts DateTime('UTC'), value Float64) ENGINE = Null`,
	);
	if (sketch) {
		let source = sink;
		for (const [tier, step_s] of TIERS) {
			const table = `${DATABASE}.${into}_${tier}`;
			const state =
				source === sink ? `${sketch}State(${parameters})(value)` : `${sketch}MergeState(${parameters})(fine.quantiles)`;
			await server.sql(
				`CREATE TABLE ${table} (component LowCardinality(String), bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
					quantiles AggregateFunction(${sketch}(${parameters}), Float64) CODEC(ZSTD(1)))
				ENGINE = AggregatingMergeTree ORDER BY (component, bucket) SETTINGS index_granularity = 256`,
			);
			await server.sql(
				`CREATE MATERIALIZED VIEW ${table}_view TO ${table} AS
				SELECT component, toStartOfInterval(fine.${source === sink ? "ts" : "bucket"}, toIntervalSecond(${step_s}), 'UTC') AS bucket, ${state} AS quantiles
				FROM ${source} AS fine GROUP BY component, bucket`,
			);
			source = table;
		}
	}
	const times: number[] = [];
	for (let i = 0; i < repeats; i++) {
		if (sketch) for (const [tier] of TIERS) await server.sql(`TRUNCATE TABLE ${DATABASE}.${into}_${tier} SYNC`);
		const before = cpuMs(server.engine.pid);
		await server.sql(`INSERT INTO ${sink} SELECT component, ts, value FROM ${DATABASE}.source`, {
			...{ max_block_size: 1_048_576, min_insert_block_size_rows: 1_048_576, max_threads: 1 },
		});
		times.push(cpuMs(server.engine.pid) - before);
	}
	return spread(times).median;
}

async function bytesOf(server: Server, like: string): Promise<number> {
	const [{ bytes } = { bytes: 0 }] = await server.rows<{ bytes: number }>(
		`SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = '${DATABASE}' AND table LIKE '${like}'`,
	);
	return bytes;
}

async function readTime(
	server: Server,
	table: string,
	sketch: string,
	parameters: string,
	repeats: number,
): Promise<number> {
	const times: number[] = [];
	for (let i = 0; i < repeats + 2; i++) {
		const started = performance.now();
		await server.sql(
			`SELECT toStartOfHour(bucket) AS hour, ${sketch}Merge(${parameters})(quantiles) FROM ${DATABASE}.${table} GROUP BY hour ORDER BY hour FORMAT JSONEachRow`,
			NO_CACHE,
		);
		times.push(performance.now() - started);
	}
	return spread(times.slice(1)).median;
}

/**
 * Relative errors of the three percentiles, worst hour. Over all components, so that an hour has enough points for the
 * distance between neighbouring ones not to look like an error of the sketch.
 */
async function worstErrors(server: Server, sketch: string, parameters: string, corrected: string): Promise<number[]> {
	const [row] = await server.rows<{ worst: number[] }>(
		`SELECT maxForEach(arrayMap((s, e) -> abs(${corrected} - e) / e, q, exact)) AS worst FROM (
			SELECT bucket, ${sketch}Merge(${parameters})(quantiles) AS q FROM ${DATABASE}.${sketch}_1h GROUP BY bucket
		) AS a INNER JOIN (
			SELECT toStartOfHour(ts) AS bucket, quantilesExact(${LEVELS})(value) AS exact FROM ${DATABASE}.source GROUP BY bucket
		) AS b USING bucket`,
	);
	return row!.worst;
}

async function answersByOrder(server: Server, sketch: string, parameters: string): Promise<number> {
	const orders = [
		"bucket",
		"bucket DESC",
		"cityHash64(bucket)",
		"cityHash64(bucket, 7)",
		"toUnixTimestamp(bucket) % 3600, bucket",
	];
	const answers = new Set<string>();
	const merge = `SELECT component, ${sketch}Merge(${parameters})(quantiles) FROM`;
	const by = "GROUP BY component ORDER BY component FORMAT JSONEachRow";
	for (const order of orders) {
		const minutes = `(SELECT component, quantiles FROM ${DATABASE}.${sketch}_1m ORDER BY ${order})`;
		answers.add(await server.sql(`${merge} ${minutes} ${by}`, { ...NO_CACHE, max_threads: 1 }));
	}
	for (const tier of ["15m", "1d"])
		answers.add(await server.sql(`${merge} ${DATABASE}.${sketch}_${tier} ${by}`, NO_CACHE));
	return answers.size;
}
