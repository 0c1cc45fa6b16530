/** Calls of language models: how many, how they ended, how long they took and what they used. */
import { at, between, bucketOf, QUANTILES, SKETCH, sketchable, unbiased } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Buckets } from "../time/buckets.ts";
import type { Scope } from "./scope.ts";

export const MODEL_EVENT = "model_inference_completed";
/** What a call without the name of its model is listed under. */
export const UNKNOWN_MODEL = "unknown";

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
const METERED = `(${has("input_tokens")} OR ${has("output_tokens")} OR ${has("tokens")})`;
/** Input counts what was cached already; the total alone where one of the parts is not known. */
const TOKENS = `if(${HAS_PARTS} OR NOT ${has("tokens")}, numbers['input_tokens'] + numbers['output_tokens'], numbers['tokens'])`;

/** Columns of `model_quarters`, of events that the edges of a window are read from; the view that fills it says the same. */
const OF_EVENTS = {
	requests: "count()",
	cancelled: `countIf(${ERROR_TYPE} = 'cancelled')`,
	timeouts: `countIf(${ERROR_TYPE} = 'timeout')`,
	failed: `countIf(${FAILED})`,
	timed: `countIf(${TIMED})`,
	latency_ms: `sumIf(numbers['latency_ms'], ${TIMED})`,
	latencies: `quantilesDDStateIf${SKETCH}(${sketchable("numbers['latency_ms']")}, ${TIMED})`,
	measured: `countIf(${has("response_chars")})`,
	response_chars: "sum(numbers['response_chars'])",
	metered: `countIf(${METERED})`,
	tokens: `sumIf(${TOKENS}, ${METERED})`,
	memory_samples: `countIf(${has("memory_mb")})`,
	memory_mb: "sum(numbers['memory_mb'])",
	cpu_samples: `countIf(${has("cpu_percent")})`,
	cpu_percent: "sum(numbers['cpu_percent'])",
} as const;
type ModelColumn = keyof typeof OF_EVENTS;

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
}

export interface ModelTotals extends ModelCalls {
	readonly model: string;
	/** Of the calls that were timed, milliseconds; null without one. Relative error: that of a sketch. */
	readonly p95_ms: number | null;
	readonly p99_ms: number | null;
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

/** Every model that was called within the scope, the most called first. */
export function modelTotals(scope: ModelScope): Question<ModelTotals[]> {
	const params = new Params();
	const sums = (Object.keys(OF_EVENTS) as ModelColumn[]).filter((column) => column !== "latencies");
	const rows = modelRows(params, { ...scope, buckets: undefined }, Object.keys(OF_EVENTS) as ModelColumn[]);
	return {
		name: "model_totals",
		params,
		sql: `SELECT model, ${sums.map((column) => `sum(${column}) AS ${column}`).join(", ")},
	quantilesDDMerge${SKETCH}(latencies) AS quantiles
FROM ${rows} GROUP BY model ORDER BY requests DESC, model`,
		read: (found) =>
			found.map((row) => {
				const { quantiles, ...totals } = row as unknown as ModelTotals & { quantiles: readonly number[] };
				const quantile = (level: 0.95 | 0.99) =>
					totals.timed > 0 ? unbiased(quantiles[QUANTILES.indexOf(level)]!) : null;
				return { ...totals, p95_ms: quantile(0.95), p99_ms: quantile(0.99) };
			}),
	};
}

/** Calls of all models by start of the bucket; a bucket without one is absent. */
export function modelSeries(scope: ModelScope): Question<Map<number, ModelCalls>> {
	const params = new Params();
	const columns = ["requests", "cancelled", "timeouts", "failed", "timed", "latency_ms"] as const;
	return {
		name: "model_series",
		params,
		sql: `SELECT t, ${columns.map((column) => `sum(${column}) AS ${column}`).join(", ")}
FROM ${modelRows(params, scope, columns)} GROUP BY t`,
		read: (found) => new Map(found.map((row) => [row.t as number, row as unknown as ModelCalls])),
	};
}

const QUARTER_MS = 900_000;

/** `[from, to)` in milliseconds: what whole quarters of an hour cover of a window, and its ends, which only events do. */
export function quartersOf({
	start,
	end,
	buckets,
}: {
	readonly start: number;
	readonly end: number;
	readonly buckets?: Buckets | undefined;
}): { readonly quarters?: readonly [number, number]; readonly events: readonly (readonly [number, number])[] } {
	const first = Math.ceil(start / QUARTER_MS) * QUARTER_MS;
	const last = Math.floor(end / QUARTER_MS) * QUARTER_MS;
	const fits = (buckets?.starts ?? []).every((t) => (t * 1_000) % QUARTER_MS === 0 || t * 1_000 <= start);
	if (first >= last || !fits) return { events: [[start, end]] };
	const ends = [[start, first] as const, [last, end] as const];
	return { quarters: [first, last], events: ends.filter(([from, to]) => from < to) };
}

/** A subquery with `t`, `model` and the columns asked for. */
function modelRows(params: Params, scope: ModelScope, columns: readonly ModelColumn[]): string {
	const { quarters, events } = quartersOf(scope);
	const named = (column: string) => `if(${column} = '', '${UNKNOWN_MODEL}', ${column})`;
	const only = (column: string) =>
		scope.model === undefined ? "1" : `${named(column)} = ${params.add("String", scope.model)}`;
	const inQuarters = (start: number, end: number) => {
		const second = (ms: number) => `toDateTime(${params.add("UInt32", ms / 1_000)}, 'UTC')`;
		const where = `quarter >= ${second(start)} AND quarter < ${second(end)} AND ${only("model")}`;
		return `SELECT ${bucketOf(params, scope.buckets, "quarter")} AS t, ${named("model")} AS model, ${columns.join(", ")} ${from("model_quarters", where)}`;
	};
	const inEvents = (start: number, end: number) => {
		const where = `event = '${MODEL_EVENT}' AND ${between(params, "ts", start, end)} AND ${only("strings['model']")}`;
		const values = columns.map((column) => `${OF_EVENTS[column]} AS ${column}`);
		return `SELECT ${bucketOf(params, scope.buckets, "ts")} AS t, ${named("strings['model']")} AS model, ${values.join(", ")} ${from("events", where)} GROUP BY t, model`;
	};
	const parts = [
		...(quarters === undefined ? [] : [inQuarters(...quarters)]),
		...events.map(([start, end]) => inEvents(start, end)),
	];
	return `(${parts.join("\nUNION ALL\n")})`;
}

export interface ModelService {
	/** Of the latest successful request in a day. */
	readonly model: string | null;
	/** Mean over the last five minutes without timeouts and cancelled calls, milliseconds. */
	readonly latency_ms: number | null;
}

const DAY_MS = 86_400_000;
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
