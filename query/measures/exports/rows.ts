/** The rows of an export, as SQL: which columns, in which order. Stable: people build on them, and README tells them. */

import type { ExportInput, ExportSlice } from "../../../schema/export-job.ts";
import { tierOf } from "../../../schema/granularity.ts";
import { from, Params, type Question, type Row } from "../../sql.ts";

/** What is asked of the database, whose answer is forwarded as it is. */
export type RowsQuestion = Pick<Question<unknown>, "name" | "sql" | "params"> & { readonly format: string };

type What = Pick<ExportInput, "metrics" | "events" | "granularity">;
type Slice = Pick<ExportSlice, "data" | "tier" | "start" | "end">;

const FORMATS = { csv: "CSVWithNames", json: "TSVRaw", parquet: "Parquet" } as const;

/** How many rows there are in each step of time that has any: `[start of the step, rows]`, in order. */
export function exportCounts(what: What, slice: Slice, step_ms: number): Question<[number, number][]> {
	const params = new Params();
	const { table, where, ms } = source(params, what, slice);
	return {
		name: "export_counts",
		params,
		sql: `SELECT intDiv(${ms}, ${params.add("UInt32", step_ms)}) AS step, count() AS found ${from(table, where)} GROUP BY step ORDER BY step`,
		read: (rows: Row[]) => rows.map(({ step, found }) => [Number(step) * step_ms, Number(found)]),
	};
}

/**
 * The rows of a slice in an order that a second reading repeats. Of csv and parquet the columns are those of the tables below; a line
 * of json is the record as `POST /v1/ingest/batch` takes it.
 */
export function exportRows(what: What & Pick<ExportInput, "format">, slice: Slice): RowsQuestion {
	const params = new Params();
	const { columns, rows, order } = ROWS[slice.data](params, what, slice);
	const select = what.format === "json" ? jsonLine(columns, slice, what) : plainColumns(columns, what.format);
	return {
		name: `export_${slice.data}`,
		params,
		format: FORMATS[what.format],
		sql: `SELECT ${select} FROM (${rows}) ORDER BY ${order}`,
	};
}

/** A column of the files. */
interface Column {
	readonly name: string;
	/** Over the rows; a text unless it says otherwise. */
	readonly sql: string;
	/** `document` is JSON text, `map` a Map of texts. */
	readonly type?: "time" | "number" | "document" | "map";
	/** Only in csv and parquet: a record that is sent has no such member. */
	readonly derived?: true;
	/** Left out of a line of json where it is empty. */
	readonly optional?: true;
}

interface Rows {
	readonly columns: readonly Column[];
	readonly rows: string;
	readonly order: string;
}

function plainColumns(columns: readonly Column[], format: "csv" | "parquet"): string {
	return columns
		.map(({ name, sql, type }) => {
			const value = type === "map" && format === "csv" ? `toJSONString(${sql})` : type ? sql : `toString(${sql})`;
			return `${value} AS \`${name}\``;
		})
		.join(", ");
}

/** Written as text: a document goes in as it is, with the numbers and the nesting that were sent. */
function jsonLine(columns: readonly Column[], { data }: Slice, { granularity }: What): string {
	const members = columns
		.filter(({ derived }) => !derived || (data === "metrics" && granularity !== "raw"))
		.map(({ name, sql, type, optional }) => {
			const text = type === "time" ? ISO(sql) : type === "document" ? sql : toJson(type ? sql : `toString(${sql})`);
			const member = `concat(',"${name}":', ${text})`;
			return optional ? `if(empty(${sql}), '', ${member})` : member;
		});
	const type = data === "metrics" && granularity !== "raw" ? "metric_bucket" : data.replace(/s$/, "");
	return `concat('{"type":"${type}"', ${members.join(", ")}, '}') AS line`;
}

const toJson = (sql: string) => `toJSONString(${sql})`;
const ISO = (sql: string) =>
	`concat('"', formatDateTime(${sql}, '%Y-%m-%dT%H:%i:%S'), '.', leftPad(toString(toUnixTimestamp64Milli(${sql}) % 1000), 3, '0'), 'Z"')`;

const time = { name: "timestamp", sql: "at", type: "time" } as const;
const OF_SERIES: readonly Column[] = [
	{ name: "kind", sql: "sort" },
	{ name: "unit", sql: "unit_", optional: true },
	{ name: "component", sql: "part_of", derived: true },
	{ name: "tags", sql: "labels", type: "map" },
];

