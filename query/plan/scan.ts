/** The pieces of a plan as SQL: rows of the same columns from each source, to be combined as states. */

import type { Tier } from "../../schema/granularity.ts";
import { from, type Params } from "../sql.ts";
import type { Buckets, Trailing } from "../time/buckets.ts";
import type { Piece, Plan } from "./plan.ts";

/** What a rollup knows of a series in a bucket; a raw point is a rollup of one. */
export type RollupColumn = "n" | "sum" | "min" | "max" | "last";

export interface SeriesScan {
	readonly plan: Plan;
	/** Absent: one bucket, `t` = 0. */
	readonly buckets?: Buckets | undefined;
	/** On `name` and `series_id`. */
	readonly where: string;
	readonly columns: readonly RollupColumn[];
}

/** A subquery with `name`, `series_id`, `t` (start of the bucket, epoch seconds) and the columns asked for. `last` is a state. */
export function seriesRows(params: Params, scan: SeriesScan): string {
	const parts = scan.plan.pieces.map((piece) => {
		const raw = piece.source === "raw";
		const columns = scan.columns.map((column) => (raw ? RAW_COLUMN[column] : column));
		return (
			`SELECT name, series_id, ${bucketOfPiece(params, scan.buckets, piece)} AS t, ${columns.join(", ")} ` +
			from(piece.source === "raw" ? "points" : piece.source.rollup, `(${scan.where}) AND ${within(params, piece)}`)
		);
	});
	return `(${parts.join("\nUNION ALL\n")})`;
}

const RAW_COLUMN: Readonly<Record<RollupColumn, string>> = {
	n: "toUInt64(1) AS n",
	sum: "value AS sum",
	min: "value AS min",
	max: "value AS max",
	last: "initializeAggregation('argMaxState', value, ts) AS last",
};

export interface SketchScan {
	readonly plan: Plan;
	readonly buckets?: Buckets | undefined;
	/** On `name`. */
	readonly where: string;
	/** Of one component; absent: of all, which the coarse tiers have merged. */
	readonly component?: string | undefined;
	/** Of a raw point, for names of one measure in different units; sketches cannot be scaled. */
	readonly rawValue?: string;
	/** Columns of `points` to keep apart, with their names; of sketches only `name` and `component` can be. */
	readonly by?: readonly string[];
	/** Of the values beside the sketch: of distributions the same that rollups add up to. */
	readonly columns?: readonly SketchColumn[];
	/** Of a raw point, that its request failed: needed for the column `failed`, and asked for where raw points are read. */
	readonly rawFailed?: () => string;
}

/** What a sketch is stored with, over all series in it. */
export type SketchColumn = "n" | "failed" | "sum" | "max";

/** Levels of every sketch, in the order of the answer. */
export const QUANTILES = [0.5, 0.9, 0.95, 0.99] as const;
/** What the sketch of every tier is made by; the relative error is at most the first argument. */
export const SKETCH = `(0.01, ${QUANTILES.join(", ")})`;
export const SKETCH_ERROR = 0.01;

/** A sketch has room for 540 decades and throws over it; the views that fill the tiers say the same. */
export function sketchable(value: string): string {
	return `if(abs(${value}) < 1e-270, 0, greatest(-1e270, least(1e270, ${value})))`;
}

/** Width of a bucket of the sketch. */
const GAMMA = (1 + SKETCH_ERROR) / (1 - SKETCH_ERROR);

/**
 * What a quantile of a sketch means. ClickHouse (up to 26.7) truncates the logarithm towards zero instead of rounding it down, so
 * every value between −1 and 1 lies one bucket too far out: 1 to 3 % too big until it is put back. The bucket around ±1 is two in
 * one; there, and only there, the error is 2 %.
 */
export function unbiased(quantile: number): number {
	const size = Math.abs(quantile);
	if (Math.abs(size - (1 + SKETCH_ERROR)) < 1e-9) return Math.sign(quantile);
	return size < 1 ? quantile / GAMMA : quantile;
}

/** Where sketches are read from. */
export interface Sketches {
	/** `FROM …`, with the columns of `by` and those asked for. */
	readonly source: string;
	/** Start of the bucket, epoch seconds. */
	readonly t: string;
	/** A state, which merges with `quantilesDDMerge`. */
	readonly state: string;
}

/** Sketches of all pieces of a plan. Of one tier without a subquery, which ClickHouse would take a tenth longer to analyse. */
export function sketches(params: Params, scan: SketchScan): Sketches {
	const [piece, ...others] = scan.plan.pieces;
	if (piece && others.length === 0 && piece.source !== "raw") {
		const { table, where } = sketchesOf(params, scan, piece.source, piece);
		return { source: from(table, where), t: bucketOfPiece(params, scan.buckets, piece), state: "quantiles" };
	}
	const parts = scan.plan.pieces.map((one) => sketchPart(params, scan, one));
	return { source: `FROM (${parts.join("\nUNION ALL\n")})`, t: "t", state: "state" };
}

