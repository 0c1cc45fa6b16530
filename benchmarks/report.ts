/** The printed form of what was measured. */

import type { AlertsResult } from "./alerts.ts";
import type { ExportResult } from "./export.ts";
import type { Figure } from "./figures.ts";
import type { LiveResult } from "./live.ts";
import type { LoadResult } from "./load.ts";
import type { Machine } from "./machine.ts";
import type { QueryResult } from "./query.ts";
import type { ReadsResult } from "./reads/reads.ts";
import type { SketchResult } from "./sketch.ts";
import type { Spread } from "./statistics.ts";

export interface Report {
	readonly machine: Machine;
	readonly loads: readonly LoadResult[];
	readonly query?: QueryResult | undefined;
	readonly reads?: ReadsResult | undefined;
	readonly live?: LiveResult | undefined;
	readonly alerts?: AlertsResult | undefined;
	readonly exports?: ExportResult | undefined;
	readonly sketches?: readonly SketchResult[] | undefined;
	readonly figures: readonly Figure[];
}

type Cell = string | number;

export function printed({ machine, loads, query, reads, live, alerts, exports, sketches, figures }: Report): string {
	const parts = [
		`${machine.cpu}, ${machine.cores} cores, ${machine.memory_gb} GB; ${machine.system}; Node ${machine.node}; ClickHouse ${machine.clickhouse}`,
	];
	if (loads.length > 0) parts.push(loadTable(loads), diskTable(loads));
	const peers = loads.flatMap(({ workload, peers }) => peers.map((peer) => ({ workload, ...peer })));
	if (peers.length > 0) {
		parts.push(
			table(
				[
					"the same points into",
					"form",
					"ack/s",
					"stored/s",
					"ack p50 ms",
					"p99",
					"CPU µs/row",
					"disk B/row",
					"peak MB",
					"our ack/s ÷",
					"our stored/s ÷",
				],
				peers.map((peer) => [
					...[
						`${peer.name} ${peer.version}`,
						peer.workload,
						thousands(peer.acknowledged_per_s),
						thousands(peer.stored_per_s),
					],
					...[fixed(peer.ack_p50_ms), fixed(peer.ack_p99_ms), fixed(peer.cpu_us), peer.disk_bytes_per_row.toFixed(2)],
					...[peer.peak_mb.toFixed(0), ranged(peer.acknowledged_ratio), ranged(peer.stored_ratio)],
				]),
			),
		);
	}
	if (query) {
		parts.push(
			table(
				[`query over ${query.points / 1e6} million points`, "from", "median ms", "min", "max", "CPU ms"],
				query.times.map(({ query: what, from, ms, cpu_ms }) => [
					what,
					from,
					ms.median.toFixed(1),
					ms.min.toFixed(1),
					ms.max.toFixed(1),
					cpu_ms.toFixed(1),
				]),
			),
		);
	}
	if (reads) parts.push(readsTable(reads));
	if (live) parts.push(liveTable(live));
	if (alerts) parts.push(alertsTable(alerts));
	if (exports) parts.push(exportTable(exports));
	if (sketches) parts.push(sketchTable(sketches));
	parts.push(
		table(
			["figure", "to reach", "measured", ""],
			figures.map(({ figure, at_most, at_least, measured, reached }) => [
				...[figure, at_most === undefined ? `≥ ${at_least}` : `≤ ${at_most}`],
				...[
					measured === undefined ? "not measured" : measured.toFixed(2),
					reached === undefined ? "" : reached ? "reached" : "NOT REACHED",
				],
			]),
		),
	);
	return `${parts.join("\n\n")}\n`;
}

function loadTable(loads: readonly LoadResult[]): string {
	return table(
		[
			"load",
			"rows",
			"ack/s",
			"stored/s",
			"ack p50 ms",
			"p99",
			"ingest µs/row",
			"engine",
			"floor",
			"÷ floor (min–max)",
			"÷ floor, loader's blocks",
			"rows/insert",
			"ingest MB",
			"engine MB",
		],
		loads.map((load) => [
			...[load.workload, load.rows, thousands(load.acknowledged_per_s), thousands(load.stored_per_s)],
			...[fixed(load.ack_p50_ms), fixed(load.ack_p99_ms), fixed(load.ingest_cpu_us), fixed(load.engine_cpu_us)],
			...[fixed(load.floor_cpu_us), ranged(load.cpu_ratio), ranged(load.cpu_ratio_loader_blocks)],
			...[thousands(load.rows_per_insert), load.ingest_peak_mb.toFixed(0), load.engine_peak_mb.toFixed(0)],
		]),
	);
}

function row(what: string, { median, min, max }: Spread, digits: number): string[] {
	return [what, median.toFixed(digits), min.toFixed(digits), max.toFixed(digits)];
}

function exportTable({ rows, runs }: ExportResult): string {
	return table(
		[
			`export of ${rows / 1e6} million points`,
			"s",
			"rows/s",
			"files MB",
			"worker CPU s",
			"engine CPU s",
			"worker peak MB",
		],
		runs.map((run) => [
			`${run.format} ${run.compression}`,
			...[run.seconds.toFixed(1), Math.round(run.rows_per_s).toLocaleString("en"), run.file_mb.toFixed(0)],
			...[run.worker_cpu_s.toFixed(1), run.engine_cpu_s.toFixed(1), run.peak_mb.toFixed(0)],
		]),
	);
}

