/** Times of the questions that dashboards ask, from the rollups and from the raw points: 10 million points over 30 days. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeRows } from "../ingest/native/decode.ts";
import { seriesId } from "../ingest/series.ts";
import { TABLES, type TableName } from "../schema/tables.ts";
import { PointBlock, PROJECT } from "./native-points.ts";
import { cpuMs } from "./processes.ts";
import { unit } from "./random.ts";
import type { Server } from "./server.ts";
import { type Spread, spread } from "./statistics.ts";

export interface QueryTime {
	readonly query: string;
	/** A tier, `raw` with the function that was used, or `http` for the route with all around it. */
	readonly from: string;
	readonly ms: Spread;
	/** CPU of engine and program together, a query; steadier than the time on a machine that does other things as well. */
	readonly cpu_ms: number;
	readonly rows: number;
}

export interface QueryResult {
	readonly points: number;
	readonly series: number;
	readonly days: number;
	readonly times: readonly QueryTime[];
	/** 30 days of hourly p50/p95/p99 from the sketches ÷ the fastest way from raw: medians of the time, and the CPU. */
	readonly percentiles_ratio: number;
	readonly percentiles_cpu_ratio: number;
}

export interface QueryOptions {
	readonly points: number;
	readonly repeats: number;
	readonly seed: number;
	readonly folder: string;
	readonly report: (line: string) => void;
}

const NAME = "http.server.request.duration";
const SERIES = 100;
const COMPONENTS = 10;
const DAYS = 30;
const DAY_MS = 86_400_000;
const BLOCK_ROWS = 1_000_000;
/** Answers must be computed, not remembered; without the condition cache a raw scan stays a raw scan when repeated. */
const SETTINGS = { use_query_condition_cache: 0, use_query_cache: 0 };

export async function runQueries(server: Server, options: QueryOptions): Promise<QueryResult> {
	const to_ms = Math.floor(Date.now() / DAY_MS) * DAY_MS;
	const from_ms = to_ms - DAYS * DAY_MS;
	await server.truncate();
	await fill(server, options, from_ms);
	for (const table of ["points", "rollup_1m", "rollup_1h", "sketch_1m", "sketch_1h"]) {
		await server.sql(`OPTIMIZE TABLE ${table} FINAL`);
	}
	const times: QueryTime[] = [];
	for (const { query, from, sql } of await questions(server, from_ms, to_ms)) {
		const time = await timed(server, options.repeats, async () => (await server.rows(sql, SETTINGS)).length);
		times.push({ query, from, ...time });
	}
	for (const [query, path] of ROUTES) {
		const ask = async () => {
			const response = await fetch(server.url + path, { headers: server.headers });
			await response.text();
			return response.status;
		};
		// Reading routes came after this benchmark; without them there is nothing to time.
		if ((await ask()) !== 200) continue;
		times.push({ query, from: "http", ...(await timed(server, options.repeats, ask)), rows: 0 });
	}
	for (const { query, from, ms, rows } of times) {
		options.report(
			`query: ${query}, from ${from}: ${ms.median.toFixed(1)} ms (${ms.min.toFixed(1)}–${ms.max.toFixed(1)}), ${rows} rows`,
		);
	}
	const fastest = (wanted: string) =>
		times
			.filter(({ query, from }) => query === PERCENTILES && from.startsWith(wanted))
			.reduce((best, time) => (time.ms.median < best.ms.median ? time : best));
	const [tier, raw] = [fastest("sketch_1h"), fastest("raw")];
	return {
		...{ points: options.points, series: SERIES, days: DAYS, times },
		percentiles_ratio: tier.ms.median / raw.ms.median,
		percentiles_cpu_ratio: tier.cpu_ms / raw.cpu_ms,
	};
}

const ROUTES = [
	["24 h, every hour, the route", "/v1/monitoring/metrics?timeframe=24h&granularity=1h"],
	["30 days, every hour, the route", "/v1/monitoring/metrics?timeframe=30d&granularity=1h"],
] as const;

async function timed(
	server: Server,
	repeats: number,
	run: () => Promise<number>,
): Promise<{ ms: Spread; cpu_ms: number; rows: number }> {
	let rows = await run();
	const ms: number[] = [];
	const cpu = () => cpuMs(server.pid) + cpuMs(server.engine.pid);
	const before = cpu();
	for (let i = 0; i < repeats; i++) {
		const started = performance.now();
		rows = await run();
		ms.push(performance.now() - started);
	}
	return { ms: spread(ms), cpu_ms: (cpu() - before) / repeats, rows };
}

const PERCENTILES = "30 days, p50/p95/p99 every hour";

