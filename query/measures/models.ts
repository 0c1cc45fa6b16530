/** Calls of language models: how many, how they ended, how long they took and what they used. */
import { tierOf } from "../../schema/granularity.ts";
import type { LivePart } from "../../schema/live/frames.ts";
import type { Source } from "../plan/plan.ts";
import { at, between, bucketOf, QUANTILES, SKETCH, sketchable, unbiased } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import type { Scope } from "./scope.ts";

export const MODEL_EVENT = "model_inference_completed";
/** What a call without the name of its model is listed under. */
const UNKNOWN_MODEL = "unknown";
/** SQL: the name that answers call a model by. */
export const nameOfModel = (column: string) => `if(${column} = '', '${UNKNOWN_MODEL}', ${column})`;

/** What `model_hours` and `model_days` sum up, of the rows of `model_calls`; the views that fill them say the same. */
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

/**
 * Every model that was called within the scope, the most called first.
 * @param source each call, or the rollups of whole hours and days with the calls of the rest: the same, but for windows of millions
 */
export function modelCalls(scope: ModelScope, source: "calls" | "rollups"): Question<Model[]> {
	const params = new Params();
	return {
		name: "model_calls",
		params,
		// Buckets, and all of a model under the time 0, in one pass over the rows. Nothing has no name: that is all models together.
		sql: `SELECT ${modelSums(params, scope, source)}\nGROUP BY name, t WITH ROLLUP HAVING name != ''`,
		read: (rows) => modelsOf(rows as unknown as readonly ModelRow[], scope.buckets === undefined),
	};
}

interface ModelRow {
	readonly name: string;
	readonly t: number;
	readonly sums: readonly number[];
	readonly quantiles: readonly number[];
}

/** @param unbucketed that all calls are of one bucket, 0 */
function modelsOf(rows: readonly ModelRow[], unbucketed: boolean): Model[] {
	const models = new Map<string, Model & { readonly buckets: Map<number, ModelCalls> }>();
	for (const { name, t, sums, quantiles } of rows) {
		// Sketches that know no bucket are under 0 too, without sums.
		if (t !== 0 || sums.length === 0) continue;
		const calls = toCalls(sums);
		const quantile = (level: 0.95 | 0.99) => (calls.timed > 0 ? unbiased(quantiles[QUANTILES.indexOf(level)]!) : null);
		const buckets = new Map(unbucketed ? [[0, calls]] : []);
		models.set(name, { ...calls, name, p95_ms: quantile(0.95), p99_ms: quantile(0.99), buckets });
	}
	for (const { name, t, sums } of rows) {
		if (t !== 0) models.get(name)!.buckets.set(t, toCalls(sums));
	}
	return [...models.values()].sort((a, b) => b.requests - a.requests || (a.name < b.name ? -1 : 1));
}

