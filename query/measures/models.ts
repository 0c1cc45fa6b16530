/** Calls of language models: how many, how they ended, how long they took and what they used. */
import { at, between, bucketOf, QUANTILES, SKETCH, sketchable, unbiased } from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";
import type { Span } from "../time/period.ts";
import type { Scope } from "./scope.ts";

export const MODEL_EVENT = "model_inference_completed";
/** What a call without the name of its model is listed under. */
const UNKNOWN_MODEL = "unknown";
/** SQL: the name that answers call a model by. */
export const nameOfModel = (column: string) => `if(${column} = '', '${UNKNOWN_MODEL}', ${column})`;

/** SQL of a row of `events`: `timeout`, `cancelled`, any other error, or nothing. */
const ERROR_TYPE = "strings['error_type']";
/** A call that says it failed without saying why is an error too. */
const SAYS_FAILED = `(lower(strings['success']) = 'false' OR (mapContains(numbers, 'success') AND numbers['success'] = 0))`;
/** SQL: the call answered. */
export const SUCCEEDED = `(${ERROR_TYPE} = '' AND NOT ${SAYS_FAILED})`;
const FAILED = `(${ERROR_TYPE} NOT IN ('', 'timeout', 'cancelled') OR (${ERROR_TYPE} = '' AND ${SAYS_FAILED}))`;
/** SQL: how long the call took says how fast the model is, which timeouts and cancelled calls do not. */
export const TIMED = `(mapContains(numbers, 'latency_ms') AND numbers['latency_ms'] >= 0 AND ${ERROR_TYPE} NOT IN ('timeout', 'cancelled'))`;

const has = (name: string) => `mapContains(numbers, '${name}')`;
const HAS_PARTS = `(${has("input_tokens")} AND ${has("output_tokens")})`;
/** Input counts what was cached already; the total alone where one of the parts is not known. */
const TOKENS = `if(${HAS_PARTS} OR NOT ${has("tokens")}, numbers['input_tokens'] + numbers['output_tokens'], numbers['tokens'])`;

/** What `model_hours` sums up, of one event; the view that fills it says the same. */
const OF_EVENT = {
	requests: "1",
	cancelled: `${ERROR_TYPE} = 'cancelled'`,
	timeouts: `${ERROR_TYPE} = 'timeout'`,
	failed: FAILED,
	timed: TIMED,
	latency_ms: `if(${TIMED}, numbers['latency_ms'], 0)`,
	measured: has("response_chars"),
	response_chars: "numbers['response_chars']",
	metered: `${has("input_tokens")} OR ${has("output_tokens")} OR ${has("tokens")}`,
	tokens: TOKENS,
	memory_samples: has("memory_mb"),
	memory_mb: "numbers['memory_mb']",
	cpu_samples: has("cpu_percent"),
	cpu_percent: "numbers['cpu_percent']",
} as const;
/** In the order of the sums of a row: as an array they are one expression, and the time of a long query is that of reading it. */
const COLUMNS = Object.keys(OF_EVENT) as (keyof typeof OF_EVENT)[];

/** A scope of which only one model may be asked for. */
export interface ModelScope extends Scope {
	/** As the answer names it; absent for all. */
	readonly model?: string | undefined;
}

/** Counts and sums of calls; means are sums by their counts. */
export interface ModelCalls {
	/** Cancelled ones too. */
	readonly requests: number;
	readonly cancelled: number;
	readonly timeouts: number;
	/** Ended by any other error. */
	readonly failed: number;
	/** Calls whose time is known, without timeouts and cancelled ones. */
	readonly timed: number;
	/** Of those, in all. */
	readonly latency_ms: number;
	/** Calls that say how long their answer is, and its characters in all. */
	readonly measured: number;
	readonly response_chars: number;
	/** Calls that say how many tokens they used, and those in all. */
	readonly metered: number;
	readonly tokens: number;
	readonly memory_samples: number;
	readonly memory_mb: number;
	readonly cpu_samples: number;
	readonly cpu_percent: number;
}