const ROWS: Readonly<Record<Slice["data"], (params: Params, what: What, slice: Slice) => Rows>> = {
	metrics: (params, what, slice) =>
		what.granularity === "raw" ? points(params, what, slice) : buckets(params, what, slice),
	events: (params, what, slice) => ({
		columns: [
			time,
			{ name: "event", sql: "event" },
			{ name: "event_id", sql: "event_id", optional: true },
			{ name: "user_id", sql: "user_id", optional: true },
			{ name: "account_id", sql: "account_id", optional: true },
			{ name: "session_id", sql: "session_id", optional: true },
			{ name: "properties", sql: "properties", type: "document" },
		],
		rows: `SELECT ts AS at, id, event, event_id, user_id, account_id, session_id, ${PROPERTIES} AS properties ${scan(params, what, slice)}`,
		order: "at, id, event, event_id, properties",
	}),
	logs: (params, what, slice) => ({
		columns: [
			time,
			{ name: "level", sql: "level" },
			{ name: "component", sql: "component", optional: true },
			{ name: "message", sql: "message" },
			{ name: "context", sql: "document", type: "document" },
			{ name: "trace_id", sql: "trace_id", optional: true },
			{ name: "span_id", sql: "span_id", optional: true },
		],
		rows: `SELECT ts AS at, id, level, component, message, ${DOCUMENT} AS document, trace_id, span_id ${scan(params, what, slice)}`,
		order: "at, id",
	}),
	errors: (params, what, slice) => ({
		columns: [
			time,
			{ name: "error_type", sql: "error_type" },
			{ name: "error_message", sql: "message" },
			{ name: "severity", sql: "severity" },
			{ name: "component", sql: "component", optional: true },
			{ name: "stack_trace", sql: "stack", optional: true },
			{ name: "context", sql: "document", type: "document" },
			{ name: "user_id", sql: "user_id", derived: true },
			{ name: "trace_id", sql: "trace_id", derived: true },
			{ name: "issue_id", sql: "issue", derived: true },
		],
		rows: `SELECT ts AS at, id, error_type, message, severity, component, stack, ${DOCUMENT} AS document, user_id, trace_id, toString(issue_id) AS issue ${scan(params, what, slice)}`,
		order: "at, id",
	}),
};

const DOCUMENT = "if(context = '', '{}', context)";
/** Both maps in one object: numbers as numbers, everything else as the text that it is stored as. */
const PROPERTIES = `concat('{', arrayStringConcat(arrayConcat(
arrayMap((k, v) -> concat(toJSONString(toString(k)), ':', toJSONString(v)), mapKeys(strings), mapValues(strings)),
arrayMap((k, v) -> concat(toJSONString(toString(k)), ':', toJSONString(v)), mapKeys(numbers), mapValues(numbers))), ','), '}')`;

/** A point carries the id of its series alone. An increase of a running total is a counter's, if it is ever sent again. */
function points(params: Params, what: What, slice: Slice): Rows {
	const rows = `SELECT ts AS at, name, series_id, value ${scan(params, what, slice)}`;
	return {
		columns: [time, { name: "name", sql: "name" }, { name: "value", sql: "value", type: "number" }, ...OF_SERIES],
		rows: `SELECT * FROM (${rows}) AS p ANY LEFT JOIN (${labels(params, what)}) AS s USING (name, series_id)`,
		order: "name, series_id, at, value",
	};
}

function buckets(params: Params, what: What, slice: Slice): Rows {
	const step = params.add("UInt32", tierOf(what.granularity as Exclude<What["granularity"], "raw">).step_seconds);
	const states = slice.tier
		? "toDateTime64(bucket, 3, 'UTC') AS at, sum(n) AS n_, sum(sum) AS sum_, min(min) AS min_, max(max) AS max_, argMaxMerge(last) AS last_"
		: `toDateTime64(toStartOfInterval(toDateTime(ts, 'UTC'), toIntervalSecond(${step}), 'UTC'), 3, 'UTC') AS at, count() AS n_, sum(value) AS sum_, min(value) AS min_, max(value) AS max_, argMax(value, ts) AS last_`;
	const rows = `SELECT name, series_id, ${states} ${scan(params, what, slice)} GROUP BY name, series_id, at`;
	const number = (name: string, sql: string): Column => ({ name, sql, type: "number" });
	return {
		columns: [
			time,
			{ name: "name", sql: "name" },
			number("count", "n_"),
			number("sum", "sum_"),
			number("min", "min_"),
			number("max", "max_"),
			number("last", "last_"),
			...OF_SERIES,
		],
		rows: `SELECT * FROM (${rows}) AS p ANY LEFT JOIN (${labels(params, what)}) AS s USING (name, series_id)`,
		order: "name, series_id, at",
	};
}

function labels(params: Params, { metrics }: What): string {
	const columns =
		"if(anyLast(kind) = 'cumulative', 'counter', anyLast(kind)) AS sort, anyLast(unit) AS unit_, anyLast(component) AS part_of, anyLast(tags) AS labels";
	return `SELECT name, series_id, ${columns} ${from("series", among(params, "name", metrics))} GROUP BY name, series_id`;
}

function scan(params: Params, what: What, slice: Slice): string {
	const { table, where } = source(params, what, slice);
	return from(table, where);
}

/** The table of a slice, which of its rows, and their time in milliseconds. */
function source(
	params: Params,
	what: What,
	{ data, tier, start, end }: Slice,
): { table: string; where: string; ms: string } {
	const at = (ms: number) => `fromUnixTimestamp64Milli(${params.add("Int64", ms)}, 'UTC')`;
	const rollup = tier ? tierOf(what.granularity as Exclude<What["granularity"], "raw">).rollup : undefined;
	const column = rollup ? "bucket" : "ts";
	const wanted = data === "metrics" ? what.metrics : data === "events" ? what.events : undefined;
	const which = among(params, data === "metrics" ? "name" : "event", wanted);
	return {
		table: rollup ?? (data === "metrics" ? "points" : data),
		where: `${column} >= ${at(start)} AND ${column} < ${at(end)}${which === undefined ? "" : ` AND ${which}`}`,
		ms: rollup ? "toInt64(toUnixTimestamp(bucket)) * 1000" : "toUnixTimestamp64Milli(ts)",
	};
}

function among(params: Params, column: string, names: readonly string[] | undefined): string | undefined {
	return names === undefined ? undefined : `${column} IN ${params.add("Array(String)", names)}`;
}
