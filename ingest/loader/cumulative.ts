import type { ClickHouse } from "../../schema/clickhouse.ts";
import { TABLES } from "../../schema/tables.ts";
import { type Cell, decodeBlock, encodeRows } from "../native/decode.ts";
import { increases, type Total } from "./increases.ts";
import type { SizedBlock } from "./insert.ts";

/** What is stored of a series around new totals: the last one before `from`, and all at or after it. */
export interface StoredTotals {
	readonly before: Total | undefined;
	readonly after: readonly Total[];
}

/** Looks up series of one project; ids as decimal text. @param from milliseconds since the epoch */
export type FindTotals = (
	project: string,
	ids: readonly string[],
	from: number,
) => Promise<ReadonlyMap<string, StoredTotals>>;

export function findTotals(client: ClickHouse): FindTotals {
	return async (project, ids, from) => {
		const result = await client.query({
			query: `SELECT toString(series_id) AS id,
					argMaxIf((toUnixTimestamp64Milli(ts), value), ts, ts < {from:DateTime64(3)}) AS before,
					countIf(ts < {from:DateTime64(3)}) AS n_before,
					arraySort(groupArrayIf((toUnixTimestamp64Milli(ts), value), ts >= {from:DateTime64(3)})) AS after
				FROM cumulative
				WHERE project = {project:String} AND series_id IN {ids:Array(UInt64)}
				GROUP BY series_id`,
			query_params: { project, ids: ids.map(BigInt), from: from / 1_000 },
			format: "JSONEachRow",
			use_multipart_params: true,
		});
		type Pair = [ts: string, value: number];
		const rows = await result.json<{ id: string; before: Pair; n_before: string; after: Pair[] }>();
		const total = ([ts, value]: Pair): Total => ({ ts: Number(ts), value });
		return new Map(
			rows.map((row) => [
				row.id,
				{ before: row.n_before === "0" ? undefined : total(row.before), after: row.after.map(total) },
			]),
		);
	};
}

interface NewTotals {
	readonly project: string;
	readonly name: string;
	readonly id: bigint;
	readonly totals: Total[];
}

/** Turns blocks of running totals into blocks of increases for `points`. */
export class CumulativeResolver {
	readonly #find: FindTotals;
	// The last total of the series seen lately: what arrives in order needs no look-up. Two generations, as in the registry.
	#young = new Map<bigint, Total>();
	#old = new Map<bigint, Total>();
	readonly #cached: number;

	constructor(find: FindTotals, cached = 200_000) {
		this.#find = find;
		this.#cached = cached;
	}

	/** Changes nothing that is stored: the same blocks give the same answer until {@link stored} is called. */
	async resolve(blocks: readonly Buffer[]): Promise<SizedBlock[]> {
		const series = collect(blocks);
		const context = await this.#context([...series.values()]);
		const rows: Cell[][] = [];
		for (const { project, name, id, totals } of series.values()) {
			const { before, after } = context.get(id)!;
			for (const { ts, value } of increases(before, after, totals)) {
				rows.push([project, name, "", "cumulative", id, ts, value, false]);
			}
		}
		return rows.length === 0 ? [] : [{ rows: rows.length, block: encodeRows(TABLES.points, rows) }];
	}

	/** Tells that these blocks are stored now. */
	stored(blocks: readonly Buffer[]): void {
		for (const { id, totals } of collect(blocks).values()) {
			const last = this.#last(id);
			const newest = totals.at(-1)!;
			if (!last || newest.ts > last.ts) this.#young.set(id, newest);
		}
		if (this.#young.size > this.#cached) {
			this.#old = this.#young;
			this.#young = new Map();
		}
	}

	/** What is stored around the new totals of each series: from memory when they are all newer, else looked up. */
	async #context(series: readonly NewTotals[]): Promise<Map<bigint, StoredTotals>> {
		const context = new Map<bigint, StoredTotals>();
		const unknown = new Map<string, NewTotals[]>();
		for (const one of series) {
			const last = this.#last(one.id);
			context.set(one.id, { before: last, after: [] });
			if (last && last.ts < one.totals[0]!.ts) continue;
			context.set(one.id, { before: undefined, after: [] });
			unknown.set(one.project, [...(unknown.get(one.project) ?? []), one]);
		}
		for (const [project, wanted] of unknown) {
			const from = wanted.reduce((least, { totals }) => Math.min(least, totals[0]!.ts), Number.POSITIVE_INFINITY);
			const ids = wanted.map(({ id }) => id.toString());
			for (const [id, totals] of await this.#find(project, ids, from)) context.set(BigInt(id), totals);
		}
		return context;
	}

	#last(id: bigint): Total | undefined {
		return this.#young.get(id) ?? this.#old.get(id);
	}
}

/** New totals by series, by time; of two at one time the later sent. */
function collect(blocks: readonly Buffer[]): Map<bigint, NewTotals> {
	const series = new Map<bigint, NewTotals>();
	for (const bytes of blocks) {
		const { rows, columns } = decodeBlock(bytes);
		const column = (name: string) => columns.get(name)!;
		for (let row = 0; row < rows; row++) {
			const id = column("series_id")[row] as bigint;
			let entry = series.get(id);
			if (!entry) {
				entry = { project: column("project")[row] as string, name: column("name")[row] as string, id, totals: [] };
				series.set(id, entry);
			}
			entry.totals.push({ ts: column("ts")[row] as number, value: column("value")[row] as number });
		}
	}
	for (const { totals } of series.values()) totals.sort((a, b) => a.ts - b.ts);
	return series;
}