async function questions(server: Server, from_ms: number, to_ms: number) {
	const [{ type } = { type: "" }] = await server.rows<{ type: string }>(
		"SELECT type FROM system.columns WHERE database = currentDatabase() AND table = 'sketch_1h' AND name = 'quantiles'",
	);
	// AggregateFunction(quantilesDD(0.01, 0.5, …), Float64): whatever the migrations chose is what is asked here.
	const [, sketch = "", parameters = ""] = /^AggregateFunction\((\w+)\((.*)\), Float64\)$/.exec(type) ?? [];
	const own = `project = '${PROJECT}' AND name = '${NAME}'`;
	const since = (column: string, days: number) =>
		`${own} AND ${column} >= fromUnixTimestamp64Milli(${Math.max(from_ms, to_ms - days * DAY_MS)}, 'UTC') AND ${column} < fromUnixTimestamp64Milli(${to_ms}, 'UTC')`;
	const rawHour = "toStartOfHour(toDateTime(ts, 'UTC'))";
	const levels = "0.5, 0.95, 0.99";
	const raw = (query: string, from: string, value: string, days: number, bucket = rawHour) => ({
		...{ query, from },
		sql: `SELECT ${bucket} AS bucket, ${value} AS value FROM points WHERE ${since("ts", days)} GROUP BY bucket ORDER BY bucket`,
	});
	const tier = (query: string, table: string, value: string, days: number) => ({
		...{ query, from: table },
		sql: `SELECT bucket, ${value} AS value FROM ${table} WHERE ${since("bucket", days)} GROUP BY bucket ORDER BY bucket`,
	});
	const sums = "(sum(r.sum) / sum(r.n), min(r.min), max(r.max))";
	const rawSums = "(avg(points.value), min(points.value), max(points.value))";
	return [
		tier(PERCENTILES, "sketch_1h", `${sketch}Merge(${parameters})(quantiles)`, 30),
		raw(
			PERCENTILES,
			"raw, the same sketch",
			`${sketch}(${sketch === "quantilesDD" ? "0.01, " : ""}${levels})(points.value)`,
			30,
		),
		raw(PERCENTILES, "raw, exact", `quantilesExact(${levels})(points.value)`, 30),
		raw(PERCENTILES, "raw, t-digest", `quantilesTDigest(${levels})(points.value)`, 30),
		tier("24 h, p50/p95/p99 every minute", "sketch_1m", `${sketch}Merge(${parameters})(quantiles)`, 1),
		raw(
			"24 h, p50/p95/p99 every minute",
			"raw, exact",
			`quantilesExact(${levels})(points.value)`,
			1,
			"toStartOfMinute(toDateTime(ts, 'UTC'))",
		),
		tier("30 days, mean/min/max every hour", "rollup_1h AS r", sums, 30),
		raw("30 days, mean/min/max every hour", "raw", rawSums, 30),
		tier("24 h, mean/min/max every hour", "rollup_1h AS r", sums, 1),
		raw("24 h, mean/min/max every hour", "raw", rawSums, 1),
		{
			query: "24 h, mean by host every hour",
			from: "rollup_1h",
			sql: `SELECT tags['host'] AS host, bucket, sum(r.sum) / sum(r.n) AS value
				FROM rollup_1h AS r INNER JOIN (SELECT series_id, anyLast(tags) AS tags FROM series WHERE ${own} GROUP BY series_id) AS s USING series_id
				WHERE ${since("bucket", 1)} GROUP BY host, bucket ORDER BY host, bucket`,
		},
	];
}

/** Inserts the points as Native blocks, in order of time, and their series. */
async function fill(server: Server, { points, seed, folder, report }: QueryOptions, from_ms: number): Promise<void> {
	const started = performance.now();
	const all = Array.from({ length: SERIES }, (_, i) => ({
		name: NAME,
		tags: [
			["component", `component-${i % COMPONENTS}`],
			["host", `host-${i}`],
		] as const,
	}));
	const insert = async (table: TableName, block: Buffer, token: string) => {
		const path = join(folder, "query.native");
		writeFileSync(path, block);
		await server.insertFile(table, path, `query/${token}`);
	};
	const series = all.map(({ name, tags }) => {
		const { high, low } = seriesId(PROJECT, name, tags);
		const id = (BigInt(high) << 32n) | BigInt(low);
		return [PROJECT, name, id, new Map(tags), tags[0][1], "distribution", "s", from_ms];
	});
	await insert("series", encodeRows(TABLES.series, series), "series");
	const block = new PointBlock(all);
	const step_ms = (DAYS * DAY_MS) / (points / SERIES);
	for (let from = 0; from < points; from += BLOCK_ROWS) {
		for (let row = from; row < Math.min(from + BLOCK_ROWS, points); row++) {
			const series = row % SERIES;
			const tick = Math.floor(row / SERIES);
			const noise = unit(seed, series, tick) + unit(seed ^ 7, series, tick) - 1;
			const value = 0.02 * Math.exp((series % COMPONENTS) / 5 + noise * 3);
			block.point(series, Math.floor(from_ms + tick * step_ms + series), value);
		}
		await insert("points", block.seal(), String(from));
	}
	report(`query: ${points} points inserted in ${((performance.now() - started) / 1_000).toFixed(1)} s`);
}