export interface Model extends ModelCalls {
	readonly name: string;
	/** Of the calls that were timed, milliseconds; null without one. Relative error: that of a sketch. */
	readonly p95_ms: number | null;
	readonly p99_ms: number | null;
	/** By start of the bucket; one without a call is absent. */
	readonly buckets: ReadonlyMap<number, ModelCalls>;
}

/** Every model that was called within the scope, the most called first. */
export function modelCalls(scope: ModelScope): Question<Model[]> {
	const params = new Params();
	return {
		name: "model_calls",
		params,
		// Buckets first, then all of a model: one pass over the rows.
		sql: `SELECT name, sumForEach(bucket) AS sums, quantilesDDMerge${SKETCH}(sketch) AS quantiles, groupArray((t, bucket)) AS buckets
FROM (SELECT name, t, sumForEach(sums) AS bucket, quantilesDDMergeState${SKETCH}(latencies) AS sketch FROM ${modelRows(params, scope)} GROUP BY name, t)
GROUP BY name ORDER BY sums[1] DESC, name`,
		read: (rows) => rows.map(toModel),
	};
}

function toModel(row: Row): Model {
	const { name, sums, quantiles, buckets } = row as {
		readonly name: string;
		readonly sums: readonly number[];
		readonly quantiles: readonly number[];
		readonly buckets: readonly (readonly [t: number, sums: readonly number[]])[];
	};
	const calls = toCalls(sums);
	const quantile = (level: 0.95 | 0.99) => (calls.timed > 0 ? unbiased(quantiles[QUANTILES.indexOf(level)]!) : null);
	return {
		...calls,
		name,
		p95_ms: quantile(0.95),
		p99_ms: quantile(0.99),
		buckets: new Map(buckets.filter(([, values]) => values.length > 0).map(([t, values]) => [t, toCalls(values)])),
	};
}

