/** Calls of language models: how many, how they ended, how long they took and what they used. */
import type { LivePart } from "../../schema/live/frames.ts";
import { at, between, bucketOf, QUANTILES, SKETCH, sketchable, unbiased } from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";
import type { Span } from "../time/period.ts";
import type { Scope } from "./scope.ts";

export const MODEL_EVENT = "model_inference_completed";
/** What a call without the name of its model is listed under. */
const UNKNOWN_MODEL = "unknown";
/** SQL: the name that answers call a model by. */
export const nameOfModel = (column: string) => `if(${column} = '', '${UNKNOWN_MODEL}', ${column})`;

/** What `model_hours` sums up, of the rows of `model_calls`; the view that fills it says the same. */
const OF_CALLS = {
	requests: "toFloat64(count())",
	cancelled: "toFloat64(countIf(outcome = 'cancelled'))",
	timeouts: "toFloat64(countIf(outcome = 'timeout'))",
	failed: "toFloat64(countIf(outcome = 'error'))",
	timed: "toFloat64(count(timed_ms))",
	latency_ms: "ifNull(sum(timed_ms), 0)",
	measured: "toFloat64(count(response_chars))",
	response_chars: "ifNull(sum(response_chars), 0)",
	metered: "toFloat64(count(tokens))",
	tokens: "ifNull(sum(tokens), 0)",
	memory_samples: "toFloat64(count(memory_mb))",
	memory_mb: "ifNull(sum(memory_mb), 0)",
	cpu_samples: "toFloat64(count(cpu_percent))",
	cpu_percent: "ifNull(sum(cpu_percent), 0)",
} as const;
/** In the order of the sums of a row: as an array they are one expression, and the time of a long query is that of reading it. */
const COLUMNS = Object.keys(OF_CALLS) as (keyof typeof OF_CALLS)[];

/** A scope of which only one model may be asked for. */
export interface ModelScope extends Scope {
	/** As the answer names it; absent for all. */
	readonly model?: string | undefined;
	/** Only calls of these accounts; absent for all. Rollups know none: of the source `calls` only. */
	readonly accounts?: readonly string[] | undefined;
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

/** How calls ended and how long they took, of parts that have just become durable; `model_calls` says the same of stored ones. */
export function modelCallsOf(
	parts: readonly LivePart[],
): Pick<ModelCalls, "requests" | "cancelled" | "timeouts" | "failed" | "timed" | "latency_ms"> {
	const calls = { requests: 0, cancelled: 0, timeouts: 0, failed: 0, timed: 0, latency_ms: 0 };
	for (const { tags, n, sum } of parts) {
		calls.requests += n;
		if (tags.error_type === "timeout") calls.timeouts += n;
		else if (tags.error_type === "cancelled") calls.cancelled += n;
		else {
			if (tags.error_type || tags.success === "false") calls.failed += n;
			if (tags.latency_ms !== "known") continue;
			calls.timed += n;
			calls.latency_ms += sum;
		}
	}
	return calls;
}

export interface Model extends ModelCalls {
	readonly name: string;
	/** Of the calls that were timed, milliseconds; null without one. Relative error: that of a sketch. */
	readonly p95_ms: number | null;
	readonly p99_ms: number | null;
	/** By start of the bucket; one without a call is absent. */
	readonly buckets: ReadonlyMap<number, ModelCalls>;
}

/** Calls within the whole hours of a scope, to choose the source that its answer comes from. */
export function modelVolume(scope: Scope): Question<number> {
	const params = new Params();
	const { hours } = modelCover(scope);
	const [first, last] = [hours?.start ?? 0, hours?.end ?? 0].map((ms) => params.add("UInt32", ms / 1_000));
	return {
		name: "model_volume",
		params,
		sql: `SELECT sum(requests) AS n ${from("model_hours", `hour >= toDateTime(${first}, 'UTC') AND hour < toDateTime(${last}, 'UTC')`)}`,
		read: ([row]) => Number(row?.n ?? 0),
	};
}

/**
 * Every model that was called within the scope, the most called first.
 * @param source each call, or the rollups of whole hours and days with the calls of the rest: the same, but for windows of millions
 */
export function modelCalls(scope: ModelScope, source: "calls" | "rollups"): Question<Model[]> {
	const params = new Params();
	const rows = modelRows(params, scope, source);
	// Rollups give several rows a bucket; of calls there is one.
	const buckets =
		source === "calls"
			? `SELECT name, t, sums AS bucket, latencies AS sketch FROM ${rows}`
			: `SELECT name, t, sumForEach(sums) AS bucket, quantilesDDMergeState${SKETCH}(latencies) AS sketch FROM ${rows} GROUP BY name, t`;
	return {
		name: "model_calls",
		params,
		// Buckets first, then all of a model: one pass over the rows.
		sql: `SELECT name, sumForEach(bucket) AS sums, quantilesDDMerge${SKETCH}(sketch) AS quantiles, groupArray((t, bucket)) AS buckets
FROM (${buckets})
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
function modelRows(params: Params, scope: ModelScope, source: "calls" | "rollups"): string {
	if (scope.accounts !== undefined && source !== "calls") throw new TypeError("rollups of models know no accounts");
	const { hours, days, divided } = source === "calls" ? { divided: [] } : modelCover(scope);
	const only = (column: string) =>
		scope.model === undefined ? "1" : `${nameOfModel(column)} = ${params.add("String", scope.model)}`;
	const ofAccounts = scope.accounts === undefined ? "1" : callsOfAccounts(params, scope, scope.accounts);
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
		const where = `(${atEnds}${divided.length > 0 ? ` OR (${dividedHours})` : ""}) AND ${only("model")} AND ${ofAccounts}`;
		const timed = divided.length > 0 ? `timed_ms IS NOT NULL AND (${atEnds})` : "timed_ms IS NOT NULL";
		parts.push(`SELECT ${bucketOf(params, scope.buckets, "ts")} AS t, ${nameOfModel("model")} AS name,
	[${COLUMNS.map((column) => `${OF_CALLS[column]}`).join(", ")}] AS sums,
	quantilesDDStateIf${SKETCH}(${sketchable("assumeNotNull(timed_ms)")}, ${timed}) AS latencies
${from("model_calls", where)} GROUP BY t, name`);
	}
	return `(${parts.join("\nUNION ALL\n")})`;
}

/** Only the event knows whose call it is. */
function callsOfAccounts(params: Params, { start, end }: Scope, accounts: readonly string[]): string {
	const where = `event = '${MODEL_EVENT}' AND account_id IN ${params.add("Array(String)", accounts)} AND ${between(params, "ts", start, end)}`;
	return `(ts, id) IN (SELECT ts, id ${from("events", where)})`;
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
	return {
		name: "model_service",
		params,
		sql: `SELECT argMaxIf(model, (ts, id), outcome = 'success' AND model != '') AS latest,
	avgIf(timed_ms, ts >= ${at(params, scope.end - RECENT_MS)}) AS latency_ms
${from("model_calls", between(params, "ts", scope.end - DAY_MS, scope.end))}`,
		read: ([row]) => ({
			model: (row?.latest as string | undefined) || null,
			latency_ms: (row?.latency_ms as number | null | undefined) ?? null,
		}),
	};
}