function toCalls(sums: readonly number[]): ModelCalls {
	return Object.fromEntries(COLUMNS.map((column, i) => [column, sums[i] ?? 0])) as unknown as ModelCalls;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** From that length on a window is made of days, the calls of its ends are then a small part of it; shorter ones of hours. */
const OF_DAYS_MS = 7 * DAY_MS;

/** Which stretches of a window come from where, in milliseconds since the epoch. */
export interface ModelCover {
	/** Whole hours or days UTC; absent where there is none. */
	readonly whole: Span | undefined;
	/** What they are of. */
	readonly step: "hour" | "day";
	/** Whether a bucket begins within a day: sums then come from hours. Sketches are not told apart by bucket. */
	readonly dividesDays: boolean;
	/** Starts of hours that a bucket divides: their sums come from the calls. */
	readonly divided: readonly number[];
}

/** @see ModelCover */
export function modelCover({ start, end, buckets }: Pick<Scope, "start" | "end" | "buckets">): ModelCover {
	const step = end - start < OF_DAYS_MS ? "hour" : "day";
	const whole = wholeSteps({ start, end }, step === "hour" ? HOUR_MS : DAY_MS);
	const inside = (buckets?.starts ?? []).map((t) => t * 1_000).filter((t) => whole && t > whole.start && t < whole.end);
	return {
		whole,
		step,
		dividesDays: inside.some((t) => t % DAY_MS !== 0),
		divided: inside.filter((t) => t % HOUR_MS !== 0).map((t) => t - (t % HOUR_MS)),
	};
}

/** The rollup that most of a window is made of. */
export function modelSource(window: Pick<Scope, "start" | "end" | "buckets">): Source {
	const { whole, step, dividesDays } = modelCover(window);
	if (whole === undefined) return "raw";
	return tierOf(step === "day" && !dividesDays ? "1d" : "1h");
}

function wholeSteps({ start, end }: Span, step: number): Span | undefined {
	const whole = { start: Math.ceil(start / step) * step, end: Math.floor(end / step) * step };
	return whole.start < whole.end ? whole : undefined;
}

/** The columns `sums` and `quantiles`, and the rows that they are of, which have `name` and `t`. */
function modelSums(params: Params, scope: ModelScope, source: "calls" | "rollups"): string {
	if (scope.accounts !== undefined && source !== "calls") throw new TypeError("rollups of models know no accounts");
	const cover = modelCover(scope);
	if (source === "calls" || cover.whole === undefined) {
		const where = `${between(params, "ts", scope.start, scope.end)}${ofModel(params, scope)}${ofAccounts(params, scope)}`;
		return `${sumsOf("calls")} AS sums, ${sketchOf("", "timed_ms IS NOT NULL")} AS quantiles,
	${nameAndTime(params, scope, "ts")}\n${from("model_calls", where)}`;
	}
	const rows = rollupRows(params, scope, { ...cover, whole: cover.whole }).join("\nUNION ALL\n");
	return `name, t, sumForEach(known.sums) AS sums, quantilesDDMerge${SKETCH}(latencies) AS quantiles\nFROM (${rows}) AS known`;
}

const sumsOf = (of: "calls" | "rollup") =>
	`[${COLUMNS.map((column) => (of === "calls" ? OF_CALLS[column] : `toFloat64(${column})`)).join(", ")}]`;

const sketchOf = (state: "State" | "", timed: string) =>
	`quantilesDD${state}If${SKETCH}(${sketchable("assumeNotNull(timed_ms)")}, ${timed})`;

const nameAndTime = (params: Params, scope: Scope, column: string) =>
	`${nameOfModel("model")} AS name, ${bucketOf(params, scope.buckets, column)} AS t`;

const ofModel = (params: Params, { model }: ModelScope) =>
	model === undefined ? "" : ` AND ${nameOfModel("model")} = ${params.add("String", model)}`;

/** Only the event knows whose call it is. */
function ofAccounts(params: Params, { accounts, start, end }: ModelScope): string {
	if (accounts === undefined) return "";
	const where = `event = '${MODEL_EVENT}' AND account_id IN ${params.add("Array(String)", accounts)} AND ${between(params, "ts", start, end)}`;
	return ` AND (ts, id) IN (SELECT ts, id ${from("events", where)})`;
}

/**
 * Subqueries with `name`, `t`, `sums` and the sketch `latencies`, of which a row may lack one: sums are told apart by bucket, so where
 * buckets divide days they come by hour, and where they divide hours by call.
 */
function rollupRows(
	params: Params,
	scope: ModelScope,
	{ whole, step, dividesDays, divided }: ModelCover & { readonly whole: Span },
): string[] {
	const model = ofModel(params, scope);
	const second = (ms: number) => `toDateTime(${params.add("UInt32", ms / 1_000)}, 'UTC')`;
	// By its number: a text or a time would be read in the zone of the server.
	const day = (ms: number) => `toDate(${params.add("UInt16", ms / DAY_MS)})`;
	const hours = `hour >= ${second(whole.start)} AND hour < ${second(whole.end)}${model}`;
	const days = `day >= ${day(whole.start)} AND day < ${day(whole.end)}${model}`;
	const isDivided = (hour: string) =>
		`toUnixTimestamp(${hour}) IN ${params.add(
			"Array(UInt32)",
			divided.map((ms) => ms / 1_000),
		)}`;
	const sketches = `SELECT ${nameOfModel("model")} AS name, toUInt32(0) AS t, emptyArrayFloat64() AS sums, latencies`;
	const parts: string[] = [];
	if (step === "day" && !dividesDays) {
		const start = nameAndTime(params, scope, "toDateTime(day, 'UTC')");
		parts.push(`SELECT ${start}, ${sumsOf("rollup")} AS sums, latencies ${from("model_days", days)}`);
	} else {
		const sums = divided.length === 0 ? sumsOf("rollup") : `if(${isDivided("hour")}, [], ${sumsOf("rollup")})`;
		const latencies = step === "hour" ? "latencies" : `${NO_SKETCH} AS latencies`;
		parts.push(
			`SELECT ${nameAndTime(params, scope, "hour")}, ${sums} AS sums, ${latencies} ${from("model_hours", hours)}`,
		);
		if (step === "day") parts.push(`${sketches} ${from("model_days", days)}`);
	}
	const ends = [
		{ start: scope.start, end: whole.start },
		{ start: whole.end, end: scope.end },
	].filter((span) => span.start < span.end);
	if (ends.length > 0 || divided.length > 0) {
		const atEnds = ends.map((span) => `(${between(params, "ts", span.start, span.end)})`).join(" OR ") || "0";
		const dividedHours = `${between(params, "ts", scope.start, scope.end)} AND ${isDivided("toStartOfHour(toDateTime(ts, 'UTC'), 'UTC')")}`;
		const where = `(${atEnds}${divided.length > 0 ? ` OR (${dividedHours})` : ""})${model}`;
		const timed = divided.length > 0 ? `timed_ms IS NOT NULL AND (${atEnds})` : "timed_ms IS NOT NULL";
		parts.push(
			`SELECT ${nameAndTime(params, scope, "ts")}, ${sumsOf("calls")} AS sums, ${sketchOf("State", timed)} AS latencies
${from("model_calls", where)} GROUP BY name, t`,
		);
	}
	return parts;
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