function sketchPart(params: Params, scan: SketchScan, piece: Piece): string {
	const { by = [], columns: added = [] } = scan;
	const columns = [`${bucketOfPiece(params, scan.buckets, piece)} AS t`, ...by];
	// States of a tier go up as they are: merging them here first would be done twice.
	if (piece.source !== "raw") {
		const { table, where } = sketchesOf(params, scan, piece.source, piece);
		return `SELECT ${[...columns, "quantiles AS state", ...added].join(", ")} ${from(table, where)}`;
	}
	const ofPoints: Readonly<Record<SketchColumn, () => string>> = {
		n: () => "toInt64(count()) AS n",
		failed: () => `toInt64(countIf(${scan.rawFailed!()})) AS failed`,
		sum: () => "sum(value) AS sum",
		max: () => "max(value) AS max",
	};
	const state = `quantilesDDState${SKETCH}(${sketchable(scan.rawValue ?? "value")}) AS state`;
	const counted = added.map((column) => ofPoints[column]());
	return (
		`SELECT ${[...columns, state, ...counted].join(", ")} ` +
		`${from("points", sketchWhere(params, scan, piece))} GROUP BY ${["t", ...by].join(", ")}`
	);
}

function sketchesOf(params: Params, scan: SketchScan, tier: Tier, piece: Piece): { table: string; where: string } {
	const isTotal = scan.component === undefined && !scan.by?.includes("component");
	const table = isTotal ? (tier.sketch_total ?? tier.sketch) : tier.sketch;
	return { table, where: sketchWhere(params, scan, piece) };
}

function sketchWhere(params: Params, { where, component }: SketchScan, piece: Piece): string {
	const ofComponent = component === undefined ? "" : ` AND component = ${params.add("String", component)}`;
	return `(${where})${ofComponent} AND ${within(params, piece)}`;
}

/** `[from, to)` on the time column of a piece. */
function within(params: Params, { source, from: start, to }: Piece): string {
	if (source === "raw") return between(params, "ts", start, to);
	const at = (ms: number) => `toDateTime(${params.add("UInt32", Math.ceil(ms / 1_000))}, 'UTC')`;
	return `bucket >= ${at(start)} AND bucket < ${at(to)}`;
}

/** `[start, end)` in milliseconds since the epoch, on a DateTime64(3) column. */
export function between(params: Params, column: string, start: number, end: number): string {
	return `${column} >= ${at(params, start)} AND ${column} < ${at(params, end)}`;
}

/** A moment as a DateTime64(3), from milliseconds since the epoch. */
export function at(params: Params, ms: number): string {
	return `fromUnixTimestamp64Milli(${params.add("Int64", ms)}, 'UTC')`;
}

/** The ends of all windows that a time (or a bucket that no edge divides) lies in: a row for each. */
function windowsWith(params: Params, { first, step, count, length }: Trailing, seconds: string): string {
	const [origin, stride, last] = [first, step, count - 1].map((value) => params.add("Int64", value));
	const nth = (at: string) => `intDiv(${at} - ${origin}, ${stride})`;
	const at = `toInt64(${seconds})`;
	const earliest = `if(${at} < ${origin}, 0, ${nth(at)} + 1)`;
	const latest = `least(${last}, ${nth(`${at} + ${params.add("Int64", length)}`)})`;
	return `toUInt32(${origin} + arrayJoin(range(${earliest}, ${latest} + 1)) * ${stride})`;
}

/** {@link bucketOf} the rows of a piece, without arithmetic where it lies in one bucket or its rows are the buckets. */
function bucketOfPiece(params: Params, buckets: Buckets | undefined, piece: Piece): string {
	const column = piece.source === "raw" ? "ts" : "bucket";
	if (!buckets || buckets.trailing) return bucketOf(params, buckets, column);
	const [from, last] = [Math.floor(piece.from / 1_000), Math.ceil(piece.to / 1_000) - 1];
	const begins = buckets.runs.findIndex(({ end }, i) => from < end || i === buckets.runs.length - 1);
	const { start, end, step } = buckets.runs[begins]!;
	const isInRun = from >= start && (last < end || begins === buckets.runs.length - 1);
	const place = (at: number) => Math.floor((at - start) / step);
	if (isInRun && place(from) === place(last)) return params.add("UInt32", start + step * place(from));
	const isBucket = piece.source !== "raw" && step === piece.source.step_seconds && start % step === 0;
	return isInRun && isBucket ? "toUnixTimestamp(bucket)" : bucketOf(params, buckets, column);
}

/** Start of the bucket that a time falls in, as epoch seconds; no zone is needed, the runs have it. */
export function bucketOf(params: Params, buckets: Buckets | undefined, column: string): string {
	if (!buckets) return "toUInt32(0)";
	const seconds = `toUnixTimestamp(${column})`;
	if (buckets.trailing) return windowsWith(params, buckets.trailing, seconds);
	const inRun = buckets.runs.map(({ start, step }) => {
		const origin = params.add("UInt32", start);
		const length = params.add("UInt32", step);
		return `toUInt32(intDiv(${seconds} - ${origin}, ${length}) * ${length} + ${origin})`;
	});
	if (inRun.length === 1) return inRun[0]!;
	const branches = buckets.runs
		.slice(0, -1)
		.map(({ end }, i) => `${seconds} < ${params.add("UInt32", end)}, ${inRun[i]}`);
	return `multiIf(${branches.join(", ")}, ${inRun.at(-1)})`;
}
