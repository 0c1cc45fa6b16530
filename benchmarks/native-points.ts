/** Native blocks of raw points for the straight inserts, made of ingest's own columns. */
import { ByteWriter } from "../ingest/native/bytes.ts";
import { FixedColumn, LowCardinalityColumn, writeBlock } from "../ingest/native/columns.ts";
import { seriesId } from "../ingest/series.ts";
import { conventionKind } from "../schema/conventions/index.ts";
import { TABLES } from "../schema/tables.ts";
import type { MetricSeries } from "./workload.ts";

/** The project that the benchmark's key belongs to. */
export const PROJECT = "default";

export class PointBlock {
	readonly #columns = {
		...{ project: new LowCardinalityColumn(), name: new LowCardinalityColumn(), component: new LowCardinalityColumn() },
		...{ kind: new LowCardinalityColumn(), series_id: new FixedColumn(), ts: new FixedColumn() },
		...{ value: new FixedColumn(), failed: new FixedColumn() },
	};
	readonly #series: readonly (MetricSeries & {
		readonly component: string;
		readonly high: number;
		readonly low: number;
	})[];
	#rows = 0;

	constructor(series: readonly MetricSeries[]) {
		this.#series = series.map(({ name, tags }) => {
			const component = tags.find(([key]) => key === "component")?.[1] ?? "";
			return { name, tags, component, ...seriesId(PROJECT, name, tags) };
		});
	}

	/** @param series place in the list given to the constructor @param ts_ms since the epoch */
	point(series: number, ts_ms: number, value: number): void {
		const { name, component, high, low } = this.#series[series]!;
		const columns = this.#columns;
		columns.project.push(PROJECT);
		columns.name.push(name);
		columns.component.push(component);
		columns.kind.push(conventionKind(name));
		columns.series_id.uint64(high, low);
		columns.ts.int64(ts_ms);
		columns.value.float64(value);
		columns.failed.uint8(0);
		this.#rows++;
	}

	/** The block of all points so far; the next one starts empty. */
	seal(): Buffer {
		const out = new ByteWriter(2 ** 20);
		writeBlock(
			out,
			this.#rows,
			TABLES.points.map(([name, type]) => [name, type, this.#columns[name]]),
		);
		this.#rows = 0;
		return out.view();
	}
}