function alertsTable({ rules_per_minute, minutes, lag_s, cpu_ms, cpu_ms_per_rule }: AlertsResult): string {
	return table(
		[`alerts: ${rules_per_minute} rules a minute, ${minutes} minutes`, "median", "min", "max"],
		[
			row("s from the end of a minute until all are evaluated", lag_s, 1),
			row("ms of CPU a minute, beside the load", { median: cpu_ms, min: cpu_ms, max: cpu_ms }, 0),
			row("ms of CPU a rule", { median: cpu_ms_per_rule, min: cpu_ms_per_rule, max: cpu_ms_per_rule }, 2),
		],
	);
}

function liveTable(live: LiveResult): string {
	const load = `${thousands({ median: live.points_per_s, min: 0, max: 0 })} points/s`;
	return table(
		["live streams: CPU of the program", "median", "min", "max"],
		[
			row(`ms a second, ${load}, one viewer`, live.one_cpu_ms, 1),
			row(`ms a second, ${load}, ${live.viewers} viewers of one stream`, live.all_cpu_ms, 1),
			row("µs a message to one more viewer", live.message_us, 2),
			row("µs a point ingested, nobody watching", live.quiet_us, 2),
			row("µs a point ingested, one viewer of everything", live.watched_us, 2),
		],
	);
}

function diskTable(loads: readonly LoadResult[]): string {
	return table(
		[
			"bytes on disk a row",
			"raw",
			"raw merged",
			"with rollups",
			"with rollups, raw merged",
			"engine µs/row, merges done",
			"floor of the raw table alone",
		],
		loads.map(({ workload, disk_bytes_per_row: disk, engine_settled_cpu_us, floor_main_cpu_us }) => [
			...[workload, disk.raw.toFixed(2), disk.raw_merged.toFixed(2), disk.all.toFixed(2), disk.all_merged.toFixed(2)],
			...[fixed(engine_settled_cpu_us), fixed(floor_main_cpu_us)],
		]),
	);
}

function readsTable({ volume, days, reads }: ReadsResult): string {
	const millions = (rows: number) => (rows / 1e6).toString();
	return table(
		[
			`reading routes over ${millions(volume.points)} M points, ${millions(volume.events)} M events, ${millions(volume.logs)} M logs of ${days} days`,
			...[
				"median ms",
				"max",
				"with a tenth",
				"rows read",
				"with a tenth",
				"questions",
				"CPU ms",
				"from raw rows ms",
				"÷",
				"their CPU ms",
				"÷",
			],
		],
		reads.map(({ what, ms, tenth_ms, rows_read, tenth_rows_read, questions, cpu_ms, exact }) => [
			...[what, ms.median.toFixed(1), ms.max.toFixed(1), tenth_ms.median.toFixed(1), rows_read, tenth_rows_read],
			...[questions, cpu_ms.toFixed(1), exact ? exact.ms.median.toFixed(1) : "–", exact ? exact.ratio.toFixed(2) : "–"],
			...(exact ? [exact.cpu_ms.toFixed(1), (cpu_ms / exact.cpu_ms).toFixed(2)] : ["–", "–"]),
		]),
	);
}

function sketchTable(sketches: readonly SketchResult[]): string {
	const kb = (bytes: number) => (bytes / 1_000).toFixed(0);
	const percent = (share: number) => (share * 100).toFixed(2);
	return table(
		[
			"sketch",
			"insert CPU µs/point",
			"1m kB",
			"1h kB",
			"all kB",
			"read 1h ms",
			"read 1m ms",
			"worst error p50 %",
			"p95 %",
			"p99 %",
			"answers by merge order",
		],
		sketches.map((row) => [
			...[
				row.sketch,
				row.insert_cpu_us.toFixed(3),
				kb(row.disk_1m_bytes),
				kb(row.disk_1h_bytes),
				kb(row.disk_all_bytes),
			],
			...[row.read_1h_ms.toFixed(1), row.read_1m_ms.toFixed(1)],
			...[
				percent(row.worst_error_p50),
				percent(row.worst_error_p95),
				percent(row.worst_error_p99),
				row.answers_by_order,
			],
		]),
	);
}

/** Columns as wide as their longest cell; numbers to the right. */
function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
	const lines = [head, ...rows].map((row) => row.map(String));
	const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
	const numeric = head.map((_, i) => lines.slice(1).every((line) => /^[\d.,–(]/.test(line[i]!)));
	const text = lines.map((line) =>
		line
			.map((cell, i) => (numeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
			.join("  ")
			.trimEnd(),
	);
	return [text[0], widths.map((width) => "-".repeat(width)).join("  "), ...text.slice(1)].join("\n");
}

function fixed({ median }: Spread): string {
	return median.toFixed(2);
}

function ranged({ median, min, max }: Spread): string {
	return min === max ? median.toFixed(2) : `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}

function thousands({ median }: Spread): string {
	return `${(median / 1_000).toFixed(0)}k`;
}