function toCalls(sums: readonly number[]): ModelCalls {
	return Object.fromEntries(COLUMNS.map((column, i) => [column, sums[i] ?? 0])) as unknown as ModelCalls;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Which stretches of a window come from where, in milliseconds since the epoch. */
export interface ModelCover {
	/** Whole hours UTC, and the whole days among them; absent where there is none. */
	readonly hours: Span | undefined;
	readonly days: Span | undefined;
	/** Starts of hours that a bucket divides: their counts come from events. Sketches are not told apart by bucket. */
	readonly divided: readonly number[];
}

/** @see ModelCover */
export function modelCover({ start, end, buckets }: Pick<Scope, "start" | "end" | "buckets">): ModelCover {
	const hours = wholeSteps({ start, end }, HOUR_MS);
	const boundaries = (buckets?.starts ?? []).map((t) => t * 1_000);
	return {
		hours,
		days: hours && wholeSteps(hours, DAY_MS),
		divided: boundaries
			.filter((t) => hours && t > hours.start && t < hours.end && t % HOUR_MS !== 0)
			.map((t) => t - (t % HOUR_MS)),
	};
}

function wholeSteps({ start, end }: Span, step: number): Span | undefined {
	const whole = { start: Math.ceil(start / step) * step, end: Math.floor(end / step) * step };
	return whole.start < whole.end ? whole : undefined;
}

/**
 * A subquery with `t`, `name`, `sums` and the sketch `latencies`. Counts come by hour and by event, sketches by day, by hour and by
 * event: a row that has one of both may lack the other.
 */
function modelRows(params: Params, scope: ModelScope): string {
	const { hours, days, divided } = modelCover(scope);
	const only = (column: string) =>
		scope.model === undefined ? "1" : `${nameOfModel(column)} = ${params.add("String", scope.model)}`;
	const second = (ms: number) => `toDateTime(${params.add("UInt32", ms / 1_000)}, 'UTC')`;
	// By its number: a text or a time would be read in the zone of the server.
	const day = (ms: number) => `toDate(${params.add("UInt16", ms / DAY_MS)})`;
	const inHours = (span: Span) => `hour >= ${second(span.start)} AND hour < ${second(span.end)}`;
	const isDivided = (hour: string) => {
		const starts = divided.map((ms) => ms / 1_000);
		return starts.length === 0 ? "0" : `toUnixTimestamp(${hour}) IN ${params.add("Array(UInt32)", starts)}`;
	};
	const ofSketches = `SELECT toUInt32(0) AS t, ${nameOfModel("model")} AS name, emptyArrayFloat64() AS sums, latencies`;
	const parts: string[] = [];
	if (hours !== undefined) {
		const sums = `[${COLUMNS.map((column) => `toFloat64(${column})`).join(", ")}] AS sums, ${NO_SKETCH} AS latencies`;
		const where = `${inHours(hours)} AND NOT ${isDivided("hour")} AND ${only("model")}`;
		parts.push(
			`SELECT ${bucketOf(params, scope.buckets, "hour")} AS t, ${nameOfModel("model")} AS name, ${sums} ${from("model_hours", where)}`,
		);
		const outside = days === undefined ? "1" : `NOT (${inHours(days)})`;
		parts.push(`${ofSketches} ${from("model_hours", `${inHours(hours)} AND ${outside} AND ${only("model")}`)}`);
	}
	if (days !== undefined) {
		const where = `day >= ${day(days.start)} AND day < ${day(days.end)} AND ${only("model")}`;
		parts.push(`${ofSketches} ${from("model_days", where)}`);
	}
	const ends = [
		{ start: scope.start, end: hours?.start ?? scope.end },
		{ start: hours?.end ?? scope.end, end: scope.end },
	].filter((span) => span.start < span.end);
	if (ends.length > 0 || divided.length > 0) {
		const atEnds = ends.map((span) => `(${between(params, "ts", span.start, span.end)})`).join(" OR ") || "0";
		const dividedHours = `${between(params, "ts", scope.start, scope.end)} AND ${isDivided("toStartOfHour(toDateTime(ts, 'UTC'), 'UTC')")}`;
		const where = `event = '${MODEL_EVENT}' AND (${atEnds}${divided.length > 0 ? ` OR (${dividedHours})` : ""})`;
		parts.push(`SELECT t, name, sumForEach(sums) AS sums, quantilesDDStateIf${SKETCH}(latency, is_timed) AS latencies
FROM (SELECT ${bucketOf(params, scope.buckets, "ts")} AS t, ${nameOfModel("strings['model']")} AS name,
	[${COLUMNS.map((column) => `toFloat64(${OF_EVENT[column]})`).join(", ")}] AS sums,
	${sketchable("numbers['latency_ms']")} AS latency, sums[${COLUMNS.indexOf("timed") + 1}] = 1 AND (${atEnds}) AS is_timed
	${from("events", `${where} AND ${only("strings['model']")}`)})
GROUP BY t, name`);
	}
	return `(${parts.join("\nUNION ALL\n")})`;
}

const NO_SKETCH = `arrayReduce('quantilesDDState${SKETCH}', emptyArrayFloat64())`;

export interface ModelService {
	/** Of the latest successful request in a day. */
	readonly model: string | null;
	/** Mean over the last five minutes without timeouts and cancelled calls, milliseconds. */
	readonly latency_ms: number | null;
}

const RECENT_MS = 300_000;

/** The language model backend at the end of the scope. */
export function modelService(scope: Scope): Question<ModelService> {
	const params = new Params();
	const recent = `ts >= ${at(params, scope.end - RECENT_MS)} AND ${TIMED}`;
	return {
		name: "model_service",
		params,
		sql: `SELECT argMaxIf(strings['model'], (ts, id), ${SUCCEEDED} AND strings['model'] != '') AS model,
	sumIf(numbers['latency_ms'], ${recent}) / nullIf(countIf(${recent}), 0) AS latency_ms
${from("events", `event = '${MODEL_EVENT}' AND ${between(params, "ts", scope.end - DAY_MS, scope.end)}`)}`,
		read: ([row]) => ({
			model: (row?.model as string | undefined) || null,
			latency_ms: (row?.latency_ms as number | null | undefined) ?? null,
		}),
	};
}
