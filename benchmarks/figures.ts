/** The figures to reach, each as a ratio of two measurements of one run, and whether they were. */
import type { AlertsResult } from "./alerts.ts";
import type { ExportResult } from "./export.ts";
import type { LiveResult } from "./live.ts";
import type { LoadResult, PeerResult } from "./load.ts";
import type { QueryResult } from "./query.ts";
import type { ReadsResult } from "./reads/reads.ts";
import type { Workload } from "./workload.ts";

export interface Figure {
	readonly figure: string;
	readonly at_most?: number;
	readonly at_least?: number;
	/** Undefined when the part that measures it did not run. */
	readonly measured: number | undefined;
	readonly reached: boolean | undefined;
}

export interface Measured {
	readonly loads: readonly LoadResult[];
	readonly query?: QueryResult | undefined;
	readonly reads?: ReadsResult | undefined;
	readonly live?: LiveResult | undefined;
	readonly alerts?: AlertsResult | undefined;
	readonly exports?: ExportResult | undefined;
}

export function figuresOf({ loads, query, reads, live, alerts, exports }: Measured): Figure[] {
	const load = (workload: Workload) => loads.find((result) => result.workload === workload);
	const peer = (workload: Workload, name: string): PeerResult | undefined =>
		load(workload)?.peers.find((result) => result.name === name);
	const influx = peer("metrics", "InfluxDB");
	const ourBytes = load("metrics")?.disk_bytes_per_row.raw_merged;
	const memory = loads.length > 0 ? Math.max(...loads.map(({ ingest_peak_mb }) => ingest_peak_mb)) : undefined;
	const victoria = "VictoriaMetrics import";
	return [
		atMost("CPU a point ÷ straight insert, series form", 1.6, load("series")?.cpu_ratio.median),
		atMost("CPU a point ÷ straight insert, one point a record", 3, load("metrics")?.cpu_ratio.median),
		atLeast(
			`acknowledged points/s, one a record ÷ ${victoria}, one value a line`,
			0.9,
			peer("metrics", "VictoriaMetrics")?.acknowledged_ratio.median,
		),
		atLeast(
			`stored points/s, one a record ÷ ${victoria}, one value a line`,
			0.5,
			peer("metrics", "VictoriaMetrics")?.stored_ratio.median,
		),
		atLeast(
			`acknowledged points/s, series form ÷ ${victoria}, as many values a line`,
			0.6,
			peer("series", "VictoriaMetrics")?.acknowledged_ratio.median,
		),
		atLeast("stored points/s, one a record ÷ InfluxDB line protocol", 1.5, influx?.stored_ratio.median),
		atMost("CPU a row ÷ straight insert, logs", 2, load("logs")?.cpu_ratio.median),
		atMost("CPU a row ÷ straight insert, events", 2, load("events")?.cpu_ratio.median),
		atMost("bytes on disk a raw point ÷ InfluxDB's", 0.7, influx && ourBytes && ourBytes / influx.disk_bytes_per_row),
		atMost("memory of the ingest process under full load, MB", 400, memory),
		atMost("30 days of hourly percentiles over 100 series ÷ from raw", 0.3, query?.percentiles_ratio),
		...(reads?.reads ?? []).flatMap(({ what, exact }) =>
			exact?.at_most === undefined ? [] : [atMost(`answer ÷ from raw rows, ${what}`, exact.at_most, exact.ratio)],
		),
		atMost("slowest reading route, ms", 1_000, reads && Math.max(...reads.reads.map(({ ms }) => ms.median))),
		// A rule waits ten seconds for records that are on their way.
		atMost("s from the end of a minute until 1,000 rules of it are evaluated", 45, alerts?.lag_s.max),
		atMost("memory of a worker that exports 10 million rows, MB", 300, exports?.peak_mb),
		atMost("CPU with 1,000 viewers of a stream ÷ with one", 2, live?.viewers_ratio.median),
		atMost("CPU a point with a viewer of everything ÷ with none", 1.25, live?.watched_ratio.median),
	];
}

function atMost(figure: string, at_most: number, measured: number | undefined): Figure {
	return { figure, at_most, measured, reached: measured === undefined ? undefined : measured <= at_most };
}

function atLeast(figure: string, at_least: number, measured: number | undefined): Figure {
	return { figure, at_least, measured, reached: measured === undefined ? undefined : measured >= at_least };
}
